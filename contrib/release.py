"""Makes a release of the commit that is checked out: ``release.py FOLDER``.

The folder gets the sources, a wheel, the managed plugin for this machine's architecture, a bill of
materials (SBOM) and SHA256SUMS of them. The same commit gives the same bytes wherever it is built,
as long as Debian has the same packages.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[1]


def main(target: Path) -> None:
    """Make it; SystemExit if the working tree is not the commit."""
    if _git("status", "--porcelain"):
        sys.exit("the working tree differs from the commit: commit first, or git stash")
    target.mkdir(parents=True, exist_ok=True)
    if list(target.iterdir()):
        sys.exit(f"{target} is not empty")
    epoch = int(_git("log", "-1", "--format=%ct"))
    os.environ["SOURCE_DATE_EPOCH"] = str(epoch)
    with tempfile.TemporaryDirectory(prefix="pyflat-release-") as folder:
        work = Path(folder)
        source = _check_out(work)
        wheel = _build_packages(source, work, target, epoch)
        version = wheel.name.split("-")[1]
        rootfs = _build_plugin(source, target, version, epoch)
        bill = _bill(work, wheel, source / "requirements.lock")
        bill["components"] += _of_debian(rootfs / "usr/share/pyflat/packages")
    (target / f"pyflat-{version}.cdx.json").write_text(json.dumps(bill, indent=2) + "\n")
    (target / "SHA256SUMS").write_text("".join(_sums(target)))


def _check_out(work: Path) -> Path:
    """Copy what the commit has, and nothing that lies about, with the same modes everywhere."""
    source = work / "source"
    packed = _run("git", "-C", ROOT, "-c", "tar.umask=0022", "archive", "HEAD")
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        tar.extractall(source, filter="tar")
    return source


def _build_packages(source: Path, work: Path, target: Path, epoch: int) -> Path:
    """Build the sources and the wheel; give the wheel."""
    built = work / "built"
    _run(sys.executable, "-m", "build", "--no-isolation", "--outdir", built, source)
    (wheel,) = built.glob("*.whl")
    shutil.copy(wheel, target)
    # setuptools takes the dates of its own files, which are those of now.
    (sources,) = built.glob("*.tar.gz")
    with tarfile.open(sources) as tar:
        tar.extractall(work / "sources", filter="data")
    _pack(work / "sources", target / sources.name, epoch)
    return target / wheel.name


def _build_plugin(source: Path, target: Path, version: str, epoch: int) -> Path:
    """Build what `docker plugin create` takes, in a lab of its own; give its root file system."""
    folder = source / "build/plugin"
    paths = {"PYTHONPATH": str(source / "contrib/lab")}
    _run(sys.executable, "-m", "dockerlab.pluginfiles", folder, env=os.environ | paths)
    architecture = _run("dpkg", "--print-architecture").decode().strip()
    _pack(folder, target / f"pyflat-plugin-{version}-{architecture}.tar.gz", epoch)
    return folder / "rootfs"


def _pack(folder: Path, target: Path, epoch: int) -> None:
    """Pack a folder; the bytes depend on names, contents and who may execute what, only."""
    with (
        target.open("wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder)
            tar.add(path, name, recursive=False, filter=partial(_plain, epoch))


def _plain(epoch: int, entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mtime = epoch
    entry.mode = 0o755 if entry.mode & 0o100 else 0o644
    return entry


def _bill(work: Path, wheel: Path, lock: Path) -> dict[str, Any]:
    """List what pyflat runs with, in the format of CycloneDX."""
    python = work / "environment/bin/python"
    _run(sys.executable, "-m", "venv", "--without-pip", work / "environment")
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    _run(*pip, "--python", python, "install", "--constraint", lock, wheel)
    # It says in which folder the wheel was.
    (origin,) = python.parents[1].glob("lib/*/site-packages/pyflat-*.dist-info/direct_url.json")
    origin.unlink()
    options = ("--output-reproducible", "--output-format", "JSON", "--output-file", "-")
    listing = _run(sys.executable, "-m", "cyclonedx_py", "environment", *options, python)
    bill: dict[str, Any] = json.loads(listing)
    return bill


def _of_debian(packages: Path) -> Iterator[dict[str, Any]]:
    """Give what the managed plugin has besides, by the list that it brings."""
    if not (lines := packages.read_text().splitlines()):
        sys.exit(
            "the plugin's base image does not tell its packages: remove it from the lab's cache"
        )
    for name, version, architecture in map(str.split, lines):
        purl = f"pkg:deb/debian/{name}@{quote(version)}?arch={architecture}&distro=debian-12"
        part = {"name": "pyflat:part", "value": "managed plugin"}
        yield {
            "type": "library",
            "bom-ref": purl,
            "name": name,
            "version": version,
            "purl": purl,
            "properties": [part],
        }


def _sums(target: Path) -> Iterator[str]:
    for path in sorted(target.iterdir()):
        with path.open("rb") as file:
            yield f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.name}\n"


def _git(*words: str) -> str:
    return _run("git", "-C", ROOT, *words).decode().strip()


def _run(*words: str | Path, env: dict[str, str] | None = None) -> bytes:
    """Run a command, which says itself what is wrong if something is, and give what it wrote."""
    done = subprocess.run(words, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, env=env)
    if done.returncode:
        sys.exit(f"{words[0]} has failed")
    return done.stdout


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
