"""A devnet on a little Internet: homes behind NAT follow the chain, nodes move and are cut off, and nothing is left after `down`."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support import images  # noqa: E402
from support.devnet import CommandFailed, Devnet, DevnetCase, http, main, wait_for  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent / "topologies"


class OnTheInternet(DevnetCase):
    nodes = None
    topology = HERE / "small.toml"

    def heights(self):
        return {node["name"]: node["height"] for node in self.net.nodes()}

    def grows(self, *names, by=2):
        """All of them get that many blocks more."""
        before = self.heights()
        wait_for(f"blocks on {names}", lambda: all(self.heights()[name] >= before[name] + by for name in names))

    def test_1_status_says_where_everybody_is(self):
        status = self.net.status()
        nodes = {node["name"]: node for node in status["nodes"]}
        self.assertEqual(len(nodes), 6)
        self.assertEqual((nodes["node-1"]["region"], nodes["node-1"]["nat"]), ("europe", "open"))
        self.assertEqual((nodes["node-5"]["region"], nodes["node-5"]["nat"]), ("asia", "port-restricted"))
        self.assertEqual(nodes["node-1"]["public"], nodes["node-1"]["address"])
        self.assertNotEqual(nodes["node-6"]["public"], nodes["node-6"]["address"])
        self.assertTrue(all(node["api"].startswith("http://127.0.0.1:") for node in nodes.values()))
        table = self.net.bonus("devnet", "status", "--dir", self.net.dir / "net").stdout
        self.assertIn("NAT", table)
        self.assertIn("symmetric", table)

    def test_2_homes_follow_the_chain(self):
        self.grows(*self.heights())
        stats = {item["name"]: item for item in self.net.wire("stats")["attachments"]}
        for line in ("node-1", "node-4", "node-5.r", "node-6.r"):
            self.assertGreater(stats[line]["received"], 0, f"everything between nodes goes over the wire, that of {line} too")

    def test_3_a_home_gets_another_address(self):
        before = next(node for node in self.net.nodes() if node["name"] == "node-5")["public"]
        self.net.wire("roam", "node-5")
        self.assertNotEqual(next(node for node in self.net.nodes() if node["name"] == "node-5")["public"], before)
        self.grows("node-5")

    def test_4_a_node_that_was_cut_off_catches_up(self):
        self.net.wire("cut", "node-4")
        self.grows("node-1", "node-2", "node-3")
        self.net.wire("cut", "node-4", "--off")
        self.grows("node-4", by=4)

    def test_5_a_restart_finds_the_same_place(self):
        self.net.kill("node-6")
        self.net.start("node-6")
        self.grows("node-6")

    def test_6_another_topology_is_refused(self):
        with self.assertRaises(CommandFailed) as caught:
            self.net.bonus("devnet", "up", "--detach", "--topology", HERE / "nat_matrix.toml", "--dir", self.net.dir / "net")
        self.assertIn("another topology", str(caught.exception))

    def test_7_a_home_behind_a_router_rents_out(self):
        images.web_image(self.net.dir / "web")
        self.net.bonus("image", "push", self.net.dir / "web", "web:1")
        account = next(node["account"] for node in self.net.nodes() if node["name"] == "node-5")
        wait_for("the home on the chain", lambda: account in self.net.bonus("node", "list", "--json").stdout)
        # Two replicas on different workers of a region that has one server and one home.
        self.net.bonus("run", "--name", "home", "--region", "asia", "--replicas", "2", "--distinct", "--memory", "64Mi", "--cpu", "100m",
                       "--disk", "64Mi", "web:1")
        text = json.dumps(self.net.json("inspect", "home"))
        at_home = next(node["id"] for node in self.net.nodes() if node["name"] == "node-5")
        self.assertIn(at_home, text, "one replica must be behind the router")
        for lease in (1, 2):
            wait_for(f"the page of lease {lease}", lambda lease=lease: http(f"{self.net.gateway()}/l/{lease}/")[0] == 200)

    def test_8_nothing_is_left(self):
        under = self.net.status()["topology"]
        beginning = f"{under['prefix']}-{under['tag']}-"
        self.assertTrue([p for p in pathlib.Path("/run/netns").iterdir() if p.name.startswith(beginning)])
        self.net.bonus("devnet", "down", "--dir", self.net.dir / "net")
        self.assertFalse([p for p in pathlib.Path("/run/netns").iterdir() if p.name.startswith(beginning)])


if __name__ == "__main__":
    main()
