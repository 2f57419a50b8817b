"""A third of the nodes is killed at once, with the relay that carried most: every pair that talked talks again within 60 s. The long form is
bench/churn64."""
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support import churn, pairs  # noqa: E402
from support.devnet import DevnetCase, main  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent / "topologies"
KILLED = 4  # of 12
BOUND_S = 60  # net.md: "every surviving pair talks again within 60 s"


class Churn(DevnetCase):
    nodes = None
    topology = HERE / "home-internet.toml"

    def test_survivors_talk_again(self):
        rng = random.Random(4)
        nodes = self.net.nodes()
        pairs.found(nodes[0], nodes)
        wanted = churn.partners(nodes, 5, rng)
        talks = pairs.talk_all(wanted, 30, lambda *_: False, parallel=10)
        self.assertEqual([str(one) for one in talks if one.answered is None], [])
        relays = churn.relays_in_use(talks)
        self.assertTrue(relays, "some pair of this topology needs a relay")
        relay = next(node for node in nodes if node["public"] == max(relays, key=relays.get))
        killed = [relay] + rng.sample([node for node in nodes if node is not relay and node["nat"] != "open"], KILLED - 1)
        dead = {node["name"] for node in killed}
        left = [one for one in talks if not {one.source["name"], one.target["name"]} & dead]
        self.assertTrue(left)
        again = churn.talk_again(left, churn.kill_at_once(killed), BOUND_S)
        print(f"killed {sorted(dead)}, relays {relays}", file=sys.stderr)
        for before, seconds, kind in again:
            print(f"{before} | after: {'never' if seconds is None else f'{seconds:.2f} s'}, {kind}", file=sys.stderr)
        self.assertEqual([str(before) for before, seconds, _ in again if seconds is None], [])


if __name__ == "__main__":
    main()
