"""What must survive: a worker, a daemon, one bookkeeper; and what must stop without a fork: two bookkeepers of four."""
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support import images  # noqa: E402
from support.devnet import DevnetCase, http, main, run, wait_for  # noqa: E402


class Faults(DevnetCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        layout = cls.net.dir / "web"
        images.web_image(layout)
        cls.net.bonus("image", "push", layout, "web:1")
        cls.gateway = cls.net.gateway()

    def page(self, name):
        return http(self.gateway, headers={"Host": f"{name}.localhost"})[0]

    def live_lease(self, name):
        """The lease of an order that is starting or running now, with its worker."""
        leases = self.net.json("inspect", name)["leases"]
        return next((lease for lease in leases if lease["state"] in ("starting", "running")), None)

    def worker_name(self, lease):
        return next(node["name"] for node in self.net.nodes() if node["id"].removeprefix("0x") == lease["node_id"].removeprefix("0x"))

    def test_1_a_daemon_restart_kills_no_container(self):
        self.net.bonus("run", "--name", "steady", "--memory", "64Mi", "--cpu", "100m", "web:1")
        wait_for("the page", lambda: self.page("steady") == 200)
        lease = self.live_lease("steady")
        name = self.worker_name(lease)
        started = self.net.bonus("exec", "steady", "--", "/bin/cat", "/proc/1/stat").stdout.split()[21]
        self.net.kill(name)
        self.net.start(name)
        wait_for("the page after the restart", lambda: self.page("steady") == 200)
        self.assertEqual(self.live_lease("steady")["id"], lease["id"], "the same lease goes on")
        again = wait_for("exec after adoption", lambda: self.net.bonus("exec", "steady", "--", "/bin/cat", "/proc/1/stat").stdout.split()[21])
        self.assertEqual(again, started, "the same process still runs")
        self.net.bonus("stop", "steady")

    def test_2_a_dead_worker_is_replaced(self):
        self.net.bonus("run", "--name", "moving", "--memory", "64Mi", "--cpu", "100m", "web:1")
        wait_for("the page", lambda: self.page("moving") == 200)
        lease = self.live_lease("moving")
        name = self.worker_name(lease)
        self.net.kill(name)
        wait_for("another worker", lambda: (lambda l: l and l["id"] != lease["id"] and l["state"] == "running")(self.live_lease("moving")))
        wait_for("the same URL again", lambda: self.page("moving") == 200)
        self.assertNotEqual(self.worker_name(self.live_lease("moving")), name)
        text = json.dumps(self.net.json("inspect", "moving"))
        self.assertIn("worker-failed", text)
        account = next(node["account"] for node in self.net.nodes() if node["name"] == name)
        nodes = self.net.json("node", "list")
        punished = next(node for node in nodes["nodes"] if node["account"].lower() == account.lower())
        self.assertGreater(punished["interruptions"], 0)
        self.assertLess(punished["penalty_bps"], 10000)
        self.net.start(name)
        self.net.bonus("stop", "moving")

    def test_3_one_bookkeeper_may_fail(self):
        victim = self.net.nodes()[3]["name"]
        wait_for("all up", lambda: all(node["running"] for node in self.net.nodes()))
        self.net.kill(victim)
        base = self.net.height()
        wait_for("the chain to go on", lambda: self.net.height() >= base + 4)
        self.net.start(victim)
        wait_for("it to catch up", lambda: self.net.height(node=3) >= self.net.height() - 1 and self.net.height(node=3) >= base + 4)

    def test_4_two_of_four_stop_the_chain_and_one_resumes_it(self):
        victims = [node["name"] for node in self.net.nodes()[2:4]]
        for name in victims:
            self.net.kill(name)
        # Blocks that were decided before the second one died may still arrive.
        time.sleep(3)
        stopped = self.net.height()
        time.sleep(12)
        self.assertEqual(self.net.height(), stopped, "two of four must not decide")
        self.net.start(victims[0])
        wait_for("the chain to resume", lambda: self.net.height() >= stopped + 2)
        self.net.start(victims[1])
        wait_for("all to agree", lambda: self.net.height(node=3) >= stopped + 2)
        hashes = {self.net.rpc("eth_getBlockByNumber", hex(stopped + 1), False, node=index)["hash"] for index in range(4)}
        self.assertEqual(len(hashes), 1, "one block per height on every node")


if __name__ == "__main__":
    main()
