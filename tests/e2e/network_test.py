"""BonusNet under a devnet: programs that know nothing of it reach one another through it by name and address, what is not opened is closed, and
nothing of what they say can be read between the nodes."""
import concurrent.futures
import ipaddress
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support import images  # noqa: E402
from support.devnet import BIN, DevnetCase, http, main, run, wait_for  # noqa: E402

MARK = "bonus-marked-payload-0123456789"


class Network(DevnetCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        tools = cls.net.dir / "tools"
        images.program_image(tools, ["iperf3", "curl", "getent", "/lib/x86_64-linux-gnu/libnss_dns.so.2", "ping"])
        images.web_image(cls.net.dir / "web")
        cls.net.bonus("image", "push", tools, "tools:1")
        cls.net.bonus("image", "push", cls.net.dir / "web", "web:1")
        cls.server = cls.rent("server", "tools:1", "--port", "5201", "--port", "9000", command=("/usr/bin/iperf3", "-s"))
        cls.client = cls.rent("client", "tools:1")
        cls.web = cls.rent("web", "web:1", "--port", "80")
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", cls.net.dir / "key"])
        files = [(".ssh/authorized_keys", (cls.net.dir / "key.pub").read_bytes()), ("etc/dropbear/.keep", b"")]  # where it keeps its own keys
        images.program_image(cls.net.dir / "ssh", ["dropbear", "scp"], files)
        cls.net.bonus("image", "push", cls.net.dir / "ssh", "ssh:1")
        cls.ssh = cls.rent("ssh", "ssh:1", "--port", "22", command=("/usr/sbin/dropbear", "-F", "-E", "-R", "-s"))

    @classmethod
    def rent(cls, name, image, *args, command=()):
        cls.net.bonus("run", "--name", name, "--memory", "128Mi", "--cpu", "300m", "--disk", "256Mi", "--no-wait", *args, image, "--", *command)
        lease = wait_for(f"{name} to run", lambda: cls.lease_of(name))
        return {"lease": lease, "name": f"lease-{lease}.bonus"}

    @classmethod
    def lease_of(cls, name):
        text = json.dumps(cls.net.json("inspect", name))
        return int(re.search(r'"lease": ?"?(\d+)', text).group(1)) if '"running"' in text else None

    def inside(self, name, *argv, check=True):
        return self.net.bonus("exec", name, "--", *argv, check=check)

    def ask(self, port):
        """What the server's port says to the client; empty when it is closed."""
        return self.inside("client", "/usr/bin/curl", "-sS", "-m", "2", f"telnet://{self.server['name']}:{port}", check=False).stdout

    def process(self, node):
        return next(n["pid"] for n in self.net.nodes() if n["name"] == node)

    def in_node(self, node, *argv, check=True):
        """In the node's own network and mount namespaces, as an operator with nsenter(1)."""
        return run(["nsenter", "-t", self.process(node), "-n", "-m", "-r", *argv], check=check)

    def address_of(self, node):
        return self.net.json("net", "status", "--node", next(n for n in self.net.nodes() if n["name"] == node)["api"])["address"]

    def test_01_every_node_is_in_a_namespace_of_its_own(self):
        spaces = {pathlib.Path(f"/proc/{n['pid']}/ns/net").readlink() for n in self.net.nodes()} | {pathlib.Path("/proc/self/ns/net").readlink()}
        self.assertEqual(len(spaces), len(self.net.nodes()) + 1)
        for node in self.net.nodes():
            devices = json.loads(self.in_node(node["name"], "ip", "-j", "link").stdout)
            physical = [d["ifname"] for d in devices if d["ifname"] not in ("lo", "bonus0") and not d["ifname"].startswith("bc")]
            self.assertEqual(physical, [], "there must be no way around the overlay")

    def test_02_ping_and_path_from_the_command_line(self):
        other = next(n for n in self.net.nodes() if n["name"] == "node-3")
        lines = [json.loads(line) for line in self.net.bonus("net", "ping", other["id"], "--count", "3", "--json").stdout.splitlines()]
        answers = [line for line in lines if "rtt_ms" in line]
        self.assertEqual(len(answers), 3, lines)
        self.assertEqual({line["kind"] for line in answers}, {"direct"})
        self.assertEqual(self.net.json("net", "lookup", other["id"])["id"], other["id"])
        self.assertEqual(len(self.net.json("net", "peers")["peers"]), 3)
        missing = self.net.bonus("net", "ping", "fd00::1", check=False)
        self.assertNotEqual(missing.returncode, 0)

    def test_03_dig_getent_and_curl_by_name(self):
        own = self.address_of("node-1")
        dig = self.in_node("node-1", "dig", "+short", "AAAA", self.web["name"]).stdout.strip()
        self.assertTrue(ipaddress.ip_address(dig) in ipaddress.ip_network("fd00::/8"), dig)
        self.assertEqual(self.in_node("node-1", "dig", "+short", "-x", dig).stdout.strip(), self.web["name"] + ".")
        self.assertEqual(self.in_node("node-1", "dig", "+tcp", "+short", "AAAA", self.web["name"], f"@{own}").stdout.strip(), dig)
        self.assertIn("NXDOMAIN", self.in_node("node-1", "dig", "lease-999999.bonus").stdout)
        self.assertIn(dig, self.in_node("node-1", "getent", "hosts", self.web["name"]).stdout)
        self.assertIn(dig, self.inside("client", "/usr/bin/getent", "hosts", self.web["name"]).stdout)
        page = self.inside("client", "/usr/bin/curl", "-sS", "-m", "20", f"http://{self.web['name']}/").stdout
        self.assertIn("hello from a rented container", page)

    def test_03_many_lookups_at_once_do_not_wait_for_themselves(self):
        # Each waits for the node's DNS server, which reads the ledger: with one pool of threads for both nothing was answered any more.
        api = self.net.nodes()[0]["api"]
        with concurrent.futures.ThreadPoolExecutor(100) as pool:
            answers = list(pool.map(lambda i: http(f"{api}/v1/net/lookup?name=nobody{i}.bonus")[0], range(100)))
        self.assertEqual(set(answers), {404})
        self.assertEqual(http(f"{api}/v1/net/lookup?name={self.web['name']}")[0], 200)
        self.assertEqual(http(f"{api}/v1/net/lookup?name=www.example.com")[0], 400)

    def test_04_ping_from_a_container(self):
        answer = self.inside("client", "/usr/bin/ping", "-c", "3", "-i", "0.3", self.web["name"], check=False)
        self.assertIn("3 received", answer.stdout, answer.stdout + answer.stderr)
        target = self.in_node("node-1", "dig", "+short", "AAAA", self.web["name"]).stdout.strip()
        hops = self.in_node("node-1", "traceroute", "-6", "-n", "-I", "-q", "1", "-w", "5", "-m", "6", target).stdout.splitlines()[1:]
        self.assertIn(target, hops[-1], hops)
        self.assertEqual(len(hops), 2, "the worker's node, then the container")

    def test_05_what_is_not_opened_is_closed(self):
        serve = "(while true; do echo answered | nc -l -p {0}; done) >/dev/null 2>&1 &"
        self.inside("server", "/bin/sh", "-c", serve.format(9000) + serve.format(9001) + "sleep 0.5")
        wait_for("the open port", lambda: "answered" in self.ask(9000))
        self.assertEqual(self.ask(9001), "", "a port that the lease does not name must be closed")
        own = self.address_of("node-1")
        service = self.inside("client", "/usr/bin/curl", "-sS", "-m", "3", f"http://[{own}]:7071/", check=False)
        self.assertNotEqual(service.returncode, 0, "a container must not reach a node's own service")

    def test_06_iperf3_between_containers(self):
        result = json.loads(self.inside("client", "/usr/bin/iperf3", "-6", "-c", self.server["name"], "-t", "3", "-J").stdout)
        self.assertNotIn("error", result, result.get("error"))
        self.assertGreater(result["end"]["sum_received"]["bytes"], 1_000_000)

    def test_07_nothing_of_the_payload_is_on_the_wire(self):
        ports = {n["net"].rsplit(":", 1)[1] for n in (json.loads((self.net.dir / "net" / node["name"] / "data/endpoints.json").read_text()) for node in self.net.nodes())}
        with tempfile.TemporaryDirectory() as folder:
            wire, inner = pathlib.Path(folder) / "wire.pcap", pathlib.Path(folder) / "inner.pcap"
            worker = next(n["pid"] for n in self.net.nodes() if self.has_container(n["pid"]))
            captures = [subprocess.Popen(["tcpdump", "-Z", "root", "-U", "-i", "lo", "-w", wire, "udp"], stderr=subprocess.DEVNULL),
                        subprocess.Popen(["nsenter", "-t", str(worker), "-n", "tcpdump", "-Z", "root", "-U", "-i", "any", "-w", inner], stderr=subprocess.DEVNULL)]
            try:
                wait_for("the captures", lambda: wire.exists() and inner.exists())
                time.sleep(1)
                for _ in range(5):
                    self.inside("client", "/usr/bin/curl", "-sS", "-m", "20", "-o", "/dev/null", "-H", f"X-Mark: {MARK}", f"http://{self.web['name']}/{MARK}")
                time.sleep(1)
            finally:
                for capture in captures:
                    capture.terminate()
                    capture.wait()
            outside = wire.read_bytes()
            self.assertTrue(any(int(port).to_bytes(2, "big") in outside for port in ports), "the capture must hold the nodes' datagrams")
            self.assertGreater(len(outside), 5000)
            self.assertNotIn(MARK.encode(), outside)
            seen = sum(MARK.encode() in path.read_bytes() for path in [inner])
            self.assertEqual(seen, 1, "inside the tunnel the mark must be readable, or this test shows nothing")

    def has_container(self, pid):
        """A worker whose namespace holds the web container's or the client's link."""
        text = run(["nsenter", "-t", pid, "-n", "ip", "-6", "route"], check=False).stdout
        address = run(["nsenter", "-t", self.process("node-1"), "-n", "-m", "-r", "dig", "+short", "AAAA", self.web["name"]]).stdout.strip()
        return any(line.startswith(address) and "dev bc" in line for line in text.splitlines())

    def test_08_a_restarted_daemon_joins_its_containers_again(self):
        worker = next(n for n in self.net.nodes() if self.has_container(n["pid"]))
        self.net.kill(worker["name"])
        self.net.start(worker["name"])
        page = wait_for("the page after the restart", lambda: "hello" in self.inside(
            "client", "/usr/bin/curl", "-sS", "-m", "5", f"http://{self.web['name']}/", check=False).stdout)
        self.assertTrue(page)

    def test_09_ssh_into_a_rented_container(self):
        options = ["-i", self.net.dir / "key", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20", "-o", "StrictHostKeyChecking=accept-new",
                   "-o", f"UserKnownHostsFile={self.net.dir / 'known_hosts'}", "-F", "none"]
        there = f"root@{self.ssh['name']}"
        answer = self.in_node("node-1", "ssh", *options, there, "echo in $(id -un); exit 7", check=False)
        self.assertEqual((answer.stdout, answer.returncode), ("in root\n", 7), answer.stderr + self.net.bonus("logs", "ssh", check=False).stdout)
        terminal = self.in_node("node-1", "ssh", "-tt", *options, there, "test -t 0 && echo a terminal")
        self.assertIn("a terminal", terminal.stdout)
        sent, back = self.net.dir / "sent", self.net.dir / "back"
        sent.write_bytes(os.urandom(1 << 20))
        self.in_node("node-1", "scp", "-O", *options, sent, f"{there}:/tmp/copy")
        self.in_node("node-1", "scp", "-O", *options, f"{there}:/tmp/copy", back)
        self.assertEqual(sent.read_bytes(), back.read_bytes())
        stranger = self.net.dir / "stranger"
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", stranger])
        refused = self.in_node("node-1", "ssh", "-i", stranger, *options[2:], there, "true", check=False)
        self.assertEqual(refused.returncode, 255, refused.stdout)
        self.assertIn("Permission denied", refused.stderr)

    @unittest.skipUnless(os.geteuid() == 0, "needs root to become somebody without rights")
    def test_10_a_node_without_privileges_follows_the_chain(self):
        with tempfile.TemporaryDirectory(prefix="bonus-unprivileged-") as folder:
            folder = pathlib.Path(folder)
            shutil.copy(self.net.dir / "net/genesis.json", folder)
            shutil.copy(BIN / "bonusd", folder)
            settings = "[node]\ndata_dir = \"data\"\ngenesis = \"genesis.json\"\n[net]\nlisten = \"127.0.0.1:0\"\nprivate = true\nmap_ports = false\n"
            settings += "".join(f"[{section}]\nlisten = \"127.0.0.1:0\"\n" for section in ("rpc", "api", "metrics"))
            (folder / "bonusd.toml").write_text(settings)
            for path in (folder, *folder.iterdir()):
                os.chown(path, 65534, 65534)
            nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
            with open(folder / "log", "w") as log:
                node = subprocess.Popen([*nobody, folder / "bonusd", "run", "--config", folder / "bonusd.toml"], stdout=log, stderr=log)
            try:
                endpoints = folder / "data/endpoints.json"
                wait_for("the node", lambda: endpoints.exists() or node.poll() is not None)
                if run([*nobody, "unshare", "-Un", "true"], check=False).returncode != 0:  # in a chroot, for instance
                    self.assertIn("run bonusd as root", (folder / "log").read_text())
                    return
                self.assertIsNone(node.poll(), (folder / "log").read_text())
                rpc = json.loads(endpoints.read_text())["rpc"]
                wait_for("blocks through the overlay", lambda: self.net.height(rpc) > 0)
            finally:
                node.terminate()
                node.wait(timeout=20)


if __name__ == "__main__":
    main()
