"""The edge of BonusNet: stock WireGuard clients at a gateway, the way to the Internet through an exit, networks behind routers.

The clients are Debian's wireguard-go with the configuration that `bonus net invite` prints, set up as wg-quick(8) does, in homes behind NAT.
"""
import contextlib
import ipaddress
import json
import os
import pathlib
import re
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support import images, name_server  # noqa: E402
from support.devnet import DevnetCase, main, run, wait_for  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent / "topologies"
SERVER6, GATEWAY6, OWN6 = "2a0e:b107::2", "2a0e:b107::1", "2a0e:b107::3"  # the wire carries IPv4 only: cables of their own
SITE = "www.example.net"  # served by a name server of the tests' Internet
WEB = """
import http.server, socket, sys
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = ("you are " + self.client_address[0]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    def log_message(self, *_):
        pass
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()
Server(("::", 80), Page).serve_forever()
"""


def web_server(namespace):
    return subprocess.Popen(["nsenter", f"--net=/run/netns/{namespace}", sys.executable, "-c", WEB])


class Client:
    """wireguard-go in a namespace, as wg-quick would set it up there."""

    def __init__(self, namespace, config, device, folder):
        self.namespace, self.config, self.device, self.folder = namespace, config, device, folder
        self.fields = dict(re.findall(r"^(\w+) = (.*)$", config, re.M))
        self.addresses = [ipaddress.ip_interface(a.strip()) for a in self.fields["Address"].split(",")]
        self.address = str(next(a.ip for a in self.addresses if a.version == 6))
        self.start()

    def start(self):
        self.process = subprocess.Popen(["nsenter", f"--net=/run/netns/{self.namespace}", "wireguard-go", "-f", self.device],
                                        env={**os.environ, "WG_PROCESS_FOREGROUND": "1", "LOG_LEVEL": "error"})
        wait_for("wireguard-go", lambda: pathlib.Path(f"/var/run/wireguard/{self.device}.sock").exists())
        quick = ("Address", "DNS", "MTU")  # keys that wg-quick keeps for itself
        file = self.folder / f"{self.device}.conf"
        file.write_text("".join(line + "\n" for line in self.config.splitlines() if not line.startswith(quick)))
        self.run("wg", "setconf", self.device, file)
        for address in self.addresses:
            self.run("ip", "address", "add", address, "dev", self.device, *(["nodad"] if address.version == 6 else []))
        self.run("ip", "link", "set", self.device, "mtu", self.fields["MTU"], "up")
        endpoint = self.fields["Endpoint"].rsplit(":", 1)[0]
        for allowed in self.fields["AllowedIPs"].split(","):
            net = ipaddress.ip_network(allowed.strip())
            if net.prefixlen == 0 and net.version == 4:
                way = json.loads(self.run("ip", "-j", "route", "get", endpoint).stdout)[0]
                self.run("ip", "route", "add", endpoint, "dev", way["dev"], *(["via", way["gateway"]] if "gateway" in way else []))
                self.run("ip", "route", "add", "0.0.0.0/1", "dev", self.device)
                self.run("ip", "route", "add", "128.0.0.0/1", "dev", self.device)
            else:
                self.run("ip", f"-{net.version}", "route", "add", net if net.prefixlen else "default", "dev", self.device)

    def run(self, *argv, check=True):
        return run(["nsenter", f"--net=/run/netns/{self.namespace}", *argv], check=check)

    def curl(self, url, *options, check=True):
        return self.run("curl", "-sS", "-g", "-m", "8", *options, url, check=check).stdout

    def dig(self, *words):
        return self.run("dig", "+short", "+tries=2", "+time=3", f"@{self.fields['DNS']}", *words, check=False).stdout.strip()

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


