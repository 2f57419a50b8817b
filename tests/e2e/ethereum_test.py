"""Ethereum's own tools against a devnet: ethers, cast, and the system contracts through their ABI."""
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support.devnet import MNEMONIC, ROOT, WEI, DevnetCase, main, run, wait_for  # noqa: E402

# The program itself, not npm's wrapper, which hides its exit code.
CAST = next((ROOT / "tests/e2e/node_modules/@foundry-rs").glob("cast-linux-*/bin/cast"), "cast")
USER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"


class Ethereum(DevnetCase):
    def url(self):
        return self.net.nodes()[0]["rpc"]

    def test_1_cast_sends_value(self):
        to = "0x00000000000000000000000000000000000000c1"
        run([CAST, "send", "--rpc-url", self.url(), "--mnemonic", MNEMONIC, to, "--value", "1.5ether"])
        self.assertEqual(self.net.balance(to), 3 * WEI // 2)
        shown = run([CAST, "balance", "--rpc-url", self.net.nodes()[2]["rpc"], to]).stdout
        self.assertEqual(int(shown), 3 * WEI // 2)

    def test_2_cast_calls_a_system_contract(self):
        count = run([CAST, "call", "--rpc-url", self.url(), "0x000000000000000000000000000000000000b002", "count()(uint256)"]).stdout
        self.assertGreaterEqual(int(count.split()[0]), 1)

    def test_3_ethers(self):
        done = run(["node", ROOT / "tests/e2e/ethers_client.mjs", self.url(), MNEMONIC])
        self.assertIn("ethers: ok", done.stdout)

    def test_4_errors_as_geth_words_them(self):
        refused = run([CAST, "send", "--rpc-url", self.url(), "--mnemonic", MNEMONIC, "--nonce", "0",
                       "0x00000000000000000000000000000000000000c1", "--value", "1"], check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("nonce too low", refused.stderr)


if __name__ == "__main__":
    main()
