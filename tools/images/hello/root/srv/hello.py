# A small HTTP/1.1 server for the demonstration: /, /health, /stream, /info. Only what python3-minimal brings.
import os
import signal
import socket
import sys
import threading
import time

PORT = int(os.environ.get("PORT", "80"))
MAX_HEAD_BYTES = 16 << 10
MAX_CONNECTIONS = 256
STARTED = time.monotonic()

slots = threading.BoundedSemaphore(MAX_CONNECTIONS)
lock = threading.Lock()
requests = 0

PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Hello from BonusCloud</title>
<style>
 body{{font:16px/1.6 system-ui,sans-serif;max-width:38rem;margin:12vh auto;padding:0 1rem;color:#1c2530;background:#fbfcfe}}
 h1{{font-size:1.7rem;margin-bottom:.3rem}} dl{{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1.2rem}}
 dt{{color:#5a6b7f}} dd{{margin:0;font-family:ui-monospace,monospace}} a{{color:#0b62d6}}
</style></head>
<body><h1>Hello from BonusCloud</h1>
<p>This container was ordered on the chain, matched with a worker and started there.</p>
<dl><dt>host</dt><dd>{host}</dd><dt>lease</dt><dd>{lease}</dd><dt>requests</dt><dd>{count}</dd><dt>up for</dt><dd>{up} s</dd></dl>
<p><a href="/stream">/stream</a> sends a line each second, <a href="/info">/info</a> the same as text, <a href="/health">/health</a> says ok.</p>
</body></html>
"""


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def facts(count):
    return {
        "host": socket.gethostname(),
        "lease": os.environ.get("BONUS_LEASE", "none"),
        "count": count,
        "up": int(time.monotonic() - STARTED),
    }


def read_head(connection):
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(4096)
        if not piece or len(head) > MAX_HEAD_BYTES:
            return None
        head += piece
    return head.split(b"\r\n\r\n", 1)[0].decode("latin-1")


def answer(connection, status, kind, body, send_body=True):
    data = body.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Length: {len(data)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    connection.sendall(head.encode() + (data if send_body else b""))


def stream(connection):
    connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nTransfer-Encoding: chunked\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    for i in range(1, 31):
        line = f"{i} of 30, {facts(requests)['host']} is up for {facts(requests)['up']} s\n".encode()
        connection.sendall(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        time.sleep(1)
    connection.sendall(b"0\r\n\r\n")


def serve(connection):
    global requests
    connection.settimeout(30)
    head = read_head(connection)
    if head is None:
        return
    words = head.split("\r\n", 1)[0].split(" ")
    if len(words) != 3:
        return answer(connection, "400 Bad Request", "text/plain", "not HTTP\n")
    method, path = words[0], words[1].split("?", 1)[0]
    if method not in ("GET", "HEAD"):
        return answer(connection, "405 Method Not Allowed", "text/plain", "only GET and HEAD\n")
    if path == "/health":
        return answer(connection, "200 OK", "text/plain", "ok\n", method == "GET")
    with lock:
        requests += 1
        count = requests
    print(f"{method} {path[:200]} #{count}", flush=True)
    if path == "/":
        values = {key: escape(str(value)) for key, value in facts(count).items()}
        return answer(connection, "200 OK", "text/html", PAGE.format(**values), method == "GET")
    if path == "/info":
        text = "".join(f"{key}: {value}\n" for key, value in facts(count).items())
        return answer(connection, "200 OK", "text/plain", text, method == "GET")
    if path == "/stream" and method == "GET":
        return stream(connection)
    return answer(connection, "404 Not Found", "text/plain", "there is nothing here\n", method == "GET")


def work(connection):
    try:
        with connection:
            serve(connection)
    except OSError:
        pass  # the client went away
    finally:
        slots.release()


def main():
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    listener = socket.create_server(("0.0.0.0", PORT), backlog=128)
    if os.geteuid() == 0:
        # The port is bound: nothing below needs to be root.
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        except OSError as error:
            print(f"staying root: {error}", file=sys.stderr)
    print(f"listening on port {PORT}", flush=True)
    while True:
        connection, _ = listener.accept()
        slots.acquire()
        threading.Thread(target=work, args=(connection,), daemon=True).start()


main()
