"""What is planted on a host, and taken away again."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from dockerlab.host import Host


@contextmanager
def commands(host: Host, plant: str, undo: str) -> Iterator[None]:
    """Run one command of a shell, and at the end another."""
    host.run("sh", "-c", plant, check=True)
    try:
        yield
    finally:
        host.run("sh", "-c", undo, check=True)


def closed(host: Host, device: str) -> AbstractContextManager[None]:
    """Keep an interface from forwarding IPv4: pyflat would mend what it can write."""
    switch = f"/proc/sys/net/ipv4/conf/{device}/forwarding"
    plant = (
        f"echo 0 >/run/closed; echo 0 >{switch}; mount --bind /run/closed {switch}; "
        f"mount -o remount,bind,ro {switch}"
    )
    return commands(host, plant, f"umount {switch}; echo 1 >{switch}")
