"""Contracts on a devnet with the tools that developers have: ethers, viem, cast, forge; and a contract that rents a container.

BONUS_RPC=URL runs all but the container against that node instead (anvil during development); its chain must fund account 0 of the
development phrase. The clients' tests run side by side, each paid by an account of its own: most of the time is waiting for blocks.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support import images  # noqa: E402
from support.devnet import MNEMONIC, ROOT, WEI, DevnetCase, main, run, wait_for  # noqa: E402

E2E = ROOT / "tests/e2e"
CONTRACTS = ROOT / "contracts"
NODE = os.environ.get("BONUS_RPC")
PROGRAMS = E2E / "node_modules/@foundry-rs"
# The programs themselves, not npm's wrappers, which hide their exit codes.
CAST = next(PROGRAMS.glob("cast-linux-*/bin/cast"), "cast")
FORGE = next(PROGRAMS.glob("forge-linux-*/bin/forge"), "forge")
FAUCETS = {"ethers": 5001, "auction": 5002, "viem": 5003, "rent": 5004, "cast": 5005, "forge": 5006}
CLIENT_LIMIT_S = 240  # of a client's whole file
TRANSFER = "Transfer(address indexed,address indexed,uint256)"


def key_of(index):
    return run([CAST, "wallet", "private-key", "--mnemonic", MNEMONIC, "--mnemonic-index", index]).stdout.strip()


class Client:
    """`node --test` on one file, running beside the others."""

    def __init__(self, name, folder, env):
        self.name = name
        self.log = folder / f"{name}.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["node", "--test", "--test-reporter=spec", E2E / f"evm_{name}.test.mjs"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                env={**os.environ, **env, "BONUS_FAUCET_INDEX": str(FAUCETS[name]), "NO_COLOR": "1"})

    def result(self):
        code = self.process.wait(timeout=CLIENT_LIMIT_S)
        return code, self.log.read_text(errors="replace")[-12_000:]

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Evm(DevnetCase):
    @classmethod
    def setUpClass(cls):
        cls.work = pathlib.Path(tempfile.mkdtemp(prefix="bonus-evm-"))
        cls.addClassCleanup(shutil.rmtree, cls.work, ignore_errors=True)
        for folder in (CONTRACTS, E2E):
            run([ROOT / "tools/dev/npm_ci", folder])
        cls.artifacts = cls.work / "artifacts"
        run(["node", CONTRACTS / "build_examples.mjs", cls.artifacts])
        cls.keys = {name: key_of(index) for name, index in FAUCETS.items()}
        cls.addresses = {name: run([CAST, "wallet", "address", key]).stdout.strip() for name, key in cls.keys.items()}
        env = {"BONUS_ARTIFACTS": str(cls.artifacts), "BONUS_MNEMONIC": MNEMONIC}
        names = ["ethers", "auction", "viem"]
        if NODE:
            cls.url, cls.failed = NODE, False
        else:
            super().setUpClass()
            status = cls.net.status()
            cls.url = status["nodes"][0]["rpc"]
            image = cls.net.dir / "web"
            digest = images.web_image(image)
            cls.net.bonus("image", "push", image, "web:1")
            env |= {"BONUS_API": status["nodes"][0]["api"], "BONUS_GATEWAY": status["gateway"], "BONUS_IMAGE": "web:1", "BONUS_IMAGE_DIGEST": digest}
            names.append("rent")
        env["BONUS_RPC"] = cls.url
        cls.fund()
        cls.clients = {}
        for name in names:
            cls.clients[name] = Client(name, cls.work, env)
            cls.addClassCleanup(cls.clients[name].end)

    @classmethod
    def fund(cls):
        nonce = int(cls.cast("nonce", run([CAST, "wallet", "address", "--mnemonic", MNEMONIC]).stdout.strip()))
        for offset, address in enumerate(cls.addresses.values()):
            cls.cast("send", "--mnemonic", MNEMONIC, "--async", "--nonce", nonce + offset, address, "--value", "1500ether")
        wait_for("the clients' accounts to have money", lambda: all(int(cls.cast("balance", address)) > 0 for address in cls.addresses.values()))

    @classmethod
    def cast(cls, command, *args, check=True):
        done = run([CAST, command, "--rpc-url", cls.url, *args], check=check)
        return done.stdout.strip() if check else done

    def send(self, *args):
        """A transaction of the cast account; its receipt, which says success."""
        receipt = json.loads(self.cast("send", "--json", "--private-key", self.keys["cast"], *args))
        self.assertEqual(receipt["status"], "0x1", receipt)
        return receipt

    def artifact(self, name):
        return json.loads((self.artifacts / f"{name}.json").read_text())

    def create(self, name, signature="", *args):
        """Deploys with cast; the address."""
        code = self.artifact(name)["bytecode"]
        if signature:
            code += run([CAST, "abi-encode", signature, *args]).stdout.strip()[2:]
        return self.send("--create", code)["contractAddress"]

    def forge(self, command, *args, env=None, check=True):
        folders = {"FOUNDRY_SOLC": CONTRACTS / "solc_for_forge.mjs", "FOUNDRY_OUT": self.work / "forge", "FOUNDRY_CACHE_PATH": self.work / "forge-cache",
                   "FOUNDRY_BROADCAST": self.work / "broadcast", "HOME": self.work, "NO_COLOR": "1", "FOUNDRY_DISABLE_NIGHTLY_WARNING": "1"}
        return run([FORGE, command, "--root", CONTRACTS, *args], check=check, env={**{name: str(path) for name, path in folders.items()}, **(env or {})})

    # ---------------------------------------------------------------- cast

    def test_1_cast_deploys_calls_and_looks_inside(self):
        me = self.addresses["cast"]
        to = "0x00000000000000000000000000000000000000c7"
        token = self.create("ExampleToken", "constructor(string,string,uint256)", "Cast", "CST", 1000)
        self.assertEqual(self.cast("code", token), self.artifact("ExampleToken")["deployedBytecode"])
        self.assertEqual(self.cast("codehash", token), run([CAST, "keccak", self.artifact("ExampleToken")["deployedBytecode"]]).stdout.strip())
        self.assertEqual(self.cast("call", token, "symbol()(string)"), '"CST"')
        estimate = int(self.cast("estimate", "--from", me, token, "transfer(address,uint256)", to, 10))
        receipt = self.send(token, "transfer(address,uint256)", to, 10)
        self.assertGreaterEqual(estimate, int(receipt["gasUsed"], 16))
        self.assertEqual(self.cast("call", token, "balanceOf(address)(uint256)", to), "10")
        slot = run([CAST, "index", "address", to, 3]).stdout.strip()
        self.assertEqual(int(self.cast("storage", token, slot), 16), 10)
        logs = json.loads(self.cast("logs", "--json", "--from-block", int(receipt["blockNumber"], 16), "--to-block", int(receipt["blockNumber"], 16),
                                    "--address", token, TRANSFER))
        self.assertEqual([(log["transactionHash"], int(log["data"], 16)) for log in logs], [(receipt["transactionHash"], 10)])
        again = json.loads(self.cast("rpc", "eth_getTransactionReceipt", receipt["transactionHash"]))
        self.assertEqual((again["blockHash"], again["gasUsed"], len(again["logs"])), (receipt["blockHash"], receipt["gasUsed"], 1))
        proof = json.loads(self.cast("proof", token, slot))
        self.assertEqual(int(proof["storageProof"][0]["value"], 16), 10)
        listed = self.cast("access-list", "--from", me, token, "transfer(address,uint256)", to, 1)
        self.assertIn(slot[2:], listed)

    def test_2_cast_shows_why_a_call_fails(self):
        failing = self.create("Failures")
        self.assertIn("the reason", self.cast("call", failing, "withReason()", check=False).stderr)
        custom = self.cast("call", failing, "withCustomError()", check=False)
        self.assertNotEqual(custom.returncode, 0)
        self.assertIn(run([CAST, "sig", "Custom(uint256,string)"]).stdout.strip()[2:], custom.stderr)
        refused = self.cast("send", "--private-key", self.keys["cast"], failing, "withReason()", check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("execution reverted: the reason", refused.stderr)
        mined = self.cast("send", "--json", "--private-key", self.keys["cast"], "--gas-limit", 100_000, failing, "withReason()", check=False)
        self.assertEqual(json.loads(mined.stdout)["status"], "0x0")

    def test_3_cast_delegates_an_account(self):
        account = self.addresses["cast"]
        batch = self.create("BatchAccount")
        calls = "[(0x00000000000000000000000000000000000000c8,5,0x),(0x00000000000000000000000000000000000000c9,6,0x)]"
        receipt = self.send("--auth", batch, account, "execute((address,uint256,bytes)[])", calls)
        self.assertEqual(int(receipt["type"], 16), 4)
        self.assertEqual(self.cast("code", account), "0xef0100" + batch[2:].lower())
        self.assertEqual(int(self.cast("balance", "0x00000000000000000000000000000000000000c9")), 6)
        self.send("--auth", "0x" + "00" * 20, account)
        self.assertEqual(self.cast("code", account), "0x")

    # ---------------------------------------------------------------- forge

    def test_4_forge_creates_and_tests_on_a_fork(self):
        created = self.forge("create", "--rpc-url", self.url, "--private-key", self.keys["forge"], "--broadcast", "--json",
                             "examples/ExampleToken.sol:ExampleToken", "--constructor-args", "Forge", "FRG", 12345)
        token = json.loads(created.stdout[created.stdout.index("{"):])["deployedTo"]
        self.assertEqual(self.cast("call", token, "totalSupply()(uint256)").split()[0], "12345")
        tested = self.forge("test", "--fork-url", self.url, "--no-storage-caching", "--fuzz-runs", 32,
                            env={"TOKEN": token, "HOLDER": self.addresses["forge"], "BALANCE": "12345", "CHAIN_ID": self.cast("chain-id")})
        self.assertRegex(tested.stdout, r"\[PASS\] test_ReadsAndUsesTheForkedChain")
        self.assertRegex(tested.stdout, r"\d+ tests passed, 0 failed, 0 skipped")

    def test_5_forge_script_sends_its_transactions(self):
        done = self.forge("script", f"{CONTRACTS}/test/Deploy.s.sol:Deploy", "--rpc-url", self.url, "--private-key", self.keys["forge"], "--broadcast", "--slow", "--non-interactive")
        self.assertIn("ONCHAIN EXECUTION COMPLETE & SUCCESSFUL", done.stdout)
        token, art = re.search(r"token: contract \S+ (0x\w{40})", done.stdout), re.search(r"art: contract \S+ (0x\w{40})", done.stdout)
        self.assertTrue(token and art, done.stdout)
        self.assertEqual(self.cast("call", token[1], "balanceOf(address)(uint256)", "0x00000000000000000000000000000000000000c1").split()[0], str(7 * WEI))
        self.assertEqual(int(self.cast("call", art[1], "ownerOf(uint256)(address)", 1), 16), 0xC1)

    # ---------------------------------------------------------------- the clients' own tests

    def check_client(self, name):
        code, text = self.clients[name].result()
        self.assertEqual(code, 0, text)
        passed = re.search(r"^\S* ?pass (\d+)$", text, re.M)
        self.assertTrue(passed and int(passed[1]) > 0, text)
        self.assertRegex(text, r"(?m)^\S* ?skipped 0$")

    def test_6_viem(self):
        self.check_client("viem")

    @unittest.skipIf(NODE, "needs a worker")
    def test_7_a_contract_rents_a_container(self):
        self.check_client("rent")

    def test_8_ethers(self):
        self.check_client("ethers")

    def test_9_name_auction(self):
        self.check_client("auction")


if __name__ == "__main__":
    main()