class Office:
    """A network behind a router: a bridge-less LAN of one cable, and one machine that knows nothing of BonusNet on it."""

    def __init__(self, number, machine):
        self.space, self.machine = f"bnt-{os.getpid()}-lan{number}", machine
        self.net4, self.net6 = f"192.168.{number}.0/24", f"2a0e:b1{number:02d}:7::/64"
        self.host4, self.host6 = f"192.168.{number}.10", f"2a0e:b1{number:02d}:7::10"
        self.router4, self.router6 = f"192.168.{number}.1", f"2a0e:b1{number:02d}:7::1"
        run(["ip", "netns", "add", self.space])
        self.ip("link", "set", "lo", "up")
        run(["nsenter", f"--net=/run/netns/{machine}", "ip", "link", "add", "lan0", "type", "veth", "peer", "name", "eth0", "netns", self.space])
        for space, device, four, six in ((machine, "lan0", self.router4, self.router6), (self.space, "eth0", self.host4, self.host6)):
            run(["nsenter", f"--net=/run/netns/{space}", "ip", "address", "add", f"{four}/24", "dev", device])
            run(["nsenter", f"--net=/run/netns/{space}", "ip", "address", "add", f"{six}/64", "dev", device, "nodad"])
            run(["nsenter", f"--net=/run/netns/{space}", "ip", "link", "set", device, "up"])
        self.ip("route", "add", "default", "via", self.router4)
        self.ip("-6", "route", "add", "default", "via", self.router6)
        self.server = web_server(self.space)

    def ip(self, *argv):
        return run(["nsenter", f"--net=/run/netns/{self.space}", "ip", *argv])

    def run(self, *argv, check=True):
        return run(["nsenter", f"--net=/run/netns/{self.space}", *argv], check=check)

    def curl(self, host, check=True):
        return self.run("curl", "-sS", "-g", "-m", "3", f"http://{host}/", check=check).stdout

    def close(self):
        self.server.terminate()
        self.server.wait(10)
        run(["ip", "netns", "del", self.space], check=False)


