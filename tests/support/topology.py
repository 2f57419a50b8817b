"""A little Internet of namespaces (bonus-wire) for end-to-end tests, and UDP sockets inside it.

Namespaces are bnt-<pid><tag>-<node>; they go with the Topology, whatever happens in between. Needs root.
"""
import contextlib
import ctypes
import json
import os
import pathlib
import socket
import subprocess
import tempfile
import threading

from support.devnet import BIN, run

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def enter(namespace):
    """Moves this thread into a namespace of /run/netns."""
    with open(f"/run/netns/{namespace}") as space:
        if _libc.setns(space.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"entering {namespace}")


def inside(namespace, function, *args):
    """The value of `function(*args)`, called in the namespace on a thread of its own."""
    out = {}

    def visit():
        try:
            enter(namespace)
            out["value"] = function(*args)
        except BaseException as error:  # handed to the caller
            out["error"] = error

    thread = threading.Thread(target=visit)
    thread.start()
    thread.join()
    if "error" in out:
        raise out["error"]
    return out["value"]


class Topology:
    """`source`: a path, or the text of a TOML file. Use as a context manager, or call down()."""

    def __init__(self, source, tag=None, seed=None, capture=None):
        self.tag = f"{os.getpid()}{tag or ''}"  # at most 16 of a-z and 0-9
        path = pathlib.Path(source) if "\n" not in str(source) else None
        with contextlib.ExitStack() as stack:
            if path is None:
                file = stack.enter_context(tempfile.NamedTemporaryFile("w", suffix=".toml"))
                file.write(source)
                file.flush()
                path = file.name
            options = [] if seed is None else ["--seed", seed]
            options += [] if capture is None else ["--capture", capture]
            self.info = json.loads(self._wire("up", path, *options).stdout)

    def _wire(self, command, *args, check=True):
        return run([BIN / "bonus-wire", command, *args, "--prefix", "bnt", "--tag", self.tag, "--json"], check=check)

    def _change(self, *words):
        self.info = json.loads(self._wire(*words).stdout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.down()

    def down(self):
        self._wire("down", check=False)

    def node(self, name):
        return next(node for node in self.info["nodes"] if node["name"] == name)

    def namespace(self, name):
        return self.node(name)["namespace"]

    def public(self, name):
        return self.node(name)["public"]

    def address(self, name):
        return self.node(name)["address"]

    def stats(self):
        return json.loads(self._wire("stats").stdout)

    def line(self, name):
        """Counters of one line: an open node's name, "<router>.r" or "<carrier>.c"."""
        return next(item for item in self.stats()["attachments"] if item["name"] == name)

    def total(self, counter):
        return sum(item[counter] for item in self.stats()["attachments"])

    def roam(self, name, to=None):
        self._change("roam", name, *(["--to", to] if to else []))

    def block_udp(self, name, off=False):
        self._change("block", name, *(["--off"] if off else []))

    def cut(self, name, off=False):
        self._change("cut", name, *(["--off"] if off else []))

    def link(self, a, b, **changes):
        words = [word for key, value in changes.items() for word in (f"--{key.replace('_', '-')}", str(value))]
        self._change("link", a, b, *words)

    def capture(self, path):
        """Everything that enters the wire from now on, as pcap; None ends it."""
        self._change("capture", *([path] if path else ["--off"]))

    def exec(self, name, *argv, check=True, timeout=60, **options):
        """Runs a program in the node's namespace to its end."""
        return run(["nsenter", f"--net=/run/netns/{self.namespace(name)}", *argv], check=check, timeout=timeout, **options)

    def popen(self, name, *argv, **options):
        """Starts a program there; the caller ends it."""
        return subprocess.Popen(["nsenter", f"--net=/run/netns/{self.namespace(name)}", *map(str, argv)], **options)

    def udp(self, name, port=0, timeout=1.0):
        """A bound UDP socket of the node."""

        def make():
            out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            out.bind(("0.0.0.0", port))
            out.settimeout(timeout)
            return out

        return inside(self.namespace(name), make)

    def tcp(self, name, timeout=5.0):
        """An unconnected TCP socket of the node."""

        def make():
            out = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            out.settimeout(timeout)
            return out

        return inside(self.namespace(name), make)
