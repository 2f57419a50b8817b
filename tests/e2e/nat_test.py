"""Strangers behind every kind of NAT find each other through the DHT and talk: 13 of the 15 pairs directly, the others through a relay, and one
without any UDP over TLS. Round trips of 40 ms, 1% loss. In the namespaces of tests/e2e/topologies/nat_matrix.toml."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support import pairs  # noqa: E402
from support.devnet import DevnetCase, main  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent / "topologies"
UPGRADE_S = 30  # to a direct path; bounds the test, judges nothing


class NatMatrix(DevnetCase):
    nodes = None
    topology = HERE / "nat_matrix.toml"

    def test_1_every_pair_talks_as_directly_as_it_can(self):
        nodes = self.net.nodes()
        pairs.found(nodes[0], nodes[pairs.BOOKKEEPERS:])
        wanted = pairs.matrix(nodes)
        self.assertEqual(len({frozenset((a["nat"], b["nat"])) for a, b in wanted}), 20, "15 pairs, and 5 with the node without UDP")
        talks = pairs.talk_all(wanted, UPGRADE_S, pairs.must_be_direct, parallel=10)
        for one in talks:
            print(one, file=sys.stderr)
        for one in talks:
            with self.subTest(str(one)):
                # Workers that both stand on the chain may have greeted each other before.
                self.assertTrue(pairs.has_tunnel(one.source, one.target))
                self.assertIsNotNone(one.answered)
                if pairs.must_be_direct(one.source, one.target):
                    self.assertEqual(one.kind, "direct")
                elif "udp-blocked" in one.pair:
                    self.assertIn(one.kind, ("tls", "relayed"))
                elif pairs.may_be_direct(one.source, one.target):
                    self.assertIn(one.kind, ("direct", "relayed"))
                else:
                    self.assertEqual(one.kinds, ["relayed"])
                for endpoint in one.endpoints:  # a router's outer address, never one of the LAN behind it
                    self.assertEqual(endpoint.rsplit(":", 1)[0], one.target["public"])

    def test_2_no_private_address_is_a_path(self):
        nodes = self.net.nodes()
        public = {node["id"]: node["public"] for node in nodes}
        direct = 0
        for node in nodes:
            for peer in pairs.api(node, "/v1/net/peers")["peers"]:
                if peer["kind"] == "direct":
                    direct += 1
                    self.assertEqual(peer["endpoint"].rsplit(":", 1)[0], public[peer["id"]], f"{node['name']} to {peer}")
        self.assertGreaterEqual(direct, 13)

    def test_3_a_node_that_roams_answers_again(self):
        side = pairs.sides(self.net.nodes())
        home, other = side["port-restricted"][0], side["full-cone"][1]
        before = pairs.talk(other, home, 60, until_direct=False)
        self.assertIsNotNone(before.answered, str(before))
        self.net.wire("roam", home["name"])
        moved = next(node for node in self.net.nodes() if node["name"] == home["name"])
        self.assertNotEqual(moved["public"], home["public"])
        for source, target in ((moved, other), (other, moved)):
            after = pairs.talk(source, target, 60, until_direct=False)
            print("roamed:", after, file=sys.stderr)
            self.assertIsNotNone(after.answered, str(after))


if __name__ == "__main__":
    main()
