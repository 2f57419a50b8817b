"""Names on a devnet: registered, killed half-way and gone on with, given records and given away from the command line; read and used by cast,
ethers and a contract."""
import ipaddress
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support.devnet import BIN, MNEMONIC, ROOT, WEI, DevnetCase, main, run  # noqa: E402

E2E = ROOT / "tests/e2e"
CAST = next((E2E / "node_modules/@foundry-rs").glob("cast-linux-*/bin/cast"), "cast")
NAMES = "0x000000000000000000000000000000000000b005"
FOUNDATION_INDEX = 1000


class Names(DevnetCase):
    nodes = 1

    @classmethod
    def setUpClass(cls):
        for folder in (ROOT / "contracts", E2E):
            run([ROOT / "tools/dev/npm_ci", folder])
        cls.artifacts = pathlib.Path(tempfile.mkdtemp(prefix="bonus-names-"))
        cls.addClassCleanup(shutil.rmtree, cls.artifacts, ignore_errors=True)
        compiler = subprocess.Popen(["node", ROOT / "contracts/build_examples.mjs", cls.artifacts, "examples"], stdout=subprocess.DEVNULL)
        cls.addClassCleanup(compiler.wait)
        super().setUpClass()
        if compiler.wait(timeout=120) != 0:
            raise AssertionError("the examples do not compile")
        cls.url = cls.net.status()["nodes"][0]["rpc"]

    def cast(self, signature, *args):
        return run([CAST, "call", "--rpc-url", self.url, NAMES, signature, *args]).stdout.strip()

    def account(self, index):
        return run([CAST, "wallet", "address", "--mnemonic", MNEMONIC, "--mnemonic-index", index]).stdout.strip()

    def registrations(self):
        folder = self.net.dir / "net/registrations"
        return list(folder.iterdir()) if folder.is_dir() else []

    def test_1_register_killed_and_gone_on_with(self):
        price = self.net.json("name", "price", "alice", "--for", "2y")
        self.assertEqual((price["price"], price["available"]), (str(10 * WEI), True))
        foundation = self.account(FOUNDATION_INDEX)
        before = self.net.balance(foundation)
        process = subprocess.Popen([BIN / "bonus", "name", "register", "alice.bonus", "--for", "2y"], env={**os.environ, **self.net.env},
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        # Kill it when the commitment is in a block and its age is waited for.
        for line in process.stderr:
            if "older" in line:
                process.send_signal(signal.SIGKILL)
                break
        process.stderr.close()
        self.assertEqual(process.wait(timeout=60), -signal.SIGKILL, "it should have been killed half-way")
        self.assertEqual(len(self.registrations()), 1)
        self.assertEqual(self.registrations()[0].stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.net.balance(foundation), before)
        done = self.net.json("name", "register", "alice")
        self.assertEqual((done["resumed"], done["name"], done["state"], done["paid"]), (True, "alice.bonus", "live", str(10 * WEI)))
        self.assertEqual(self.registrations(), [])
        self.assertEqual(self.net.balance(foundation), before + 10 * WEI)
        self.assertEqual(self.cast("owner(string)(address)", "alice"), done["owner"])
        again = self.net.bonus("name", "register", "alice", check=False)
        self.assertEqual(again.returncode, 1)
        self.assertIn("registered for this account already", again.stderr)

    def test_2_records(self):
        self.net.bonus("name", "set", "alice.bonus", "AAAA", "fd00::1")
        self.net.bonus("name", "set", "alice.bonus", "AAAA", "fd00::2", "--add", "--ttl", "60")
        self.net.bonus("name", "set", "www.alice.bonus", "ALIAS", "lease-42.bonus")
        self.net.bonus("name", "set", "_http._tcp.alice.bonus", "SRV", "0", "5", "80", "www.alice.bonus")
        self.net.bonus("name", "set", "alice", "TXT", "hello", "there")
        records = [(r["name"], r["type"], r["ttl"], r["value"]) for r in self.net.json("name", "records", "alice")["records"]]
        self.assertEqual(records, [
            ("alice.bonus", "AAAA", 60, "fd00::1"), ("alice.bonus", "AAAA", 60, "fd00::2"), ("alice.bonus", "TXT", 300, '"hello there"'),
            ("_http._tcp.alice.bonus", "SRV", 300, "0 5 80 www.alice.bonus"), ("www.alice.bonus", "ALIAS", 300, "lease-42.bonus")])
        self.net.bonus("name", "unset", "alice.bonus", "AAAA")
        self.assertEqual(len(self.net.json("name", "show", "alice")["records"]), 3)
        self.assertTrue(self.cast("records(string)(bytes)", "alice").startswith("0x0103"))
        self.assertIn("www.alice.bonus", self.net.bonus("name", "show", "alice").stdout)
        refused = self.net.bonus("name", "set", "www.alice.bonus", "AAAA", "fd00::3", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("ALIAS", refused.stderr)

    def test_3_reverse_name_by_the_nodes_consent(self):
        key = next((self.net.dir / "net").glob("node-1/node.key"))
        done = self.net.json("name", "reverse", "alice", "--key-file", key)
        address = "0x" + ipaddress.ip_address(done["address"]).packed.hex()
        self.assertEqual(self.cast("reverse(bytes16)(string)", address), '"alice"')
        self.net.bonus("name", "reverse", "alice", "--key-file", key, "--clear")
        self.assertEqual(self.cast("reverse(bytes16)(string)", address), '""')

    def test_4_ethers_and_a_contract(self):
        done = run(["node", E2E / "names_client.mjs", self.url, MNEMONIC, self.artifacts, "alice"])
        self.assertIn("names: ok", done.stdout)

    def test_5_renewed_by_anybody_and_given_away(self):
        key = run([CAST, "wallet", "private-key", "--mnemonic", MNEMONIC, "--mnemonic-index", 1]).stdout.strip()
        self.net.bonus("wallet", "import", "second", "-", "--no-password", stdin=key + "\n")
        expires = self.net.json("name", "show", "alice")["expires"]
        self.assertEqual(self.net.json("name", "renew", "alice", "--for", "10d", "--wallet", "second")["expires"], expires + 10 * 86400)
        refused = self.net.bonus("name", "unset", "alice", "TXT", "--wallet", "second", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("only the owner", refused.stderr)
        to = self.account(1)
        self.net.bonus("name", "transfer", "alice", to)
        self.assertEqual([n["name"] for n in self.net.json("name", "list", to)["names"]], ["alice.bonus", "ethers.bonus"])
        self.assertEqual(self.net.json("name", "list")["names"], [])
        self.net.bonus("name", "unset", "alice", "TXT", "--wallet", "second")
        free = self.net.bonus("name", "show", "nobody-has-this")
        self.assertIn("is free", free.stdout)
        self.assertEqual(self.net.bonus("name", "records", "nobody-has-this", check=False).returncode, 3)


if __name__ == "__main__":
    main()
