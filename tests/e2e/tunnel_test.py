"""bonus-tunnel with Debian's wireguard-go at the other end: both as initiator and as responder, through preshared keys, a restart,
rekeying, roaming, small paths, replayed and forged datagrams. BONUS_LONG=1 waits for the two-minute rekey as well."""
import os
import pathlib
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support import tunnel_lab  # noqa: E402
from support.tunnel_lab import Lab, sh, wait_for  # noqa: E402

WHY_NOT = tunnel_lab.missing() or ("" if tunnel_lab.shutil.which("wireguard-go") else "wireguard-go is not installed")
MARK = b"bonus-plaintext-marker"


def in_namespace(name, work):
    """Runs `work` on a thread inside the namespace; sockets that it opens stay there."""
    result = {}

    def body():
        try:
            with open(f"/run/netns/{name}", "rb") as handle:
                import ctypes
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.setns(handle.fileno(), 0x40000000) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            result["value"] = work()
        except BaseException as error:  # noqa: BLE001: raised again below
            result["error"] = error

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if "error" in result:
        raise result["error"]
    return result["value"]


def packet_socket(end):
    def make():
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        s.bind(("ul", 0))
        s.settimeout(0.2)
        return s
    return in_namespace(end.ns, make)


def capture(sock, seconds):
    frames, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            frames.append(sock.recv(70000))
        except TimeoutError:
            pass
    return frames


def wireguard_payload(frame):
    """The UDP payload of an Ethernet frame to the tunnel's port, or b''."""
    if len(frame) < 42 or frame[12:14] != b"\x08\x00" or frame[23] != 17 or struct.unpack("!H", frame[36:38])[0] != tunnel_lab.PORT:
        return b""
    return frame[42:]


