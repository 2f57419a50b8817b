"""Pairs of nodes of a devnet on a topology: whether they answer each other, when, and by which kind of path.

Asks the nodes' local API (docs/formats/local_api.md, Network). Times in seconds; they are told, never judged, here.
"""
import concurrent.futures
import dataclasses
import json
import time
import urllib.error
import urllib.parse
import urllib.request

from support.devnet import http, wait_for

KINDS = ("open", "full-cone", "address-restricted", "port-restricted", "symmetric")
BOOKKEEPERS = 4  # the first nodes of a devnet; everybody follows the chain through them and has talked to them


@dataclasses.dataclass
class Talk:
    """One node's pings to another."""
    source: dict
    target: dict
    fresh: bool = False         # no tunnel between them before
    answered: float = None      # seconds until the first answer, with the lookup, the path and the handshake
    at: float = None            # when that was, time.monotonic()
    direct: float = None        # until the first answer on a direct path
    kinds: list = dataclasses.field(default_factory=list)      # of the answers, each once, as they came
    endpoints: set = dataclasses.field(default_factory=set)    # of direct answers
    problem: str = ""

    @property
    def pair(self):
        return (self.source["nat"], self.target["nat"])

    @property
    def kind(self):
        """Of the last answer."""
        return self.kinds[-1] if self.kinds else "none"

    def __str__(self):
        def seconds(value):
            return "-" if value is None else f"{value:.2f} s"
        return (f"{self.source['name']} ({self.pair[0]}) -> {self.target['name']} ({self.pair[1]}): answer {seconds(self.answered)}, "
                f"direct {seconds(self.direct)}, {' '.join(self.kinds) or 'none'} {self.problem}").rstrip()


def api(node, path, timeout=10):
    status, _, body = http(node["api"] + path, timeout=timeout)
    if status != 200:
        raise ValueError(f"{node['name']} {path}: {status} {body[:300]!r}")
    return json.loads(body)


def pings(node, target, count, interval_ms=200, timeout_ms=1500, patience=30):
    """The answers and timeouts of one request, as they come."""
    body = json.dumps({"target": target["id"], "count": count, "interval_ms": interval_ms, "timeout_ms": timeout_ms}).encode()
    request = urllib.request.Request(node["api"] + "/v1/net/ping", method="POST", data=body)
    with urllib.request.urlopen(request, timeout=patience) as response:
        for line in response:
            item = json.loads(line)
            if "sequence" in item:
                yield item


def has_tunnel(source, target):
    """Whether they shook hands already."""
    return any(peer["id"] == target["id"] and peer["last_handshake_s"] is not None for peer in api(source, "/v1/net/peers")["peers"])


def talk(source, target, bound, until_direct):
    """Pings until an answer, or until a direct one, at most `bound` seconds."""
    out = Talk(source, target, fresh=not has_tunnel(source, target))
    begun = time.monotonic()
    while time.monotonic() < begun + bound:
        try:
            out.problem = ""
            for item in pings(source, target, 50):
                now = time.monotonic() - begun
                if "rtt_ms" in item:
                    kind = item.get("kind", "none")
                    if out.answered is None:
                        out.answered, out.at = now, begun + now
                    if out.kind != kind or not out.kinds:
                        out.kinds.append(kind)
                    if kind == "direct":
                        out.direct = out.direct or now
                        out.endpoints.add(item.get("endpoint", ""))
                    if kind == "direct" or not until_direct:
                        return out
                if now > bound:
                    break
        except (OSError, ValueError, urllib.error.URLError) as error:
            out.problem = str(error)
            time.sleep(0.2)
    return out


def talk_all(pairs, bound, until_direct, parallel):
    """`until_direct`: a condition on (source, target)."""
    with concurrent.futures.ThreadPoolExecutor(parallel) as pool:
        return list(pool.map(lambda pair: talk(*pair, bound, until_direct(*pair)), pairs))


def found(asking, nodes, timeout=60):
    """Waits until the DHT knows the records of all of them."""
    for node in nodes:
        wait_for(f"the record of {node['name']}", lambda: api(asking, f"/v1/net/lookup?name={urllib.parse.quote(node['id'])}")["id"], timeout=timeout)


def sides(nodes):
    """Of each kind of NAT the nodes that are no bookkeepers."""
    out = {}
    for node in nodes[BOOKKEEPERS:]:
        out.setdefault(node["nat"], []).append(node)
    return out


def matrix(nodes, back=False):
    """The 15 pairs, of every kind with every kind, and the node without UDP with each; `back`: other nodes, the other way round, and
    without the pairs of one kind. No two nodes that were in a pair are again, when each kind has two."""
    side = sides(nodes)
    out = []
    for i, a in enumerate(KINDS):
        for b in KINDS[i:]:
            if not back:
                out.append((side[a][0], side[b][1]))
            elif a != b:
                out.append((side[b][0], side[a][1]))
    if "udp-blocked" in side:
        blocked = side["udp-blocked"][0]
        out += [(side[kind][1], blocked) if back else (blocked, side[kind][0]) for kind in KINDS]
    return out


def may_be_direct(source, target):
    """Symmetric with port-restricted may be; with symmetric cannot be, nor anything without UDP."""
    pair = {source["nat"], target["nat"]}
    return "udp-blocked" not in pair and pair != {"symmetric"}


def must_be_direct(source, target):
    return may_be_direct(source, target) and {source["nat"], target["nat"]} != {"symmetric", "port-restricted"}
