"""Network namespaces: a fresh one for a test, others for its containers."""

import contextlib
import ctypes
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from tests.support.witness import run

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def fresh_namespace() -> Iterator[None]:
    """Have this thread, and all that it starts, in a new network namespace for a while."""
    with _returning():
        _check(_libc.unshare(_CLONE_NEWNET))
        run("ip", "link", "set", "lo", "up")
        yield


@contextlib.contextmanager
def within(name: str) -> Iterator[None]:
    """Have this thread in a named namespace for a while; a socket stays where it was made."""
    with _returning(), Path("/run/netns", name).open() as there:
        _check(_libc.setns(there.fileno(), _CLONE_NEWNET))
        yield


@contextlib.contextmanager
def container_namespace() -> Iterator[str]:
    """Make a named namespace that interfaces can be moved to; it takes them along at its end."""
    name = f"pyflat-test-{secrets.token_hex(4)}"
    run("ip", "netns", "add", name)
    try:
        yield name
    finally:
        run("ip", "netns", "delete", name, check=False)


def add_way_out(name: str, v4: str, v6: str) -> None:
    """Make an interface with a default route of each family, from the starts of its subnets."""
    run("ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}-peer")
    for end in (name, f"{name}-peer"):
        run("ip", "link", "set", end, "up")
    for address, gateway in ((f"{v4}.2/24", f"{v4}.1"), (f"{v6}::2/64", f"{v6}::1")):
        family = "-6" if ":" in address else "-4"
        run("ip", family, "address", "add", address, "dev", name)
        metric = str(100 + len(name))
        route = (family, "route", "add", "default", "via", gateway, "dev", name, "metric", metric)
        run("ip", *route)


@contextlib.contextmanager
def _returning() -> Iterator[None]:
    with Path("/proc/thread-self/ns/net").open() as before:
        try:
            yield
        finally:
            _check(_libc.setns(before.fileno(), _CLONE_NEWNET))


def _check(result: int) -> None:
    if result:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
