"""The main job with real clients: push an image, rent, reach it, look inside, pay, stop; and everything that must be refused."""
import json
import pathlib
import subprocess
import sys
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support import images  # noqa: E402
from support.devnet import MNEMONIC, WEI, DevnetCase, http, main, run, wait_for  # noqa: E402


class Rent(DevnetCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        status = cls.net.status()
        cls.gateway = status["gateway"]
        cls.registry = urllib.parse.urlparse(next(n for n in status["nodes"] if "gateway" in n["roles"])["registry"]).netloc
        cls.web = cls.net.dir / "web"
        cls.shell = cls.net.dir / "shell"
        images.web_image(cls.web)
        images.shell_image(cls.shell)

    def rent(self, image, *args, name, command=()):
        self.net.bonus("run", "--name", name, "--memory", "64Mi", "--cpu", "200m", "--disk", "256Mi", *args, image, "--", *command)
        return self.net.json("inspect", name)

    def page(self, name):
        host = f"{name}.localhost"
        return http(self.gateway, headers={"Host": host})

    def test_01_skopeo_pushes_and_pulls(self):
        run(["skopeo", "copy", "--dest-tls-verify=false", f"oci:{self.web}:latest", f"docker://{self.registry}/web:1"])
        back = self.net.dir / "back"
        run(["skopeo", "copy", "--src-tls-verify=false", f"docker://{self.registry}/web:1", f"oci:{back}:latest"])
        pushed = {path.name for path in (self.web / "blobs/sha256").iterdir()}
        pulled = {path.name for path in (back / "blobs/sha256").iterdir()}
        self.assertTrue(pulled <= pushed and len(pulled) == 3, (pushed, pulled))
        self.assertIn("web", json.dumps(self.net.json("image", "list")))

    def test_02_rent_answers_http_by_name_path_and_port(self):
        self.net.bonus("image", "push", self.shell, "shell:1")
        self.rent("web:1", "--publish", "0:80", name="web")
        status, _, body = wait_for("the page", lambda: (lambda r: r if r[0] == 200 else None)(self.page("web")))
        self.assertIn(b"hello from a rented container", body)
        self.assertEqual(http(f"{self.gateway}/l/web/")[0], 200)
        routes = self.net.json("inspect", "web")
        self.assertIn("running", json.dumps(routes))

    def test_03_unknown_lease_is_a_clear_404(self):
        status, _, body = self.page("nobody")
        self.assertEqual(status, 404)
        self.assertIn(b"nobody", body)

    def test_04_logs_exec_and_exit_codes(self):
        self.rent("shell:1", name="talk", command=("/bin/sh", "-c", "echo first-line; echo to-stderr >&2; sleep 100000"))
        wait_for("the log line", lambda: "first-line" in self.net.bonus("logs", "talk").stdout)
        done = self.net.bonus("exec", "talk", "--", "/bin/sh", "-c", "echo lease=$BONUS_LEASE; exit 7", check=False)
        self.assertRegex(done.stdout, r"lease=\d+")
        self.assertEqual(done.returncode, 7, done.stderr)

    def test_05_containers_are_isolated(self):
        refused = self.net.bonus("exec", "talk", "--", "/bin/mount", "-t", "tmpfs", "none", "/tmp", check=False)
        self.assertNotEqual(refused.returncode, 0)
        network = self.net.bonus("exec", "talk", "--", "/bin/cat", "/proc/net/route").stdout
        self.assertEqual(len(network.strip().splitlines()), 1, "a container must have no route out")
        self.assertIn("NoNewPrivs:\t1", self.net.bonus("exec", "talk", "--", "/bin/cat", "/proc/self/status").stdout)

    def test_06_a_memory_hog_is_killed_alone(self):
        self.rent("shell:1", "--restart", "never", name="hog",
                  command=("/bin/sh", "-c", "sleep 1; exec dd if=/dev/zero of=/dev/null bs=200M count=5"))
        ended = wait_for("the hog to end", lambda: (lambda text: text if '"ended"' in text or '"closed"' in text else None)(
            json.dumps(self.net.json("inspect", "hog"))))
        self.assertIn("memory", ended.lower())
        self.assertEqual(self.page("web")[0], 200)

    def test_07_processor_time_is_capped(self):
        self.rent("shell:1", name="spin", command=("/bin/sh", "-c", "while true; do :; done"))
        usage = wait_for("throttling", lambda: (lambda u: u if u.get("throttled_ns", 0) > 0 else None)(self.usage("spin")))
        self.assertGreater(usage["cpu_ns"], 0)
        self.net.bonus("stop", "spin")

    def usage(self, name):
        text = self.net.json("inspect", name)
        found = []

        def walk(value):
            if isinstance(value, dict):
                if "cpu_ns" in value:
                    found.append(value)
                for item in value.values():
                    walk(item)
            elif isinstance(value, list):
                for item in value:
                    walk(item)

        walk(text)
        return found[0] if found else {}

    def test_08_a_fork_bomb_is_contained(self):
        self.rent("shell:1", name="bomb", command=("/bin/sh", "-c", "bomb() { bomb | bomb & }; sleep 1; bomb; sleep 100000"))
        wait_for("many processes", lambda: self.usage("bomb").get("pids", 0) > 100)
        self.assertLessEqual(self.usage("bomb")["pids"], 256)
        self.assertEqual(self.page("web")[0], 200)
        self.net.bonus("stop", "bomb")

    def test_09_what_cannot_match_is_explained(self):
        refused = self.net.bonus("run", "--name", "huge", "--cpu", "500", "--memory", "64Mi", "web:1", check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("cpu", (refused.stdout + refused.stderr).lower())
        explained = self.net.json("market", "explain", "--cpu", "100m", "--memory", "64Mi", "--region", "atlantis")
        self.assertEqual(explained["dimension"], "region", explained)

    def test_10_the_deposit_runs_out(self):
        user = self.net.json("wallet", "balance")
        self.assertTrue(user)
        offer = self.net.json("market", "explain", "--cpu", "200m", "--memory", "64Mi", "--disk", "256Mi")
        price = int(offer["expected_price_per_second"])
        self.assertGreater(price, 0)
        self.net.bonus("run", "--name", "short", "--cpu", "200m", "--memory", "64Mi", "--disk", "256Mi", "--deposit", f"{price * 25} wei", "shell:1")
        text = wait_for("the end of the deposit", lambda: (lambda t: t if "deposit-exhausted" in t else None)(
            json.dumps(self.net.json("inspect", "short"))), timeout=180)
        self.assertIn("deposit-exhausted", text)

    def test_11_money_reaches_worker_developer_and_foundation(self):
        developer = "0x000000000000000000000000000000000000dEaD"
        before = self.net.balance(developer)
        self.rent("shell:1", "--developer", developer, "--royalty", "5%", name="paid")
        wait_for("a royalty", lambda: self.net.balance(developer) > before)
        self.net.bonus("stop", "paid")

    def test_12_a_hostile_archive_is_refused(self):
        hostile = self.net.dir / "hostile"
        images.hostile_image(hostile)
        self.net.bonus("image", "push", hostile, "hostile:1")
        refused = self.net.bonus("run", "--name", "hostile", "--memory", "64Mi", "hostile:1", check=False, timeout=180)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("image-failed", (refused.stdout + refused.stderr).lower().replace(" ", "-"))
        self.assertFalse(pathlib.Path("/tmp/bonus-escaped").exists())

    def test_13_bad_input_changes_nothing(self):
        for bad in (["run"], ["run", "web:1", "--cpu", "lots"], ["run", "nosuchimage:1"], ["topup", "web", "-5"], ["inspect", "99999"],
                    ["wallet", "send", "0x12", "1"], ["logs", "nobody"], ["tx", "show", "0x00"]):
            refused = self.net.bonus(*bad, check=False)
            self.assertNotEqual(refused.returncode, 0, bad)
            self.assertTrue(refused.stderr.strip(), bad)
            self.assertNotIn("terminate called", refused.stderr)

    def test_14_stop_returns_the_rest(self):
        self.net.bonus("stop", "web")
        wait_for("the gateway to know", lambda: self.page("web")[0] in (404, 503))


if __name__ == "__main__":
    main()
