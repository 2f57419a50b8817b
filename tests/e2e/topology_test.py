"""The little Internet itself: each kind of NAT does to UDP what RFC 4787 says of it, and changes at run time take effect.

Probes are sent from three public addresses. "Nothing arrives" is said after the wire has handed over the packet and another one, later
on the same path, which keeps its order, has arrived: no test depends on how long it waits.
"""
import hashlib
import json
import os
import pathlib
import socket
import struct
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support.devnet import CommandFailed, main, run, wait_for, BIN  # noqa: E402
from support.topology import Topology  # noqa: E402

PORT = 7000


def topology(*nodes, region="latency_ms = 5", extra=""):
    text = f'seed = 3\n[[region]]\nname = "world"\n{region}\n{extra}\n'
    for node in nodes:
        text += "[[node]]\n" + "\n".join(f"{key} = {json.dumps(value)}" for key, value in node.items()) + "\n"
    return text


def drain(sock, want, timeout=10.0):
    """Payloads with their senders until `want` has come, that one included."""
    out = []
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        sock.settimeout(max(0.05, end - time.monotonic()))
        try:
            data, source = sock.recvfrom(2048)
        except TimeoutError:
            break
        out.append((data, source))
        if data == want:
            return out
    raise AssertionError(f"{want!r} has not come; {out}")


def ended(pid):
    """Gone, or waiting for its parent to notice."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


class World(unittest.TestCase):
    """One topology for a class."""
    toml = ""

    @classmethod
    def setUpClass(cls):
        cls.net = Topology(cls.toml)
        cls.addClassCleanup(cls.net.down)

    def setUp(self):
        self.sockets = []
        self.addCleanup(lambda: [s.close() for s in self.sockets])

    def udp(self, node, port=0, timeout=5.0):
        self.sockets.append(self.net.udp(node, port, timeout))
        return self.sockets[-1]


KINDS = ["full-cone", "address-restricted", "port-restricted", "symmetric"]


class Nat(World):
    toml = topology({"name": "a"}, {"name": "b"}, {"name": "c"}, *({"name": f"home-{kind}", "nat": kind} for kind in KINDS),
                    {"name": "home-udp-blocked", "nat": "udp-blocked"})

    def received(self, home):
        """Packets that the wire has handed to the home's router."""
        return self.net.line(home + ".r")["received"]

    def classify(self, home, expected_open_port):
        """What the NAT in front of `home` does, from probes of a (contacted), b (contacted later) and c (never contacted)."""
        net = self.net
        inner = self.udp(home, expected_open_port)
        a, b, c = self.udp("a", PORT), self.udp("b", PORT), self.udp("c", PORT)
        a_other, b_other = self.udp("a", PORT + 1), self.udp("b", PORT + 1)
        outer = (net.public(home), expected_open_port)
        # Too early: nobody has left yet. Must neither arrive nor take the port away from the mapping to come.
        before = self.received(home)
        c.sendto(b"early", outer)
        wait_for("the early one", lambda: self.received(home) == before + 1)
        inner.sendto(b"hello a", (net.public("a"), PORT))
        mapped = drain(a, b"hello a")[-1][1]
        self.assertEqual(mapped[0], net.public(home))
        before = self.received(home)
        b.sendto(b"from b, a stranger", mapped)
        c.sendto(b"from c, a stranger", mapped)
        a_other.sendto(b"from a's other port", mapped)
        a.sendto(b"from a", mapped)
        wait_for("all at the router", lambda: self.received(home) == before + 4)
        a.sendto(b"end", mapped)
        got = {data for data, _ in drain(inner, b"end")}
        self.assertIn(b"from a", got)
        self.assertNotIn(b"early", got)
        inner.sendto(b"hello b", (net.public("b"), PORT))
        mapped_b = drain(b, b"hello b")[-1][1]
        b_other.sendto(b"from b's other port", mapped_b)
        b.sendto(b"end b", mapped_b)
        late = {data for data, _ in drain(inner, b"end b")}
        # Answers to a stranger that came through leave by the same mapping.
        if b"from c, a stranger" in got:
            inner.sendto(b"answer c", (net.public("c"), PORT))
            self.assertEqual(drain(c, b"answer c")[-1][1], mapped)
        for s in self.sockets:
            s.close()
        return {"same_port": mapped_b == mapped, "preserved": mapped[1] == expected_open_port,
                "stranger": b"from c, a stranger" in got, "same_address": b"from a's other port" in got,
                "same_address_late": b"from b's other port" in late}

    def test_full_cone(self):
        for port in (5001, 5002):
            self.assertEqual(self.classify("home-full-cone", port),
                             {"same_port": True, "preserved": True, "stranger": True, "same_address": True, "same_address_late": True})

    def test_address_restricted(self):
        for port in (5001, 5002):
            self.assertEqual(self.classify("home-address-restricted", port),
                             {"same_port": True, "preserved": True, "stranger": False, "same_address": True, "same_address_late": True})

    def test_port_restricted(self):
        for port in (5001, 5002):
            self.assertEqual(self.classify("home-port-restricted", port),
                             {"same_port": True, "preserved": True, "stranger": False, "same_address": False, "same_address_late": False})

    def test_symmetric(self):
        seen = self.classify("home-symmetric", 5001)
        self.assertEqual({**seen, "preserved": False},
                         {"same_port": False, "preserved": False, "stranger": False, "same_address": False, "same_address_late": False})
        inner, a = self.udp("home-symmetric", 5003), [self.udp("a", PORT + i) for i in range(8)]
        for i in range(8):
            inner.sendto(b"x", (self.net.public("a"), PORT + i))
        ports = {drain(s, b"x")[-1][1][1] for s in a}
        self.assertGreaterEqual(len(ports), 7, "a random port for every destination")

    def test_udp_blocked_but_not_tcp(self):
        inner, a = self.udp("home-udp-blocked"), self.udp("a", PORT)
        inner.sendto(b"never", (self.net.public("a"), PORT))
        listener = self.net.tcp("a")
        listener.bind(("0.0.0.0", 8443))
        listener.listen()
        client = self.net.tcp("home-udp-blocked")
        self.sockets += [listener, client]
        client.connect((self.net.public("a"), 8443))
        client.sendall(b"through")
        peer, address = listener.accept()
        self.sockets.append(peer)
        self.assertEqual(address[0], self.net.public("home-udp-blocked"))
        self.assertEqual(peer.recv(16), b"through")
        self.udp("b").sendto(b"end", (self.net.public("a"), PORT))
        self.assertNotIn(b"never", {data for data, _ in drain(a, b"end")})


