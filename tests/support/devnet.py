"""A devnet of real bonusd processes for end-to-end tests, driven through the `bonus` command line as a user would.

Every wait has a bound; a failure prints the command, its output and where the logs of the nodes are. No test asserts times.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("BONUS_BIN", ROOT / "build/release/bin"))
MNEMONIC = "test test test test test test test test test test test junk"
DEADLINE_S = 120
WEI = 10**18


class CommandFailed(AssertionError):
    def __init__(self, argv, result):
        super().__init__(f"{' '.join(map(str, argv))}\nexit {result.returncode}\nstdout: {result.stdout[-4000:]}\nstderr: {result.stderr[-4000:]}")
        self.result = result


def run(argv, check=True, timeout=DEADLINE_S, env=None, stdin=None):
    result = subprocess.run([str(part) for part in argv], capture_output=True, text=True, timeout=timeout, input=stdin,
                            env={**os.environ, **(env or {})})
    if check and result.returncode != 0:
        raise CommandFailed(argv, result)
    return result


def wait_for(what, condition, timeout=DEADLINE_S, interval=0.2):
    """Calls `condition` until it returns something true; its last exception or value is part of the failure."""
    end = time.monotonic() + timeout
    last = None
    while time.monotonic() < end:
        try:
            last = condition()
            if last:
                return last
        except (OSError, urllib.error.URLError, CommandFailed, KeyError, ValueError) as error:
            last = error
        time.sleep(interval)
    raise AssertionError(f"waited {timeout} s in vain for: {what}; last: {last!r}")


def http(url, timeout=10, headers=None, method="GET", data=None):
    """(status, headers, body) of one request; an HTTP error is an answer, not an exception."""
    request = urllib.request.Request(url, headers=headers or {}, method=method, data=data)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            return response.status, dict(response.headers), response.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


class Devnet:
    def __init__(self, nodes=4, topology=None):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="bonus-e2e-"))
        self.config_home = self.dir / "config"
        self.env = {"XDG_CONFIG_HOME": str(self.config_home), "HOME": str(self.dir), "NO_COLOR": "1"}
        size = ["--nodes", nodes] if nodes else []  # none: as many as the topology has
        under = ["--topology", topology] if topology else []
        self.bonus("devnet", "up", "--detach", *size, *under, "--dir", self.dir / "net", timeout=240)

    def bonus(self, *args, check=True, timeout=DEADLINE_S, stdin=None):
        return run([BIN / "bonus", *args], check=check, timeout=timeout, env=self.env, stdin=stdin)

    def json(self, *args, timeout=DEADLINE_S):
        return json.loads(self.bonus(*args, "--json", timeout=timeout).stdout)

    def status(self):
        return json.loads(self.bonus("devnet", "status", "--dir", self.dir / "net", "--json").stdout)

    def nodes(self):
        return self.status()["nodes"]

    def gateway(self):
        return self.status()["gateway"]

    def rpc(self, method, *params, node=0, timeout=10):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}).encode()
        url = self.nodes()[node]["rpc"] if isinstance(node, int) else node
        _, _, answer = http(url, timeout=timeout, headers={"Content-Type": "application/json"}, method="POST", data=body)
        answer = json.loads(answer)
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer["result"]

    def height(self, node=0):
        return int(self.rpc("eth_blockNumber", node=node), 16)

    def balance(self, address):
        return int(self.rpc("eth_getBalance", address, "latest"), 16)

    def kill(self, name, with_signal=signal.SIGKILL):
        """Ends one node's daemon by its process id, as devnet status reports it."""
        node = next(node for node in self.nodes() if node["name"] == name)
        os.kill(node["pid"], with_signal)
        wait_for(f"{name} to be gone", lambda: not pathlib.Path(f"/proc/{node['pid']}").exists() or
                 pathlib.Path(f"/proc/{node['pid']}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z")
        return node

    def start(self, name):
        self.bonus("devnet", "node", "start", name, "--dir", self.dir / "net")

    def wire(self, command, *args):
        """`bonus-wire` on the topology under the devnet; JSON."""
        under = self.status()["topology"]
        return json.loads(run([BIN / "bonus-wire", command, *args, "--prefix", under["prefix"], "--tag", under["tag"], "--json"]).stdout)

    def down(self):
        self.bonus("devnet", "down", "--dir", self.dir / "net", check=False)
        shutil.rmtree(self.dir, ignore_errors=True)

    def logs(self, lines=40):
        out = []
        for path in sorted((self.dir / "net").glob("*/log")):
            out.append(f"--- {path}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-lines:]))
        return "\n".join(out)


class DevnetCase(unittest.TestCase):
    """One devnet for all tests of a class; tests run in the order of their names."""
    nodes = 4
    topology = None
    net: Devnet

    @classmethod
    def setUpClass(cls):
        cls.failed = False
        cls.net = Devnet(cls.nodes, cls.topology)
        cls.addClassCleanup(cls._finish)

    @classmethod
    def _finish(cls):
        if cls.failed and hasattr(cls, "net"):
            print(cls.net.logs(), file=sys.stderr)
        cls.net.down()

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            type(self).failed = True


def main():
    if os.geteuid() != 0:
        print("end-to-end tests start containers and need root", file=sys.stderr)
        sys.exit(1)
    unittest.main(verbosity=2, failfast=True)
