"""The newest wireguard-go that Debian has (suite sid), unpacked into a folder of ours and never installed.

Debian 12's own build is of 2022 and predates segmentation offloads: setting a tunnel beside it would flatter the tunnel.
"""
import pathlib
import shutil
import subprocess


def _run(*argv, **options):
    return subprocess.run([str(a) for a in argv], check=True, capture_output=True, text=True, timeout=300, **options).stdout


def fetch(folder):
    """(program, what it is). Falls back to the installed one and says so."""
    folder = pathlib.Path(folder)
    try:
        # The mirror that this machine uses already; apt checks the signatures.
        uris = _run("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages").split()
        mirror = next(u for u in uris if u.rstrip("/").endswith("/debian"))
        for sub in ("lists/partial", "cache/archives/partial"):
            (folder / sub).mkdir(parents=True)
        source = folder / "sources.list"
        source.write_text(f"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {mirror} sid main\n")
        options = ["-o", f"Dir::Etc::sourcelist={source}", "-o", "Dir::Etc::sourceparts=-", "-o", f"Dir::State::lists={folder}/lists",
                   "-o", f"Dir::Cache={folder}/cache", "-o", "APT::Sandbox::User=root"]
        _run("apt-get", *options, "update")
        _run("apt-get", *options, "download", "wireguard-go", cwd=folder)
        package = next(folder.glob("wireguard-go_*.deb"))
        _run("dpkg-deb", "-x", package, folder / "root")
        return folder / "root/usr/bin/wireguard-go", "Debian sid, " + package.name.split("_")[1]
    except (OSError, subprocess.SubprocessError, StopIteration) as error:
        installed = shutil.which("wireguard-go")
        if installed is None:
            raise SystemExit(f"no wireguard-go: it cannot be fetched ({error}) and is not installed") from error
        version = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "wireguard-go"], capture_output=True, text=True).stdout
        return pathlib.Path(installed), f"INSTALLED, NOT THE NEWEST ({version or 'unknown version'})"
