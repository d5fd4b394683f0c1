"""The cache: folders that are there whole or not at all, whoever asks at the same time."""

from __future__ import annotations

import fcntl
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dockerlab import settings

_log = logging.getLogger(__name__)


def folder(name: str, fill: Callable[[Path], None]) -> Path:
    """The cached folder of this name; `fill` puts its contents into a new one if it is missing."""
    target = settings.cache() / name
    if target.exists():
        return target
    with _locked():
        if not target.exists():
            _fill(target, fill)
    return target


def cached(name: str) -> bool:
    """Whether the folder of this name is in the cache."""
    return (settings.cache() / name).exists()


def _fill(target: Path, fill: Callable[[Path], None]) -> None:
    _log.info("making %s", target)
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="tmp-", dir=settings.cache()))
    work.chmod(0o755)
    try:
        fill(work)
        work.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def _locked() -> Iterator[None]:
    settings.cache().mkdir(parents=True, exist_ok=True)
    with (settings.cache() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Under the lock nobody else fills: what lies about is of a process that was killed.
        for left in settings.cache().glob("tmp-*"):
            shutil.rmtree(left, ignore_errors=True)
        yield
