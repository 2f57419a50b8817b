"""Many nodes of a devnet are killed at once: when do the others talk again?"""
import concurrent.futures
import os
import pathlib
import signal
import time

from support import pairs
from support.devnet import wait_for


def partners(nodes, each, rng):
    """Everybody with `each` others: pairs, each once."""
    out = {}
    for node in nodes:
        for other in rng.sample([n for n in nodes if n is not node], min(each, len(nodes) - 1)):
            out.setdefault(frozenset((node["name"], other["name"])), (node, other))
    return list(out.values())


def relays_in_use(talks):
    """Public addresses of relays, each with how many of these talks it carries now."""
    out = {}
    for one in talks:
        if one.kind == "relayed":
            current = pairs.api(one.source, f"/v1/net/path?target={one.target['id']}")["current"]
            if current.get("kind") == "relayed" and current.get("endpoint"):
                host = current["endpoint"].rsplit(":", 1)[0]
                out[host] = out.get(host, 0) + 1
    return out


def gone(node):
    try:
        return pathlib.Path(f"/proc/{node['pid']}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def kill_at_once(nodes):
    """SIGKILL for all of them, by the process ids that devnet status gave; returns the time of it."""
    at = time.monotonic()
    for node in nodes:
        os.kill(node["pid"], signal.SIGKILL)
    wait_for("the killed to be gone", lambda: all(gone(node) for node in nodes), interval=0.05)
    return at


def talk_again(talks, since, bound):
    """(talk before, seconds from `since` to an answer or None, kind of path) of each pair, all asked at the same time."""

    def again(one):
        now = pairs.talk(one.source, one.target, max(0.0, since + bound - time.monotonic()), until_direct=False)
        return one, None if now.answered is None else now.at - since, now.kind

    with concurrent.futures.ThreadPoolExecutor(max(1, len(talks))) as pool:
        return list(pool.map(again, talks))
