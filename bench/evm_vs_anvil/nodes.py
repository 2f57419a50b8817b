"""The two nodes side by side: starting and stopping them, asking them, reading their CPU time."""
import http.client
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from support.devnet import BIN, MNEMONIC, CommandFailed, Devnet, run, wait_for  # noqa: E402,F401: run looks for them here

ANVIL = HERE / "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"
CHAIN_ID = 7777  # of a devnet; anvil is told to have the same, so that both take the same signed transactions
RICH = 10**24


def command(argv, timeout=120):
    """What a program prints; its failure is an exception that shows what it said."""
    return run(argv, timeout=timeout).stdout


def cpu_s(pid):
    """CPU seconds of all threads of a process, ended ones included, in nanoseconds' resolution: the clock that
    clock_getcpuclockid(3) names, which is utime + stime of /proc/PID/stat without its ticks of 10 ms."""
    return time.clock_gettime((~pid << 3) | 2)


class Failed(Exception):
    """A node answered what makes the comparison void."""


class Client:
    """JSON-RPC over one kept connection. Not for several threads."""

    def __init__(self, url, timeout=120):
        self.address = urllib.parse.urlsplit(url).netloc
        self.timeout = timeout
        self.connection = http.client.HTTPConnection(self.address, timeout=timeout)

    def post(self, body):
        self.connection.request("POST", "/", json.dumps(body).encode(), {"Content-Type": "application/json"})
        return json.loads(self.connection.getresponse().read())

    def call(self, method, *params):
        answer = self.post({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        if "error" in answer:
            raise Failed(f"{method} at {self.address}: {answer['error']}")
        return answer["result"]

    def batch(self, method, params):
        """Results of one call for each list in `params`, in one request."""
        answers = self.post([{"jsonrpc": "2.0", "id": i, "method": method, "params": one} for i, one in enumerate(params)])
        for answer in answers:
            if "error" in answer:
                raise Failed(f"{method} at {self.address}: {answer['error']}")
        return [answer["result"] for answer in sorted(answers, key=lambda answer: answer["id"])]

    def batches(self, method, params, size=100):
        out = []
        for at in range(0, len(params), size):
            out += self.batch(method, params[at:at + size])
        return out

    def height(self):
        return int(self.call("eth_blockNumber"), 16)


class Anvil:
    """One anvil; `options` are its command line's."""
    name = "anvil"

    def __init__(self, gas_limit, *options):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="bonus-bench-anvil-"))
        self.process = None
        try:
            with (self.dir / "log").open("w") as log:
                self.process = subprocess.Popen(
                    [ANVIL, "--port", "0", "--hardfork", "osaka", "--chain-id", str(CHAIN_ID), "--gas-limit", str(gas_limit),
                     "--cache-path", self.dir, *options],
                    stdout=log, stderr=subprocess.STDOUT, env={**os.environ, "HOME": str(self.dir), "NO_COLOR": "1"})
            found = wait_for("anvil", lambda: re.search(r"Listening on (\S+)", (self.dir / "log").read_text()), timeout=30, interval=0.05)
        except BaseException:
            self.stop()
            raise
        self.urls = ["http://" + found.group(1)]
        self.pids = [self.process.pid]

    @staticmethod
    def version():
        return subprocess.run([ANVIL, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]

    def fund(self, addresses):
        Client(self.urls[0]).batches("anvil_setBalance", [[address, hex(RICH)] for address in addresses])

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


class Bonus:
    """A devnet of `count` nodes whose genesis has the given gas limit and owners. Its own maker decides everything else,
    so it is made, stopped before it did anything of use, and started again from the changed genesis."""
    name = "bonus"

    def __init__(self, count, gas_limit, rich):
        self.net = Devnet(count)
        try:
            folder = self.net.dir / "net"
            self.net.bonus("devnet", "down", "--dir", folder)
            path = folder / "genesis.json"
            genesis = json.loads(path.read_text())
            genesis["gasLimit"] = gas_limit
            genesis["balances"].update({address: str(RICH) for address in rich})
            path.write_text(json.dumps(genesis))
            for data in folder.glob("node-*/data"):
                shutil.rmtree(data)
            self.net.bonus("devnet", "up", "--detach", "--nodes", count, "--dir", folder, timeout=240)
            nodes = self.net.nodes()
        except BaseException:
            self.net.down()
            raise
        self.urls = [node["rpc"] for node in nodes]
        self.pids = [node["pid"] for node in nodes]

    def stop(self):
        self.net.down()
