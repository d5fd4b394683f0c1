"""Network namespaces: a fresh one for a test, others for its containers."""

import contextlib
import ctypes
import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def fresh_namespace() -> Iterator[None]:
    """Have this thread, and all that it starts, in a new network namespace for a while."""
    with Path("/proc/thread-self/ns/net").open() as before:
        _check(_libc.unshare(_CLONE_NEWNET))
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            yield
        finally:
            _check(_libc.setns(before.fileno(), _CLONE_NEWNET))


@contextlib.contextmanager
def container_namespace() -> Iterator[str]:
    """Make a named namespace that interfaces can be moved to; it takes them along at its end."""
    name = f"pyflat-test-{secrets.token_hex(4)}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        yield name
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=False)


def _check(result: int) -> None:
    if result:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
