"""Where a tunnel begins: by an interface, by an address that others know, or by a route."""

import pytest
from netaddr import IPAddress
from tests.support.underlay import HERE, PEER, add_segment
from tests.support.witness import run

from pyflat.dataplane.underlay import find_tunnel

KNOWN = IPAddress("198.51.100.7")


@pytest.fixture(autouse=True)
def two_uplinks(other: str) -> None:
    add_segment(other)
    run("ip", "link", "add", "eth1", "type", "bridge")
    run("ip", "address", "add", f"{KNOWN}/24", "dev", "eth1")


def ends(device: str = "", known_by: IPAddress | None = None) -> tuple[str, str]:
    found = find_tunnel(device, [IPAddress(PEER[4])], known_by)
    return found.device, str(found.address)


def test_it_is_where_the_route_to_the_others_leads() -> None:
    assert ends() == ("eth0", HERE[4])


def test_it_is_at_the_address_that_others_know_this_host_by() -> None:
    assert ends(known_by=KNOWN) == ("eth1", str(KNOWN))


def test_an_address_that_no_interface_has_says_nothing() -> None:
    """As behind a router that translates it."""
    assert ends(known_by=IPAddress("203.0.113.9")) == ("eth0", HERE[4])


def test_an_interface_that_is_named_comes_first() -> None:
    assert ends("eth0", KNOWN) == ("eth0", HERE[4])
