"""The state folder, which belongs to one process at a time."""

import contextlib
import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pyflat.errors import StartupError

#: Seconds to wait for a predecessor that is about to end.
PATIENCE = 5.0
#: Seconds between two signs of life.
CHECK = 5.0

_ALIVE, _IDENTITY = "alive", "identity"


def lock_for_worker(folder: Path) -> IO[str]:
    """Take the folder for this process, waiting for its predecessor to end.

    Held as long as what is given is open: the process's end unlocks it.
    """
    lock = (folder / "worker.lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the state folder, after waiting a little for a predecessor that is ending."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (folder / "serve.lock").open("w")
    except OSError as error:
        raise StartupError(f"state folder {folder}: {error.strerror}") from error
    with lock:
        deadline = time.monotonic() + PATIENCE
        while not _try_lock(lock.fileno()):
            if time.monotonic() > deadline:
                raise StartupError(f"another pyflat uses the state folder {folder}")
            time.sleep(0.05)
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def identity(folder: Path) -> str:
    """Give what tells this host from another of its name; made at the first time."""
    file = folder / _IDENTITY
    if not file.exists():
        # Whole or not at all: a name that changed would lock this host out of its cluster.
        draft = folder / f"{_IDENTITY}.new"
        draft.write_text(uuid.uuid4().hex)
        draft.rename(file)
    return file.read_text()


def note_alive(folder: Path) -> None:
    """Note that the plugin lives now; a folder that cannot be written to is left alone."""
    with contextlib.suppress(OSError):
        (folder / _ALIVE).touch()


def note_end(folder: Path) -> None:
    """Note that the plugin lives until now and no longer."""
    now = time.time() - CHECK
    with contextlib.suppress(OSError):
        os.utime(folder / _ALIVE, (now, now))


def last_alive(folder: Path) -> float:
    """Give the Unix time up to which the plugin may have lived, 0 if it never did."""
    try:
        return (folder / _ALIVE).stat().st_mtime + CHECK
    except OSError:
        return 0.0