@unittest.skipIf(WHY_NOT, WHY_NOT)
class Tunnel(unittest.TestCase):
    def setUp(self):
        self.lab = Lab()
        self.addCleanup(self.lab.close)
        self.ours, self.theirs = self.lab.ends
        self.psk = sh("wg", "genpsk").strip()

    def start(self, ours=None, theirs=None):
        self.theirs.start("wireguard-go", self.ours, **{"psk": self.psk, **(theirs or {})})
        self.ours.start("bonus", self.theirs, **{"psk": self.psk, **(ours or {})})

    def handshake_time(self):
        return int(self.theirs.run("wg", "show", self.theirs.dev, "latest-handshakes").split()[1])

    def works(self, start, to, timeout=30):
        wait_for(f"a ping from {start.dev}", lambda: start.ping(to, count=1, deadline=1) == 1, timeout)

    def carries_data(self):
        """TCP both ways, UDP, both families, and packets of every size up to the MTU."""
        server = self.lab.serve_iperf(self.theirs)
        for to in (self.theirs.inner4, self.theirs.inner6):
            for extra in ((), ("-R",)):
                report = self.ours.iperf(to, 2, extra)
                self.assertGreater(report["end"]["sum_received"]["bytes"], 10_000_000, extra)
        report = self.ours.iperf(self.theirs.inner6, 2, ("-u", "-b", "50M", "-l", "1300"))
        self.assertLess(report["end"]["sum"]["lost_percent"], 5)
        server.terminate()
        for to, header in ((self.theirs.inner4, 28), (self.theirs.inner6, 48)):
            for size in (0, 1, 15, 16, 17, 100, 555, 1420 - header):
                self.assertEqual(self.ours.ping(to, 1, size=size, extra=("-M", "do")), 1, size)
                self.assertEqual(self.theirs.ping(to.replace("8.0.2", "8.0.1").replace("8::2", "8::1"), 1, size=size, extra=("-M", "do")), 1, size)
            self.assertEqual(self.ours.ping(to, 1, size=1421 - header, extra=("-M", "do"), deadline=1), 0)
            self.assertEqual(self.ours.ping(to, 1, size=4000), 1, "fragments")
        self.assertEqual(self.ours.counter("authentication"), 0)

    def test_we_initiate(self):
        self.start(theirs={"endpoint": False})
        self.works(self.ours, self.theirs.inner4)
        self.assertGreater(self.handshake_time(), 0)
        self.carries_data()

    def test_they_initiate(self):
        self.start(ours={"endpoint": False})
        self.works(self.theirs, self.ours.inner6)
        self.assertGreater(self.handshake_time(), 0)
        self.carries_data()

    def test_without_offloads(self):
        self.start(ours={"args": ("--no-offload",)})
        self.works(self.ours, self.theirs.inner4)
        self.carries_data()

    def test_between_two_of_ours(self):
        self.theirs.start("bonus", self.ours, psk=self.psk)
        self.ours.start("bonus", self.theirs, psk=self.psk)
        self.works(self.ours, self.theirs.inner4)
        self.carries_data()

    def test_a_wrong_preshared_key_is_no_session(self):
        self.start(ours={"psk": sh("wg", "genpsk").strip()})
        self.assertEqual(self.ours.ping(self.theirs.inner4, 3, deadline=4), 0)
        self.assertEqual(self.theirs.ping(self.ours.inner4, 3, deadline=4), 0)
        self.assertEqual(self.handshake_time(), 0)

    def test_either_end_restarts(self):
        self.start()
        self.works(self.ours, self.theirs.inner4)
        self.assertEqual(self.ours.stop(), 0, "SIGTERM ends it cleanly")
        self.assertNotIn(self.ours.dev, self.ours.ip("link"), "the interface goes with it")
        self.ours.start("bonus", self.theirs, psk=self.psk)
        self.works(self.ours, self.theirs.inner4)
        self.theirs.stop()
        self.theirs.start("wireguard-go", self.ours, psk=self.psk)
        # Ours has a session that the other end forgot: after 15 s without an answer it makes a new one.
        self.works(self.ours, self.theirs.inner4, timeout=40)
        self.assertGreaterEqual(self.ours.counter("completed"), 2)

    def test_roaming_is_followed(self):
        """Ours moves to another address; wireguard-go, which sticks to a source address, to another port."""
        def readdress():
            self.ours.ip("address", "del", f"{self.ours.underlay}/24", "dev", "ul")
            self.ours.underlay = "10.9.0.11"
            self.ours.ip("address", "add", f"{self.ours.underlay}/24", "dev", "ul")

        def change_port():
            self.theirs.run("wg", "set", self.theirs.dev, "listen-port", "51999")

        self.start()
        self.works(self.ours, self.theirs.inner4)
        for mover, other, move in ((self.theirs, self.ours, change_port), (self.ours, self.theirs, readdress)):
            flow = mover.popen("ping", "-n", "-c", "60", "-i", "0.05", other.inner4, stdout=subprocess.PIPE, text=True)
            time.sleep(0.7)
            move()
            out = flow.communicate(timeout=30)[0]
            self.assertGreaterEqual(int(out.split(" received")[0].split()[-1]), 50, out)
            self.works(other, mover.inner4)
        self.assertIn(f"endpoint: {self.theirs.underlay}:51999", self.ours.status())
        self.assertIn(self.ours.underlay, self.theirs.run("wg", "show", self.theirs.dev, "endpoints"))

    def test_a_path_smaller_than_the_tunnel(self):
        self.start()
        self.works(self.ours, self.theirs.inner4)
        for end in self.lab.ends:
            end.ip("link", "set", "ul", "mtu", 1300)
        self.lab.serve_iperf(self.theirs)
        for extra in ((), ("-R",)):
            self.assertGreater(self.ours.iperf(self.theirs.inner6, 2, extra)["end"]["sum_received"]["bytes"], 1_000_000)

    def test_replays_forgeries_and_foreign_sources_are_dropped(self):
        self.start()
        self.works(self.ours, self.theirs.inner4)
        sniffer = packet_socket(self.ours)
        self.addCleanup(sniffer.close)
        flow = self.theirs.popen("ping", "-n", "-c", "20", "-i", "0.05", "-p", MARK[:16].hex(), self.ours.inner4, stdout=subprocess.DEVNULL)
        frames = [f for f in capture(sniffer, 2) if wireguard_payload(f)]
        flow.wait(10)
        self.assertGreater(len(frames), 20)
        self.assertFalse(any(MARK[:16] in f for f in frames), "plaintext on the underlay")
        mac = bytes.fromhex(self.theirs.ip("link", "show", "dev", "ul").split("link/ether ")[1].split()[0].replace(":", ""))
        towards_us = [f for f in frames if f[6:12] == mac and wireguard_payload(f)[0] == 4]
        self.assertGreater(len(towards_us), 10)
        sender = packet_socket(self.theirs)
        self.addCleanup(sender.close)
        before = self.ours.counter("replay")
        for frame in towards_us:  # checksums on a veth are not finished; zero means none (RFC 768)
            sender.send(frame[:40] + b"\0\0" + frame[42:])
        wait_for("the replays to be counted", lambda: self.ours.counter("replay") >= before + len(towards_us))
        before = self.ours.counter("authentication")
        for frame in towards_us:
            forged = bytearray(frame)
            forged[40:42] = b"\0\0"
            forged[42 + 20] ^= 1
            sender.send(forged)
        wait_for("the forgeries to be counted", lambda: self.ours.counter("authentication") >= before + len(towards_us))
        for size in (0, 1, 3, 4, 15, 31, 32, 147, 148, 149, 1400):
            for kind in (1, 2, 3, 4, 5, 0xB0):
                body = bytes([kind]) + bytes(max(size - 1, 0))
                header = bytearray(towards_us[0][:42])
                struct.pack_into("!H", header, 16, 28 + len(body))
                struct.pack_into("!H", header, 24, 0)
                total = sum(struct.unpack("!10H", header[14:34]))
                struct.pack_into("!H", header, 24, ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF)
                struct.pack_into("!HH", header, 38, 8 + len(body), 0)
                sender.send(bytes(header) + body)
        self.theirs.ip("address", "add", "10.8.0.77/32", "dev", self.theirs.dev)
        before = self.ours.counter("source")
        self.assertEqual(self.theirs.ping(self.ours.inner4, 3, deadline=2, extra=("-I", "10.8.0.77")), 0)
        self.assertGreaterEqual(self.ours.counter("source"), before + 1)
        self.assertEqual(self.ours.ping(self.theirs.inner4, 3), 3, "nothing of this has disturbed the session")

    @unittest.skipUnless(os.environ.get("BONUS_LONG"), "BONUS_LONG is not set")
    def test_rekeying_loses_nothing(self):
        for starter in (self.ours, self.theirs):
            with self.subTest(starter.dev):
                self.start()
                self.works(starter, (self.theirs if starter is self.ours else self.ours).inner4)
                first = self.handshake_time()
                other = self.theirs if starter is self.ours else self.ours
                self.assertEqual(starter.ping(other.inner4, 1350, interval=0.1, deadline=400), 1350)
                self.assertGreater(self.handshake_time(), first + 100)
                for end in self.lab.ends:
                    end.stop()

    def test_errors_name_what_is_wrong(self):
        binary = tunnel_lab.BIN / "bonus-tunnel"
        bad = self.lab.dir / "bad.conf"
        bad.write_text("[Interface]\nPrivateKey = nonsense\n")
        for argv, expected in (((binary, "-i", "x", bad), "bad.conf:2"), ((binary, "-i", "x", "/nonexistent"), "/nonexistent"),
                               ((binary, "-i", "much-too-long-a-name", "/dev/null"), ""), ((binary,), "--interface")):
            result = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=20)
            self.assertNotEqual(result.returncode, 0)
            self.assertIn(expected, result.stderr)
        self.assertIn("--interface", sh(binary, "--help"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