class Shared(World):
    """Machines of one LAN, and two routers one behind the other."""
    toml = topology({"name": "a"}, {"name": "b"}, {"name": "one", "lan": "flat"}, {"name": "two", "lan": "flat"},
                    {"name": "mobile", "carrier": "isp", "nat": "full-cone"}, {"name": "mobile-2", "carrier": "isp"},
                    extra='[[carrier]]\nname = "isp"\nnat = "symmetric"\n[[lan]]\nname = "flat"\nnat = "full-cone"\n')

    def test_lan(self):
        one, two, a = self.udp("one", 6000), self.udp("two", 6000), self.udp("a", PORT)
        one.sendto(b"neighbour", (self.net.address("two"), 6000))
        self.assertEqual(drain(two, b"neighbour")[-1][1], (self.net.address("one"), 6000))
        # Both use the same inner port: the NAT keeps them apart, and strangers reach each by its own outer port.
        outer = []
        for machine, name in ((one, b"one"), (two, b"two")):
            machine.sendto(name, (self.net.public("a"), PORT))
            outer.append(drain(a, name)[-1][1])
        self.assertEqual(outer[0][0], outer[1][0])
        self.assertNotEqual(outer[0][1], outer[1][1])
        b = self.udp("b")
        for machine, address, word in ((one, outer[0], b"to one"), (two, outer[1], b"to two")):
            b.sendto(word, address)
            self.assertEqual([data for data, _ in drain(machine, word)], [word])

    def test_double_nat(self):
        mobile, a, b = self.udp("mobile", 6000), self.udp("a", PORT), self.udp("b", PORT)
        seen = []
        for sock, name in ((a, "a"), (b, "b")):
            mobile.sendto(b"hello", (self.net.public(name), PORT))
            seen.append(drain(sock, b"hello")[-1][1])
        self.assertEqual({s[0] for s in seen}, {self.net.public("mobile")})
        self.assertEqual(self.net.public("mobile"), self.net.public("mobile-2"))
        self.assertNotEqual(seen[0][1], seen[1][1], "the carrier's NAT is symmetric whatever the home's is")
        self.assertTrue(self.net.node("mobile")["carrier"])


