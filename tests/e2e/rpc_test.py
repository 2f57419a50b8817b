"""JSON-RPC over WebSocket against a devnet: clients of Ethereum, and what a web page may do."""
import base64
import os
import pathlib
import socket
import sys
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support.devnet import MNEMONIC, ROOT, DevnetCase, main, run, http  # noqa: E402


class Rpc(DevnetCase):
    def url(self):
        return self.net.nodes()[0]["rpc"]

    def handshake(self, host=None):
        """The status line of the answer to a WebSocket handshake."""
        place = urllib.parse.urlsplit(self.url())
        with socket.create_connection((place.hostname, place.port), timeout=10) as connection:
            key = base64.b64encode(os.urandom(16)).decode()
            connection.sendall((f"GET / HTTP/1.1\r\nHost: {host or place.netloc}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                                f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n").encode())
            return connection.recv(4096).split(b"\r\n")[0].decode()

    def test_1_clients(self):
        done = run(["node", ROOT / "tests/e2e/ws_client.mjs", self.url(), MNEMONIC])
        self.assertIn("websocket: ok", done.stdout)

    def test_2_hosts(self):
        self.assertIn(" 101 ", self.handshake())
        self.assertIn(" 403 ", self.handshake("rebound.example"))

    def test_3_metrics(self):
        status, _, body = http(self.net.nodes()[0]["metrics"] + "/metrics")
        self.assertEqual(status, 200)
        self.assertIn(b'bonus_rpc_requests_total{method="eth_chainId",outcome="ok"}', body)
        self.assertIn(b"bonus_rpc_websockets ", body)


if __name__ == "__main__":
    main()
