"""Gathers what the managed plugin runs, and nothing else: ``gather.py SITE ROOT``.

Runs in the image that has it all, with nothing but Python. SITE is a folder of Python packages.
"""

import compileall
import os
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

_PYTHON = Path(os.path.realpath(sys.executable))
_STDLIB = Path(sysconfig.get_path("stdlib"))
_LIBRARIES = Path("/usr/lib") / sysconfig.get_config_var("MULTIARCH")
_PACKAGES = Path("usr/lib/python3/dist-packages")
_PROGRAMS = (
    _PYTHON,
    Path("/usr/sbin/dnsmasq"),
    Path("/usr/lib/systemd/systemd-socket-proxyd"),
    Path("/usr/sbin/xtables-nft-multi"),
    Path("/usr/sbin/xtables-legacy-multi"),
)
#: What dpkg(1) knows, and where the root file system says it of the packages that it is made of.
_DPKG, _ORIGINS = Path("/var/lib/dpkg"), Path("usr/share/pyflat/packages")
#: Libraries that no file names; the second is for threads that end.
_LOADED_LATER = ("libnftables.so.1", "libgcc_s.so.1")
#: Of the standard library, what no plugin needs; most of it needs further libraries.
_UNNEEDED = shutil.ignore_patterns(
    *("__pycache__", "config-*", "distutils", "ensurepip", "idlelib", "lib2to3", "pydoc_data"),
    *("test", "tkinter", "turtledemo", "sitecustomize.py", "EXTERNALLY-MANAGED"),
    *("_curses*", "_dbm*", "_gdbm*", "_tkinter*", "nis.*", "readline.*"),
)
_PROGRAM = """#!/usr/bin/python3
import os

from pyflat.cli import main

# dockerd has made it for root alone, and what speaks with strangers runs as nobody.
os.chmod("/", 0o755)
main()
"""
_LINKS = {
    **{folder: f"usr/{folder}" for folder in ("bin", "lib", "lib64", "sbin")},
    "usr/bin/python3": _PYTHON.name,
    # Which of the two the host uses is found out there.
    **{
        f"usr/sbin/{family}-{variant}": f"xtables-{variant}-multi"
        for family in ("iptables", "ip6tables")
        for variant in ("nft", "legacy")
    },
    # What belongs to the host.
    "var/run": "../run",
    "run/docker/netns": "/host/run/docker/netns",
    "run/systemd": "/host/run/systemd",
    "run/xtables.lock": "/host/run/xtables.lock",
    "etc/machine-id": "/host/etc/machine-id",
}
_FILES = {
    "etc/passwd": "root:x:0:0:root:/:/bin/false\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
    "usr/bin/pyflat": _PROGRAM,
}
#: Of the packages, what only those are for who install packages.
_FOR_INSTALLING = shutil.ignore_patterns(
    *("bin", "setuptools*", "_distutils_hack", "distutils-precedence.pth", Path(__file__).name),
    *("direct_url.json", "INSTALLER", "RECORD", "REQUESTED"),
)


def main(site: Path, root: Path) -> None:
    """Make the root file system."""
    for folder in ("usr/bin", "usr/lib64", "usr/sbin", "var", "run/docker/plugins", "etc", "tmp"):
        (root / folder).mkdir(parents=True)
    for name, target in _LINKS.items():
        (root / name).symlink_to(target)
    for name, text in _FILES.items():
        (root / name).write_text(text)
        (root / name).chmod(0o755 if text.startswith("#!") else 0o644)
    shutil.copytree(_STDLIB, _inside(root, _STDLIB), ignore=_UNNEEDED)
    shutil.copytree(_LIBRARIES / "xtables", _inside(root, _LIBRARIES / "xtables"))
    shutil.copytree(site, root / _PACKAGES, ignore=_FOR_INSTALLING)
    for path in (*_PROGRAMS, *(_LIBRARIES / name for name in _LOADED_LATER)):
        _copy(path, root)
    for path in set(_needed(root)):
        _copy(path, root)
    _compile(root)
    (root / _ORIGINS).parent.mkdir(parents=True)
    (root / _ORIGINS).write_text("".join(_origins(root)))


def _needed(root: Path) -> Iterator[Path]:
    """Give the libraries that the programs and modules load, and what loads them."""
    loader = next(Path("/lib64").glob("ld-linux-*"), None) or next(Path("/lib").glob("ld-linux-*"))
    yield loader
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.read_bytes()[:4] == b"\x7fELF":
            listed = subprocess.run(
                (loader, "--list", path), capture_output=True, text=True, check=True
            ).stdout
            for line in listed.splitlines():
                if "=> /" in line:
                    yield Path(line.split("=> ")[1].split(" (")[0])


def _origins(root: Path) -> Iterator[str]:
    """Give name, version and architecture of each package of Debian that a file is of."""
    present = {path.relative_to(root) for path in root.rglob("*") if not path.is_dir()}
    for stanza in sorted((_DPKG / "status").read_text().strip().split("\n\n")):
        fields = dict(re.findall(r"^(Package|Version|Architecture): (.*)$", stanza, re.MULTILINE))
        name, version, architecture = (fields[k] for k in ("Package", "Version", "Architecture"))
        listed = (_DPKG / f"info/{each}.list" for each in (name, f"{name}:{architecture}"))
        lines = chain(*(each.read_text().splitlines() for each in listed if each.exists()))
        if any(_merged(Path(line)) in present for line in lines):
            yield f"{name} {version} {architecture}\n"


def _merged(path: Path) -> Path:
    """Give a path of a package below the root, where /bin, /lib and /sbin are in /usr."""
    inner = path.relative_to("/")
    return (
        "usr" / inner if inner.parts[:1] in {("bin",), ("lib",), ("lib64",), ("sbin",)} else inner
    )


def _copy(path: Path, root: Path) -> None:
    """Copy a file to its place; a link becomes what it leads to."""
    target = _inside(root, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path, target)


def _inside(root: Path, path: Path) -> Path:
    """Give the place of a path in the new root, whose /lib is a link as well."""
    return root / (path.parent.resolve() / path.name).relative_to("/")


def _compile(root: Path) -> None:
    """Compile all modules; what is installed never changes, so nobody compares the dates."""
    for folder in (_inside(root, _STDLIB), root / _PACKAGES):
        done = compileall.compile_dir(
            folder,
            maxlevels=20,
            quiet=1,
            stripdir=str(root),
            prependdir="/",
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
        if not done:
            sys.exit(f"{folder}: not everything could be compiled")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