class Edge(DevnetCase):
    nodes = None
    topology = HERE / "edge.toml"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(cls.stop_all)
        cls.processes, cls.clients = [], {}
        cls.wired = {n["name"]: n for n in cls.net.wire("show")["nodes"]}
        cls.names = {n["name"]: n for n in cls.net.nodes()}
        cls.processes.append(web_server(cls.wired["internet"]["namespace"]))
        cls.server = cls.wired["internet"]["public"]
        cls.names_by = f"dns_upstreams = {json.dumps([cls.server + ':53'])}"
        cls.processes.append(name_server.start(cls.wired["internet"]["namespace"], {SITE: [cls.server, SERVER6]}))
        cls.cable6("node-1", "six", GATEWAY6)
        cls.cable6("node-2", "three", OWN6)
        cls.configure("node-1", "exit = true", cls.names_by)
        images.web_image(cls.net.dir / "web")
        cls.net.bonus("image", "push", cls.net.dir / "web", "web:1")
        cls.net.bonus("run", "--name", "web", "--memory", "64Mi", "--cpu", "100m", "--disk", "64Mi", "--port", "80", "web:1", timeout=240)
        lease = re.search(r'"lease": ?"?(\d+)', json.dumps(cls.net.json("inspect", "web"))).group(1)
        cls.web = f"lease-{lease}.bonus"

    @classmethod
    def stop_all(cls):
        for client in cls.clients.values():
            with contextlib.suppress(Exception):
                client.stop()
        for process in cls.processes:
            process.terminate()
            process.wait(10)

    @classmethod
    def cable6(cls, name, device, address):
        """IPv6 between a node's machine and the server."""
        machine, server = cls.wired[name]["namespace"], cls.wired["internet"]["namespace"]
        run(["nsenter", f"--net=/run/netns/{machine}", "ip", "link", "add", device, "type", "veth", "peer", "name", device, "netns", server])
        for space, own in ((machine, address), (server, SERVER6)):
            run(["nsenter", f"--net=/run/netns/{space}", "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=0", f"net.ipv6.conf.{device}.disable_ipv6=0"])
            run(["nsenter", f"--net=/run/netns/{space}", "ip", "address", "add", f"{own}/128", "dev", device, "nodad"])
            run(["nsenter", f"--net=/run/netns/{space}", "ip", "link", "set", device, "up"])
        run(["nsenter", f"--net=/run/netns/{server}", "ip", "-6", "route", "add", f"{address}/128", "dev", device])
        run(["nsenter", f"--net=/run/netns/{machine}", "ip", "-6", "route", "add", "default", "dev", device])

    @classmethod
    def configure(cls, name, *lines):
        """Starts the node again with further lines in its [net]."""
        (cls.net.dir / "net" / name / "net.toml").write_text("\n".join(lines) + "\n")
        cls.net.kill(name, signal.SIGTERM)
        cls.net.start(name)
        cls.names = {n["name"]: n for n in cls.net.nodes()}

    @classmethod
    def invite(cls, name, *options):
        answer = cls.net.json("net", "invite", "--name", name, *options)
        return answer

    @classmethod
    def client(cls, name, config):
        cls.clients[name] = Client(cls.wired[name]["namespace"], config, f"bt{os.getpid() % 1000000}{name[:2]}", cls.net.dir)
        return cls.clients[name]

    def invites(self):
        return {one["name"]: one for one in self.net.json("net", "invites")["invites"]}

    def test_01_a_phone_reaches_a_container_by_name(self):
        invitation = self.invite("phone")
        self.assertEqual(invitation["gateway"].rsplit(":", 1)[0], self.wired["node-1"]["public"])
        phone = self.client("phone", invitation["config"])
        self.assertEqual(phone.address, invitation["address"])
        address = wait_for("the name", lambda: phone.dig("AAAA", self.web))
        self.assertIn(ipaddress.ip_address(address), ipaddress.ip_network("fd00::/8"))
        page = wait_for("the page", lambda: phone.curl(f"http://[{address}]/"))
        self.assertIn("hello from a rented container", page)
        page = phone.curl(f"http://{self.web}/", "--dns-servers", f"[{phone.fields['DNS']}]", check=False) or \
            phone.curl(f"http://{self.web}/", "--resolve", f"{self.web}:80:[{address}]")
        self.assertIn("hello from a rented container", page)
        self.assertIn(" 0% packet loss", phone.run("ping", "-c", "2", "-i", "0.3", "-W", "5", address).stdout)
        self.assertEqual(phone.dig("-x", address), self.web + ".")
        type(self).web_address = address

    def test_02_the_command_line_shows_it(self):
        seen = wait_for("the handshake", lambda: (one := self.invites()["phone"])["last_handshake_s"] is not None and one)
        self.assertGreater(seen["rx_bytes"], 500)
        self.assertGreater(seen["tx_bytes"], 500)
        table = self.net.bonus("net", "invites").stdout
        self.assertIn("HANDSHAKE", table)
        self.assertIn("phone", table)
        text = self.net.bonus("net", "invite", "--name", "tablet").stdout
        self.assertIn("PrivateKey = ", text)
        self.assertGreater(sum(text.count(block) for block in "█▀▄"), 500, "a QR code")
        self.assertNotIn("PrivateKey", json.dumps(self.net.json("net", "invites")))
        self.net.bonus("net", "revoke", "tablet")
        self.assertNotIn("tablet", self.invites())

    def test_03_nothing_else_is_open_to_it(self):
        phone = self.clients["phone"]
        refused = phone.run("curl", "-sS", "-g", "-m", "3", f"http://[{phone.fields['DNS']}]:7071/", check=False)
        self.assertNotEqual(refused.returncode, 0, "the gateway's own service is not the client's")
        self.assertEqual(phone.dig("A", SITE), "", "only an exit's clients may ask for other names")

    def test_04_nobody_takes_anothers_address(self):
        laptop = self.client("laptop", self.invite("laptop", "--exit")["config"])
        wait_for("the laptop's page", lambda: "hello" in laptop.curl(f"http://[{self.web_address}]/"))
        phone = self.clients["phone"]
        taken = phone.address
        laptop.run("ip", "address", "add", f"{taken}/128", "dev", laptop.device, "nodad")
        answer = laptop.run("curl", "-sS", "-g", "-m", "3", "--interface", taken, f"http://[{self.web_address}]/", check=False)
        self.assertNotEqual(answer.returncode, 0, "an inner source that is not the session's own is dropped")
        laptop.run("ip", "address", "del", f"{taken}/128", "dev", laptop.device)
        self.assertIn("hello", phone.curl(f"http://[{self.web_address}]/"))

    def test_05_the_internet_through_the_exit(self):
        laptop, gateway, server = self.clients["laptop"], self.wired["node-1"], self.server
        self.assertEqual(laptop.curl(f"http://{server}/"), f"you are ::ffff:{gateway['public']}")
        self.assertEqual(laptop.curl(f"http://[{SERVER6}]/"), f"you are {GATEWAY6}")
        self.assertIn(" 0% packet loss", laptop.run("ping", "-c", "2", "-i", "0.3", "-W", "5", server).stdout)
        # Its name server is the gateway, which asks that of the Internet.
        self.assertEqual(laptop.dig("A", SITE), server)
        self.assertEqual(laptop.dig("AAAA", SITE), SERVER6)
        self.assertEqual(laptop.dig("+tcp", "A", SITE), server)
        self.assertIn("NXDOMAIN", laptop.run("dig", "+tries=2", "+time=3", f"@{laptop.fields['DNS']}", "no." + SITE).stdout)
        self.assertEqual(laptop.dig("AAAA", self.web), self.web_address)

    def test_06_what_is_private_behind_the_exit_stays_so(self):
        laptop, space = self.clients["laptop"], self.wired["node-1"]["namespace"]
        run(["nsenter", f"--net=/run/netns/{space}", "ip", "address", "add", "192.168.99.1/32", "dev", "lo"])
        self.processes.append(web_server(space))
        wait_for("the private page", lambda: run(["nsenter", f"--net=/run/netns/{space}", "curl", "-sS", "-m", "2", "http://192.168.99.1/"]).stdout)
        for address in ("192.168.99.1", "10.187.0.1", f"[{GATEWAY6}]"):
            refused = laptop.run("curl", "-sS", "-g", "-m", "3", f"http://{address}/", check=False)
            self.assertNotEqual(refused.returncode, 0, f"{address}: {refused.stdout}")

    def test_07_without_the_exit_there_is_none(self):
        phone = self.clients["phone"]
        phone.run("wg", "set", phone.device, "peer", phone.fields["PublicKey"], "allowed-ips", "::/0")
        phone.run("ip", "-6", "route", "add", f"{SERVER6}/128", "dev", phone.device)
        refused = phone.run("curl", "-sS", "-g", "-m", "3", f"http://[{SERVER6}]/", check=False)
        self.assertNotEqual(refused.returncode, 0, refused.stdout)

    def test_08_revoked_is_out_at_once(self):
        phone = self.clients["phone"]
        self.assertIn("hello", phone.curl(f"http://[{self.web_address}]/"))
        self.net.bonus("net", "revoke", "phone")
        answer = phone.run("curl", "-sS", "-g", "-m", "4", f"http://[{self.web_address}]/", check=False)
        self.assertNotEqual(answer.returncode, 0)
        self.assertNotIn("phone", self.invites())
        self.assertIn("hello", self.clients["laptop"].curl(f"http://[{self.web_address}]/"))

    def settings(self, mine, other, *more):
        """Lines of a router's [net]."""
        announced = [mine.net4, mine.net6, "10.99.0.0/24"]
        return (f"subnets = {json.dumps(announced)}", 'subnet_device = "lan0"', *more)

    def routes(self, name):
        return self.in_node(name, "ip", "route").stdout + self.in_node(name, "ip", "-6", "route").stdout

    def in_node(self, name, *argv, check=True):
        return run(["nsenter", "-t", self.names[name]["pid"], "-n", "-m", "-r", *argv], check=check)

    def test_09_two_offices_and_what_was_not_accepted(self):
        first, second = (Office(number, self.wired[name]["namespace"]) for number, name in ((71, "node-2"), (72, "node-3")))
        type(self).offices = (first, second)
        self.addClassCleanup(first.close)
        self.addClassCleanup(second.close)
        ids = {name: node["id"] for name, node in self.names.items()}
        accept = [f"{ids['node-3']}={second.net4}", f"{ids['node-3']}={second.net6}"]
        self.configure("node-2", *self.settings(first, second, f"accept = {json.dumps(accept)}"))
        self.configure("node-3", *self.settings(second, first))
        devices = {d["ifname"]: d for d in json.loads(self.in_node("node-2", "ip", "-j", "address", "show", "dev", "lan0").stdout)}
        self.assertIn(first.router4, json.dumps(devices["lan0"]), "the device kept its addresses")
        wait_for("the route of the one that accepts", lambda: f"{second.net4} dev bonus0" in self.routes("node-2"), timeout=60)
        self.assertIn(f"{second.net6} dev bonus0", self.routes("node-2"))
        self.assertNotIn("10.99.0.0", self.routes("node-2"), "announced, but no rule of ours names it")
        self.assertNotIn(first.net4, self.routes("node-3"))
        refused = first.run("curl", "-sS", "-m", "3", f"http://{second.host4}/", check=False)
        self.assertNotEqual(refused.returncode, 0, "the other side has not accepted this one's network")

    def test_10_site_to_site(self):
        first, second = self.offices
        ids = {name: node["id"] for name, node in self.names.items()}
        accept = [f"{ids['node-2']}={first.net4}", f"{ids['node-2']}={first.net6}"]
        self.configure("node-3", *self.settings(second, first, f"accept = {json.dumps(accept)}"))
        wait_for("the route back", lambda: f"{first.net4} dev bonus0" in self.routes("node-3"), timeout=60)
        page = wait_for("the other office's page", lambda: first.curl(second.host4, check=False))
        self.assertEqual(page, f"you are ::ffff:{first.host4}", "no translation on the way")
        self.assertEqual(second.curl(first.host4), f"you are ::ffff:{second.host4}")
        self.assertEqual(second.curl(f"[{first.host6}]"), f"you are {second.host6}")
        first.run("ping", "-c", "1", "-W", "2", "-s", "1450", second.host4, check=False)  # learns what fits by "fragmentation needed"
        for size in ("56", "1450"):
            self.assertIn(" 0% packet loss", first.run("ping", "-c", "3", "-i", "0.3", "-W", "5", "-s", size, second.host4).stdout)
        # Nobody else is led there: neither the gateway's clients nor the machine of another node.
        laptop = self.clients["laptop"]
        self.assertNotEqual(laptop.run("curl", "-sS", "-m", "3", f"http://{second.host4}/", check=False).returncode, 0)
        self.assertNotIn(first.net4, self.routes("node-1"))

    def test_11_the_device_goes_home_with_its_addresses(self):
        first = self.offices[0]
        self.net.kill("node-2", signal.SIGTERM)
        text = run(["nsenter", f"--net=/run/netns/{first.machine}", "ip", "address", "show", "dev", "lan0"]).stdout
        for address in (first.router4, first.router6):
            self.assertIn(address, text)
        self.net.start("node-2")
        wait_for("the offices again", lambda: first.curl(self.offices[1].host4, check=False), timeout=60)
        # One that is killed cannot give it back; its namespace lives on with the shim of a container, where the next one finds it.
        self.net.bonus("run", "--name", "late", "--memory", "64Mi", "--cpu", "100m", "--disk", "64Mi", "--port", "80", "web:1", timeout=240)
        worker = next(node["name"] for node in self.net.nodes() if node["name"] != "node-1" and self.neighbours(node["pid"]))
        self.net.kill(worker)
        self.net.start(worker)
        wait_for("the offices after the crash", lambda: first.curl(self.offices[1].host4, check=False), timeout=60)

    @staticmethod
    def neighbours(pid):
        """Shims in the node's network namespace."""
        space, out = pathlib.Path(f"/proc/{pid}/ns/net").readlink(), []
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (process / "ns/net").readlink() == space and b"bonus-shim" in (process / "cmdline").read_bytes():
                    out.append(process.name)
        return out

    def rent(self, name, *options):
        self.net.bonus("run", "--name", name, "--memory", "64Mi", "--cpu", "100m", "--disk", "128Mi", "--no-wait", *options, "tools:1")

    def inside(self, name, *argv, check=False):
        return self.net.bonus("exec", name, "--", *argv, check=check)

    def test_12_a_container_without_permission_or_exit_stays_inside(self):
        images.program_image(self.net.dir / "tools", ["curl", "getent", "/lib/x86_64-linux-gnu/libnss_dns.so.2"])
        self.net.bonus("image", "push", self.net.dir / "tools", "tools:1")
        self.rent("lost", "--internet")
        reason = wait_for("the lease to end", lambda: (text := json.dumps(self.net.json("inspect", "lost"))) and "no way to the Internet" in text and text)
        self.assertIn("net.use_exit", reason)
        self.net.bonus("stop", "lost", check=False)
        self.configure("node-2", "exit = true", self.names_by)
        self.configure("node-3", f'use_exit = "{self.names["node-1"]["id"]}"', self.names_by)
        self.rent("inner")
        wait_for("the container", lambda: "home" in self.inside("inner", "/bin/echo", "home").stdout)
        for address in (self.wired["internet"]["public"], f"[{SERVER6}]"):
            refused = self.inside("inner", "/usr/bin/curl", "-sS", "-g", "-m", "3", f"http://{address}/")
            self.assertNotEqual(refused.returncode, 0, refused.stdout)
        self.assertEqual(self.inside("inner", "/usr/bin/getent", "ahostsv4", SITE).stdout, "", "names of the Internet are for those who may go there")
        self.assertIn(self.web_address, self.inside("inner", "/usr/bin/getent", "ahostsv6", self.web).stdout)

    def leases(self, name):
        """The running leases of an order; an identifier that `bonus exec` takes."""
        return [str(one["id"]) for one in self.net.json("inspect", name)["leases"] if one["state"] == "running"]

    def seen_by_the_internet(self, lease):
        return self.inside(lease, "/usr/bin/curl", "-sS", "-m", "4", f"http://{self.server}/").stdout

    def test_13_containers_reach_the_internet_through_their_worker_and_through_another_node(self):
        self.rent("outer", "--internet", "--replicas", "2", "--distinct")
        both = wait_for("the containers", lambda: len(found := self.leases("outer")) == 2 and found)
        pages = {wait_for("the page", lambda lease=lease: self.seen_by_the_internet(lease)): lease for lease in both}
        ways = {"node-1": GATEWAY6, "node-2": OWN6}  # node-3 uses node-1's exit, node-2 is its own
        self.assertEqual(set(pages), {f"you are ::ffff:{self.wired[name]['public']}" for name in ways})
        for name, address6 in ways.items():
            lease = pages[f"you are ::ffff:{self.wired[name]['public']}"]
            with self.subTest(exit=name):
                self.assertEqual(self.inside(lease, "/usr/bin/curl", "-sS", "-g", "-m", "4", f"http://[{SERVER6}]/").stdout, f"you are {address6}")
                self.assertIn(self.server, self.inside(lease, "/usr/bin/getent", "ahostsv4", SITE).stdout)
                self.assertIn(SERVER6, self.inside(lease, "/usr/bin/getent", "ahostsv6", SITE).stdout)
                self.assertEqual(self.inside(lease, "/usr/bin/curl", "-sS", "-4", "-m", "4", f"http://{SITE}/").stdout,
                                 f"you are ::ffff:{self.wired[name]['public']}")
                self.assertIn(self.web_address, self.inside(lease, "/usr/bin/getent", "ahostsv6", self.web).stdout)
                self.assertIn("hello", self.inside(lease, "/usr/bin/curl", "-sS", "-g", "-m", "4", f"http://{self.web}/").stdout)
                for address in ("192.168.99.1", "10.187.0.1", f"[{address6}]", self.wired[name]["public"]):
                    refused = self.inside(lease, "/usr/bin/curl", "-sS", "-g", "-m", "3", f"http://{address}/")
                    self.assertNotEqual(refused.returncode, 0, f"{address}: {refused.stdout}")
        type(self).both = both

    def test_14_all_come_back_after_a_restart(self):
        for name in ("node-1", "node-2", "node-3"):
            self.net.kill(name)
            self.net.start(name)
            for lease in self.both:
                wait_for(f"the Internet after {name} was killed", lambda lease=lease: "you are" in self.seen_by_the_internet(lease), timeout=60)


if __name__ == "__main__":
    main()
