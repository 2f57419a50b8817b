"""Two network namespaces joined by a veth pair, with a WireGuard tunnel over it: bonus-tunnel or wireguard-go at either end.

Used by tests/e2e/tunnel_test.py and bench/tunnel_vs_wireguard_go. Nothing outside the namespaces is touched; close() removes
them and ends every process that was started.
"""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("BONUS_BIN", ROOT / "build/release/bin"))
PORT = 51820
_labs = 0


def missing():
    """Why the lab cannot be built here; empty when it can."""
    for tool in ("ip", "wg", "ping", "iperf3"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    if not os.path.exists("/dev/net/tun"):
        return "there is no /dev/net/tun"
    probe = f"bnt-{os.getpid()}-probe"
    if subprocess.run(["ip", "netns", "add", probe], capture_output=True).returncode != 0:
        return "network namespaces cannot be made here"
    subprocess.run(["ip", "netns", "del", probe], capture_output=True)
    return ""


def sh(*argv, check=True, timeout=60, stdin=None):
    result = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=timeout, input=stdin)
    if check and result.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, argv))}\nexit {result.returncode}\n{result.stdout}{result.stderr}")
    return result.stdout


def wait_for(what, condition, timeout=30, interval=0.1):
    end = time.monotonic() + timeout
    last = None
    while time.monotonic() < end:
        last = condition()
        if last:
            return last
        time.sleep(interval)
    raise AssertionError(f"waited {timeout} s in vain for {what}; last: {last!r}")


