"""Announcements: a neighbour's caches are right at once after an address has moved."""

import json

import pytest
from netaddr import IPAddress
from tests.support.namespaces import within
from tests.support.witness import eventually, run

from pyflat.dataplane.announce import announce

pytestmark = pytest.mark.quick

BEFORE, AFTER = "02:42:00:00:00:01", "02:42:00:00:00:02"
ADDRESSES = ("172.30.0.9", "fd00::9")


@pytest.fixture
def neighbour(container: str) -> str:
    """A container on a bridge, which believes the addresses to be behind a MAC that they left."""
    run("ip", "link", "add", "br0", "type", "bridge")
    run("ip", "link", "add", "port", "master", "br0", "type", "veth", "peer", "eth0")
    run("ip", "link", "set", "eth0", "netns", container)
    for link in ("br0", "port"):
        run("ip", "link", "set", link, "up")
    inside = ("ip", "-n", container)
    run(*inside, "link", "set", "eth0", "up")
    run(*inside, "address", "add", "172.30.0.2/24", "dev", "eth0")
    run(*inside, "address", "add", "fd00::2/64", "dev", "eth0", "nodad")
    for address in ADDRESSES:
        words = ("neigh", "add", address, "lladdr", BEFORE, "dev", "eth0", "nud", "stale")
        run(*inside, *words)
    return container


def known(neighbour: str, address: str) -> str:
    with within(neighbour):
        entries = json.loads(run("ip", "-j", "neigh", "show", address))
    (entry,) = entries
    return str(entry["lladdr"])


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_neighbour_learns_the_new_mac(neighbour: str, address: str) -> None:
    assert known(neighbour, address) == BEFORE
    announce("br0", IPAddress(address), AFTER)
    assert eventually(lambda: known(neighbour, address) == AFTER)


def test_a_port_that_answers_itself_passes_none_of_it_on(neighbour: str) -> None:
    run("bridge", "link", "set", "dev", "port", "neigh_suppress", "on")
    for address in ADDRESSES:
        announce("br0", IPAddress(address), AFTER)
    assert not eventually(lambda: any(known(neighbour, a) == AFTER for a in ADDRESSES), 0.5)


def test_a_bridge_that_is_gone_has_nobody_to_be_told(namespace: None) -> None:
    announce("br0", IPAddress(ADDRESSES[0]), AFTER)
