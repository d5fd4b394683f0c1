"""The files that the managed plugin is created of: built once for each state of the repository."""

from __future__ import annotations

import hashlib
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from dockerlab import engines, images, settings, store
from dockerlab.commands import call
from dockerlab.lab import Lab

_SOURCES = ("Dockerfile", "config.json", "requirements.lock", "setup.cfg", "contrib/plugin")
_PACKAGE = "plugin/pyflat"
_OLD = 24 * 3600


def fetch() -> Path:
    """The folder for `docker plugin create`, built in a lab of its own if need be."""
    # Beforehand: nothing else can be made meanwhile.
    engines.get(engines.NEWEST)
    images.archive(images.get("plugin-base"))
    folder = store.folder(f"plugin/{_digest()}", _fill)
    folder.touch()
    return folder


def _digest() -> str:
    found = hashlib.sha256()
    for path in sorted(_sources()):
        found.update(f"{path.relative_to(settings.REPOSITORY)}\0".encode())
        found.update(path.read_bytes())
    return found.hexdigest()[:12]


def _sources() -> Iterator[Path]:
    for name in (*_SOURCES, _PACKAGE):
        path = settings.REPOSITORY / name
        files = path.rglob("*") if path.is_dir() else iter((path,))
        yield from (f for f in files if f.is_file() and f.parent.name != "__pycache__")


def build(folder: Path) -> None:
    """Build them anew, in a lab of its own."""
    name = f"build-{secrets.token_hex(3)}"
    with Lab.up(name, engine=engines.NEWEST, plugin=False, images=()) as lab:
        host = lab.host("h1")
        own = {
            "DOCKER_HOST": host.docker_host,
            "PYTHONPATH": str(settings.REPOSITORY / "contrib/lab"),
        }
        script = settings.REPOSITORY / "contrib/plugin/build.py"
        call(sys.executable, script, folder, env=host.environment() | own)


def _fill(work: Path) -> None:
    _remove_old()
    build(work)


def _remove_old() -> None:
    """Remove what nobody has asked for of late."""
    for folder in (settings.cache() / "plugin").glob("*"):
        if time.time() - folder.stat().st_mtime > _OLD:
            shutil.rmtree(folder)


if __name__ == "__main__":
    build(Path(sys.argv[1]).absolute())