class Changes(World):
    toml = topology({"name": "a"}, {"name": "b"}, {"name": "home", "nat": "port-restricted"}, {"name": "cone", "nat": "full-cone"})

    def echo(self, node, to="a", port=0):
        """Whether a packet gets there; returns the sender's address as seen."""
        server, client = self.udp(to, PORT), self.udp(node, port)
        client.sendto(b"ping", (self.net.public(to), PORT))
        try:
            server.settimeout(1.0)
            return server.recvfrom(64)[1]
        except TimeoutError:
            return None
        finally:
            server.close()
            client.close()

    def test_roam(self):
        for node in ("home", "cone", "b"):
            before = self.net.public(node)
            self.assertEqual(self.echo(node, port=6001)[0], before)
            self.net.roam(node)
            self.assertNotEqual(self.net.public(node), before)
            self.assertEqual(self.echo(node, port=6001)[0], self.net.public(node))

    def test_a_flow_goes_on_after_roaming(self):
        server, client = self.udp("a", PORT), self.udp("home", 6002)
        seen = []
        for i in range(2):
            client.sendto(b"%d" % i, (self.net.public("a"), PORT))
            seen.append(drain(server, b"%d" % i)[-1][1])
            server.sendto(b"back", seen[-1])
            drain(client, b"back")
            self.net.roam("home")
        self.assertNotEqual(seen[0][0], seen[1][0])

    def test_plug_in_elsewhere(self):
        inner = self.net.address("home")
        self.net.roam("home", to="cone")
        self.assertNotEqual(self.net.address("home"), inner)
        self.assertEqual(self.net.public("home"), self.net.public("cone"))
        self.assertEqual(self.echo("home")[0], self.net.public("cone"))
        self.net.roam("home", to="home")
        self.assertEqual(self.net.address("home"), inner)
        self.assertEqual(self.echo("home")[0], self.net.public("home"))

    def test_block_and_cut(self):
        for node in ("home", "b"):
            for change in (self.net.block_udp, self.net.cut):
                self.assertIsNotNone(self.echo(node))
                change(node)
                self.assertIsNone(self.echo(node))
                change(node, off=True)
                wait_for("the way to be open again", lambda: self.echo(node), timeout=20)  # links take a second to come up
        self.net.block_udp("home")
        self.net.exec("home", "ping", "-c", "1", "-W", "5", self.net.public("a"))
        self.net.block_udp("home", off=True)

    def test_loss_and_latency_of_a_link(self):
        self.net.link("world", "world", loss=1)
        self.assertIsNone(self.echo("b"))
        before = self.net.total("lost")
        self.assertGreaterEqual(before, 1)
        self.net.link("world", "world", loss=0, latency_ms=60)
        start = time.monotonic()
        self.net.exec("b", "ping", "-c", "1", "-W", "5", self.net.public("a"))
        self.assertGreaterEqual(time.monotonic() - start, 0.12, "two ways of 60 ms")
        self.net.link("world", "world", latency_ms=5)

    def test_loss_rate(self):
        self.net.link("world", "world", loss=0.1)
        client = self.udp("b")
        before = {k: self.net.total(k) for k in ("lost", "sent")}
        for i in range(2000):
            client.sendto(b"x" * 100, (self.net.public("a"), 9))
            if i % 50 == 0:
                time.sleep(0.001)
        wait_for("all to be counted", lambda: self.net.total("sent") - before["sent"] >= 2000)
        self.net.link("world", "world", loss=0)
        lost, sent = (self.net.total(k) - before[k] for k in ("lost", "sent"))
        self.assertTrue(0.07 < lost / sent < 0.13, f"{lost} of {sent}")


