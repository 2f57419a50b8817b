"""Small real images for tests, made of Debian's busybox-static: one static binary, so that building takes no time."""
import gzip
import hashlib
import io
import json
import pathlib
import shutil
import subprocess
import tarfile

BUSYBOX = "/bin/busybox"


def _blob(layout, content):
    digest = hashlib.sha256(content).hexdigest()
    path = layout / "blobs/sha256" / digest
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return {"digest": f"sha256:{digest}", "size": len(content)}


def _tar(entries):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, content in entries:
            tar.addfile(info, io.BytesIO(content) if content is not None else None)
    return raw.getvalue()


def busybox_entries():
    binary = pathlib.Path(BUSYBOX).read_bytes()

    def folder(name, mode=0o755):
        info = tarfile.TarInfo(name)
        info.type, info.mode = tarfile.DIRTYPE, mode
        return info, None

    def file(name, content, mode=0o644):
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content), mode
        return info, content

    def link(name, target):
        info = tarfile.TarInfo(name)
        info.type, info.linkname = tarfile.SYMTYPE, target
        return info, None

    entries = [folder("bin"), folder("etc"), folder("www"), folder("tmp", 0o1777), folder("proc"), folder("sys"), folder("dev"),
               file("bin/busybox", binary, 0o755), file("etc/passwd", b"root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n"),
               file("www/index.html", b"<h1>hello from a rented container</h1>\n")]
    entries += [link(f"bin/{name}", "busybox") for name in ("sh", "httpd", "cat", "ls", "sleep", "echo", "dd", "id", "mount", "hostname", "ps", "nc", "wget", "true", "false", "kill", "stty", "tail", "head", "yes", "od", "mkdir", "touch", "date", "test", "printf")]
    return entries


def write_layout(layout, cmd, entries=None, ports=(), layers=None):
    """An OCI image layout with one gzip layer of `entries` (or ready-made `layers`: compressed bytes, uncompressed bytes)."""
    layout = pathlib.Path(layout)
    shutil.rmtree(layout, ignore_errors=True)
    layout.mkdir(parents=True)
    if layers is None:
        raw = _tar(entries or busybox_entries())
        layers = [(gzip.compress(raw, 6, mtime=0), raw)]
    config = {"architecture": "amd64", "os": "linux",
              "config": {"Cmd": list(cmd), "Env": ["PATH=/bin"], "ExposedPorts": {f"{port}/tcp": {} for port in ports}},
              "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(raw).hexdigest() for _, raw in layers]}}
    config_blob = _blob(layout, json.dumps(config, sort_keys=True).encode())
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **config_blob},
                "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", **_blob(layout, packed)} for packed, _ in layers]}
    manifest_blob = _blob(layout, json.dumps(manifest, sort_keys=True).encode())
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
             "manifests": [{"mediaType": manifest["mediaType"], **manifest_blob, "platform": {"architecture": "amd64", "os": "linux"},
                            "annotations": {"org.opencontainers.image.ref.name": "latest"}}]}
    (layout / "index.json").write_text(json.dumps(index))
    (layout / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    return manifest_blob["digest"]


def web_image(layout):
    """Serves /www on port 80."""
    return write_layout(layout, ["/bin/busybox", "httpd", "-f", "-p", "80", "-h", "/www"], ports=(80,))


def shell_image(layout):
    """Runs whatever shell command the order names."""
    return write_layout(layout, ["/bin/sh", "-c", "sleep 1000000"])


def hostile_image(layout):
    """A layer that tries to write outside the container's root through a symbolic link and through `..`."""
    escape = tarfile.TarInfo("bin/../../../../tmp/bonus-escaped")
    escape.size = 6
    link = tarfile.TarInfo("out")
    link.type, link.linkname = tarfile.SYMTYPE, "/tmp"
    through = tarfile.TarInfo("out/bonus-escaped")
    through.size = 6
    entries = busybox_entries() + [(link, None), (through, b"pwned\n"), (escape, b"pwned\n")]
    return write_layout(layout, ["/bin/sh"], entries=entries)


def program_image(layout, programs, files=()):
    """busybox and these programs of the machine with the libraries they need; sleeps until something is executed in it.

    `files`: further ones, (path, bytes), readable by their owner only."""
    entries, seen = busybox_entries(), set()
    wanted = [pathlib.Path(shutil.which(name) or name) for name in programs]
    for program in list(wanted):
        listing = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
        wanted += [pathlib.Path(word) for line in listing.splitlines() for word in line.split() if word.startswith("/")]
    names = {info.name for info, _ in entries}

    def parents(path):
        for parent in reversed(path.parents):
            name = str(parent).lstrip("/")
            if name and name != "." and name not in names:
                names.add(name)
                info = tarfile.TarInfo(name)
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                entries.append((info, None))

    for path in wanted:
        name = str(path).lstrip("/")
        # Merged /usr: /lib and /bin are folders of the image.
        name = name.removeprefix("usr/") if name.startswith(("usr/lib/", "usr/lib64/")) else name
        if name in seen:
            continue
        seen.add(name)
        content = path.resolve().read_bytes()
        parents(pathlib.PurePosixPath("/" + name))
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content), 0o755
        entries.append((info, content))
    for path, content in files:
        parents(pathlib.PurePosixPath("/" + path))
        info = tarfile.TarInfo(path)
        info.size, info.mode = len(content), 0o600
        entries.append((info, content))
    for link_name, target in (("lib64", None), ("usr/lib", "../lib"), ("usr/lib64", "../lib64")):
        if target and link_name not in names:
            info = tarfile.TarInfo(link_name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            parents(pathlib.PurePosixPath("/" + link_name))
            entries.append((info, None))
    return write_layout(layout, ["/bin/busybox", "sleep", "1000000"], entries=entries)