def keypair():
    private = sh("wg", "genkey").strip()
    return private, sh("wg", "pubkey", stdin=private).strip()


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class End:
    """One side: a namespace, its underlay and inner addresses, and the tunnel process of some `kind`."""

    def __init__(self, lab, number):
        self.lab, self.number = lab, number
        self.ns = f"bnt-{os.getpid()}-{lab.serial}{'ab'[number - 1]}"
        self.dev = f"bt{os.getpid() % 100000}{lab.serial}{'ab'[number - 1]}"
        self.underlay = f"10.9.0.{number}"
        self.inner4, self.inner6 = f"10.8.0.{number}", f"fd00:8::{number}"
        self.private, self.public = keypair()
        self.process = self.kind = self.log = None
        self.extra_config = ""  # more peers, for example
        sh("ip", "netns", "add", self.ns)
        sh("nsenter", f"--net=/run/netns/{self.ns}", "ip", "link", "set", "lo", "up")

    def ip(self, *argv):
        return sh("nsenter", f"--net=/run/netns/{self.ns}", "ip", *argv)

    def run(self, *argv, check=True, timeout=60):
        return sh("nsenter", f"--net=/run/netns/{self.ns}", *argv, check=check, timeout=timeout)

    def popen(self, *argv, **options):
        process = subprocess.Popen(["nsenter", f"--net=/run/netns/{self.ns}", *map(str, argv)], **options)
        self.lab.processes.append(process)
        return process

    def start(self, kind, peer, *, endpoint=True, psk="", keepalive=0, mtu=1420, args=(), wireguard_go="wireguard-go", port=PORT):
        """kind: 'bonus' or 'wireguard-go'. Returns when the interface is up."""
        self.kind, self.log = kind, self.lab.dir / f"{self.dev}-{time.monotonic_ns()}.log"
        lines = ["[Interface]", f"PrivateKey = {self.private}", f"ListenPort = {port}"]
        if kind == "bonus":
            lines += [f"Address = {self.inner4}/24, {self.inner6}/64", f"MTU = {mtu}"]
        lines += ["[Peer]", f"PublicKey = {peer.public}", f"AllowedIPs = {peer.inner4}/32, {peer.inner6}/128"]
        lines += [f"PresharedKey = {psk}"] if psk else []
        lines += [f"Endpoint = {peer.underlay}:{PORT}"] if endpoint else []
        lines += [f"PersistentKeepalive = {keepalive}"] if keepalive else []
        config = self.lab.dir / f"{self.dev}.conf"
        config.write_text("\n".join(lines) + "\n" + self.extra_config)
        config.chmod(0o600)
        if kind == "bonus":
            argv, environment = [BIN / "bonus-tunnel", "--interface", self.dev, *args, config], os.environ
        else:
            argv, environment = [wireguard_go, "-f", self.dev], {**os.environ, "WG_PROCESS_FOREGROUND": "1", "LOG_LEVEL": "error"}
        with open(self.log, "wb") as out:
            self.process = self.popen(*argv, stdout=out, stderr=out, env=environment)
        if kind == "bonus":
            wait_for("bonus-tunnel", lambda: self._alive() and "tunnel up" in self.text())
            return
        socket = pathlib.Path(f"/var/run/wireguard/{self.dev}.sock")
        wait_for("wireguard-go", lambda: self._alive() and socket.exists())
        self.run("wg", "setconf", self.dev, config)
        self.ip("address", "add", f"{self.inner4}/24", "dev", self.dev)
        self.ip("address", "add", f"{self.inner6}/64", "dev", self.dev, "nodad")
        self.ip("link", "set", self.dev, "mtu", mtu, "up")

    def _alive(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.kind} ended with {self.process.returncode}: {self.text()}")
        return True

    def text(self):
        return self.log.read_text(errors="replace") if self.log and self.log.exists() else ""

    def stop(self, sig=signal.SIGTERM):
        self.process.send_signal(sig)
        self.process.wait(20)
        code, self.process = self.process.returncode, None
        return code

    def status(self):
        """What SIGUSR1 makes bonus-tunnel print, anew."""
        before = len(self.text())
        self.process.send_signal(signal.SIGUSR1)
        return wait_for("the status", lambda: (lambda t: t if re.search(r"too big\n", t) else "")(self.text()[before:]))

    def counter(self, words):
        """The sum of the status' numbers before these words: counter('replay')."""
        return sum(int(n) for n in re.findall(rf"(\d+) {words}\b", self.status()))

    def ping(self, to, count=3, interval=0.2, size=56, deadline=10, extra=()):
        """Replies received."""
        out = self.run("ping", "-n", "-c", count, "-i", interval, "-s", size, "-w", deadline, *extra, to, check=False, timeout=deadline + 10)
        found = re.search(r"(\d+) received", out)
        return int(found.group(1)) if found else 0

    def rtt_us(self, to, count=200, interval=0.005):
        """Round-trip times in microseconds, sorted; the first few, which may wait for a handshake, are left out."""
        out = self.run("ping", "-n", "-c", count, "-i", interval, to, check=False, timeout=60)
        return sorted(float(t) * 1000 for t in re.findall(r"time=([\d.]+) ms", out)[5:])

    def iperf(self, to, seconds=2, extra=()):
        """iperf3's own report; the server runs at the other end and may be busy with its last client for a moment."""
        for _ in range(5):
            report = json.loads(self.run("iperf3", "-J", "-c", to, "-t", seconds, *extra, check=False, timeout=seconds + 40))
            if "error" not in report:
                return report
            time.sleep(1)
        raise AssertionError(report["error"])


class Lab:
    def __init__(self, mtu=1500):
        global _labs
        _labs += 1
        self.serial, self.processes = _labs, []
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="bonus-tunnel-"))
        self.ends = []
        try:
            self.ends = [End(self, 1)]
            self.ends.append(End(self, 2))
            a, b = self.ends
            sh("ip", "link", "add", "ul", "netns", a.ns, "mtu", mtu, "type", "veth", "peer", "name", "ul", "netns", b.ns, "mtu", mtu)
            for end in self.ends:
                end.ip("address", "add", f"{end.underlay}/24", "dev", "ul")
                end.ip("link", "set", "ul", "up")
        except BaseException:
            self.close()
            raise

    def serve_iperf(self, end):
        server = end.popen("iperf3", "-s", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("iperf3", lambda: ":5201 " in end.run("ss", "-tln"))
        return server

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for end in self.ends:
            subprocess.run(["ip", "netns", "del", end.ns], capture_output=True)
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