class Mapped(World):
    toml = topology({"name": "a"}, {"name": "home", "nat": "symmetric", "port_mapping": True}, {"name": "plain", "nat": "symmetric"})

    def test_nat_pmp(self):
        """RFC 6886: the outer address, then a port that strangers may use."""
        router = next(r for r in self.net.info["routers"] if r["name"] == "home")
        self.assertTrue(router["port_mapping"])
        home, stranger = self.udp("home", 6000), self.udp("a")

        def ask(request, size):
            home.settimeout(1)
            home.sendto(request, (router["inner"], 5351))
            data, source = home.recvfrom(64)
            return data if source[1] == 5351 and len(data) == size else None

        outer = wait_for("the router to answer", lambda: ask(b"\0\0", 12))
        self.assertEqual(outer[1:4], b"\x80\0\0")
        self.assertEqual(socket.inet_ntoa(outer[8:]), self.net.public("home"))
        mapped = wait_for("the port", lambda: ask(struct.pack("!BBHHHI", 0, 1, 0, 6000, 6000, 600), 16))
        kind, result, _, inner, outside, _ = struct.unpack("!xBHIHHI", mapped)
        self.assertEqual((kind, result, inner), (129, 0, 6000))
        stranger.sendto(b"a stranger", (self.net.public("home"), outside))
        drain(home, b"a stranger")

    def test_ends_with_the_network(self):
        with Topology(self.toml, tag="map") as net:
            pid = pathlib.Path(net.info["folder"], "home.upnp.pid").read_text().split()[0]
            self.assertIn("miniupnpd", pathlib.Path(f"/proc/{pid}/cmdline").read_text())
        self.assertTrue(ended(pid))


class Limits(World):
    toml = topology({"name": "a"}, {"name": "slow", "up_mbit": 8, "down_mbit": 8, "queue_kib": 32}, {"name": "thin", "mtu": 1300},
                    {"name": "home", "nat": "port-restricted", "mtu": 1400})

    def test_a_full_queue_drops(self):
        client, server = self.udp("slow"), self.udp("a", PORT)
        for _ in range(400):
            client.sendto(b"x" * 1000, (self.net.public("a"), PORT))
        stats = wait_for("drops", lambda: (line := self.net.line("slow"))["sent"] == 400 and line)
        self.assertGreater(stats["queue_up"], 200)  # 400 KB at 1 MB/s into a queue of 32 KB
        got = 0
        server.settimeout(1.0)
        try:
            while True:
                server.recv(2048)
                got += 1
        except TimeoutError:
            pass
        self.assertEqual(got + stats["queue_up"], 400)

    def test_path_mtu(self):
        for node, mtu in (("thin", 1300), ("home", 1400)):
            client = self.udp("a")
            client.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER, IP_PMTUDISC_DO
            client.connect((self.net.public(node), 9))

            def too_big():
                try:
                    client.send(b"x" * 1472)
                except OSError as error:
                    return error.errno == 90  # EMSGSIZE, also told by ICMP
                return False

            wait_for("Packet Too Big", too_big, timeout=20)
            self.assertEqual(client.getsockopt(socket.IPPROTO_IP, 14), mtu)  # IP_MTU

    def test_nobody_speaks_with_anothers_address(self):
        self.net.exec("a", "ip", "addr", "add", self.net.public("thin") + "/32", "dev", "eth0")
        self.addCleanup(self.net.exec, "a", "ip", "addr", "del", self.net.public("thin") + "/32", "dev", "eth0")
        self.net.exec("a", "ping", "-c", "1", "-W", "1", "-I", self.net.public("thin"), self.net.public("slow"), check=False)
        self.assertGreaterEqual(self.net.total("spoofed"), 1)


