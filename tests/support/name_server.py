"""A name server for the Internet of a topology: authoritative for the names it is given, UDP and TCP, everything else is NXDOMAIN.

`start(namespace, {name: [address, ...]})` runs it there on port 53 of all IPv4 addresses.
"""
import ipaddress
import json
import socketserver
import struct
import subprocess
import sys
import threading

A, AAAA, IN, NXDOMAIN = 1, 28, 1, 3


def answer(query, zone):
    """The reply to one query (RFC 1035, section 4); None: it is none."""
    if len(query) < 17 or query[2] & 0x80 or query[4:6] != b"\0\1":
        return None
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
        at += 1 + query[at]
    question = query[12:at + 5]
    kind, _ = struct.unpack(">HH", question[-4:])
    known = zone.get(".".join(labels))
    found = [a.packed for a in map(ipaddress.ip_address, known or []) if kind == (A if a.version == 4 else AAAA)]
    head = struct.pack(">HHHHHH", *struct.unpack(">H", query[:2]), 0x8580 | (0 if known else NXDOMAIN), 1, len(found), 0, 0)
    records = b"".join(struct.pack(">HHHIH", 0xC00C, kind, IN, 60, len(one)) + one for one in found)
    return head + question + records


def serve(zone):
    class Datagram(socketserver.BaseRequestHandler):
        def handle(self):
            query, sock = self.request
            if (reply := answer(query, zone)) is not None:
                sock.sendto(reply, self.client_address)

    class Stream(socketserver.StreamRequestHandler):
        def handle(self):
            while len(size := self.rfile.read(2)) == 2:
                reply = answer(self.rfile.read(*struct.unpack(">H", size)), zone)
                if reply is None:
                    return
                self.wfile.write(struct.pack(">H", len(reply)) + reply)

    socketserver.TCPServer.allow_reuse_address = True
    stream = socketserver.ThreadingTCPServer(("0.0.0.0", 53), Stream)
    stream.daemon_threads = True
    threading.Thread(target=stream.serve_forever, daemon=True).start()
    socketserver.ThreadingUDPServer(("0.0.0.0", 53), Datagram).serve_forever()


def start(namespace, zone):
    return subprocess.Popen(["nsenter", f"--net=/run/netns/{namespace}", sys.executable, __file__, json.dumps(zone)])


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
