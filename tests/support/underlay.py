"""A host of overlays, and another on its segment that is made of the kernel alone."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.machine import Machine
from tests.support.witness import run

#: This host, one that has its overlays, and one that has none of them.
HERE = {4: "192.0.2.11", 6: "2001:db8:1::11"}
PEER = {4: "192.0.2.12", 6: "2001:db8:1::12"}
STRANGER = {4: "192.0.2.13", 6: "2001:db8:1::13"}


def add_segment(other: str) -> None:
    """Make eth0 and its addresses here, and its other end with two hosts' in a namespace."""
    run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", other)
    run("ip", "link", "set", "eth0", "up")
    run("ip", "-n", other, "link", "set", "eth0", "up")
    run("ip", "-n", other, "link", "set", "lo", "up")
    for version, length in ((4, 24), (6, 64)):
        add_address(HERE[version], length)
        for address in (PEER[version], STRANGER[version]):
            add_address(address, length, "-n", other)


def add_address(address: str, length: int, *where: str) -> None:
    """Add an address to eth0, usable at once."""
    nodad = ("nodad",) if ":" in address else ()
    run("ip", *where, "address", "add", f"{address}/{length}", "dev", "eth0", *nodad)


@contextmanager
def overlay_host(placement: str) -> Iterator[Machine]:
    """Have a machine whose overlays lie in the host's namespace, or in one of their own."""
    path = Path(f"/run/netns/pyflat-test-{secrets.token_hex(4)}")
    machine = Machine(namespace=path if placement == "inside" else None)
    try:
        yield machine
    finally:
        machine.close()
        if placement == "inside":
            run("ip", "netns", "delete", path.name, check=False)