class Life(unittest.TestCase):
    toml = topology({"name": "a"}, {"name": "b"})

    def test_once_per_tag_and_no_trace_after(self):
        with Topology(self.toml, tag="life") as net:
            with self.assertRaises(CommandFailed) as caught:
                Topology(self.toml, tag="life")
            self.assertIn("down", str(caught.exception))
            pid = net.info["wire_pid"]
            self.assertTrue(pathlib.Path(f"/proc/{pid}").exists())
        self.assertFalse([p for p in pathlib.Path("/run/netns").iterdir() if p.name.startswith(f"bnt-{net.tag}-")])
        self.assertFalse(pathlib.Path(f"/run/bonus-wire/bnt-{net.tag}").exists())

    def test_down_after_a_crash(self):
        net = Topology(self.toml, tag="crash")
        run(["kill", "-9", net.info["wire_pid"]])
        pathlib.Path(net.info["folder"], "state.json").unlink()
        self.assertIn("no topology", str(run([BIN / "bonus-wire", "show", "--prefix", "bnt", "--tag", net.tag], check=False).stderr))
        net.down()
        self.assertFalse([p for p in pathlib.Path("/run/netns").iterdir() if p.name.startswith(f"bnt-{net.tag}-")])
        with Topology(self.toml, tag="crash"):
            pass

    def test_errors_name_their_lines(self):
        with self.assertRaises(CommandFailed) as caught:
            Topology(topology({"name": "a", "nat": "conical"}, {"name": "b", "region": "nowhere"}), tag="bad")
        self.assertRegex(str(caught.exception), r":\d+: nat is one of open, .*")
        self.assertRegex(str(caught.exception), r":\d+: no region is called nowhere")
        self.assertFalse(pathlib.Path(f"/run/bonus-wire/bnt-{os.getpid()}bad").exists())

    def test_capture(self):
        path = pathlib.Path(f"/tmp/bnt-capture-{time.monotonic_ns()}.pcap")
        self.addCleanup(path.unlink, missing_ok=True)
        with Topology(self.toml, tag="capture", capture=path) as net:
            client = net.udp("a")
            client.sendto(b"a marked payload", (net.public("b"), 9))
            wait_for("the packet", lambda: net.stats() and b"a marked payload" in path.read_bytes())
            net.capture(None)
            client.sendto(b"another one", (net.public("b"), 9))
            wait_for("both", lambda: net.line("a")["sent"] == 2)
            self.assertNotIn(b"another one", path.read_bytes())
            net.capture(path)
            client.sendto(b"a third one", (net.public("b"), 9))
            wait_for("the third", lambda: net.stats() and b"a third one" in path.read_bytes())
            client.close()

    def test_the_wire_ends_with_its_devices(self):
        with Topology(self.toml, tag="gone") as net:
            for name in ("a", "b"):
                self.assertTrue(net.stats())
                net.exec(name, "ip", "link", "del", "eth0")
            wait_for("the wire to end", lambda: ended(net.info["wire_pid"]))

    def test_tcp_through_large_frames_and_loss(self):
        with Topology(topology({"name": "a"}, {"name": "home", "nat": "port-restricted"}, region="latency_ms = 2\nloss = 0.005"),
                      tag="tcp") as net:
            server = net.popen("a", "python3", "-c", "import socket,hashlib,sys\ns=socket.socket();s.bind(('0.0.0.0',80));s.listen()\n"
                               "c,_=s.accept();h=hashlib.sha256()\nwhile d:=c.recv(1<<16): h.update(d)\nprint(h.hexdigest())",
                               stdout=subprocess.PIPE, text=True)
            self.addCleanup(server.kill)
            client = net.tcp("home", timeout=60)

            def connect():
                client.connect((net.public("a"), 80))
                return True

            wait_for("the server", connect)
            block = bytes(range(256)) * 4096
            for _ in range(16):
                client.sendall(block)
            client.close()
            out, _ = server.communicate(timeout=120)
            self.assertEqual(out.strip(), hashlib.sha256(block * 16).hexdigest())
            self.assertGreater(net.total("lost"), 0)
            self.assertGreater(net.total("sent_bytes"), 16 << 20)


if __name__ == "__main__":
    main()
