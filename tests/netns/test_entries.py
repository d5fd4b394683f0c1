"""Entries of the kernel's tables, of which many are made in one message."""

import json
from typing import Any

import pytest
from netaddr import IPAddress, IPNetwork
from tests.support.witness import run

from pyflat.dataplane.entries import Entries
from pyflat.dataplane.overlay_objects import Entry, Neighbour, Route
from pyflat.dataplane.plan import Step
from pyflat.errors import BackendError

pytestmark = [pytest.mark.quick, pytest.mark.usefixtures("namespace")]

WAYS = {"10.0.0.0/24": ("192.0.2.8", "192.0.2.9"), "fd00:1::/64": ("fd00::8", "fd00::9")}
#: So many that one message does not hold them.
MANY = 250


@pytest.fixture
def entries(namespace: None) -> Entries:
    """Entries of a namespace with a link that leads to other hosts."""
    run("ip", "link", "add", "up0", "type", "bridge")
    run("ip", "address", "add", "192.0.2.1/24", "dev", "up0")
    run("ip", "address", "add", "fd00::1/64", "dev", "up0", "nodad")
    run("ip", "link", "set", "up0", "up")
    return Entries(inside=False)


def route(destination: str, via: str) -> Route:
    return Route(destination=IPNetwork(destination), device="up0", via=IPAddress(via))


def add(*items: Entry) -> list[Step]:
    return [Step("add", item) for item in items]


def routes(destination: str) -> list[Any]:
    family = "-6" if ":" in destination else "-4"
    found: list[Any] = json.loads(run("ip", family, "-j", "route", "show", destination))
    return found


def many() -> list[Entry]:
    near = [
        Neighbour(device="up0", address=IPAddress(f"192.0.2.{n}"), mac=f"02:00:00:00:00:{n:02x}")
        for n in range(2, MANY)
    ]
    return [*near, *(route(f"10.1.{n}.0/24", "192.0.2.8") for n in range(MANY))]


def test_many_come_and_go(entries: Entries) -> None:
    for _ in range(2):  # what is so already is success
        entries.apply(add(*many()))
    assert entries.observe() == set(many())
    for _ in range(2):
        entries.apply([Step("delete", item) for item in many()])
    assert not entries.observe()


@pytest.mark.parametrize("destination", WAYS)
def test_a_route_of_ours_that_leads_elsewhere_is_replaced(
    entries: Entries, destination: str
) -> None:
    before, after = (route(destination, via) for via in WAYS[destination])
    beside = route("10.9.0.0/24", "192.0.2.8")
    entries.apply(add(before))
    entries.apply(add(beside, after))
    assert entries.observe() == {beside, after}


@pytest.mark.parametrize("destination", WAYS)
def test_a_route_of_somebody_elses_stays(entries: Entries, destination: str) -> None:
    before, after = WAYS[destination]
    run("ip", "route", "add", destination, "via", before, "proto", "static")
    (there,) = routes(destination)
    for verb in ("add", "delete"):
        entries.apply([Step(verb, route(destination, after))])
        assert routes(destination) == [there]


def test_what_cannot_be_is_named_and_the_rest_is_there(entries: Entries) -> None:
    first, last = route("10.9.0.0/24", "192.0.2.8"), route("10.9.2.0/24", "192.0.2.8")
    with pytest.raises(BackendError, match=r"add route 10\.9\.1\.0/24: "):
        entries.apply(add(first, route("10.9.1.0/24", "198.51.100.9"), last))
    assert entries.observe() == {first, last}
    entries.apply(add(route("10.9.3.0/24", "192.0.2.8")))  # nothing is left of the answers
