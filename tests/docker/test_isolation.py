"""Who must not reach whom: networks among themselves, and the outside with its own routes."""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import permutations
from typing import TypeAlias, TypeVar

import pytest
from tests.docker.client import Container, Docker
from tests.docker.reach import Place, ask, pings, server_of

from dockerlab import Lab

pytestmark = pytest.mark.placements

BLUE, BLUE6 = "10.90.0.0/24", "fd90::/64"
GREEN, GREEN6 = "10.91.0.0/24", "fd91::/64"
FOREIGN, DOCKER0 = "10.92.0.0/24", "172.17.0.0/16"

Target: TypeAlias = tuple[Place, str]
"""Who asks, and the address he asks."""
K = TypeVar("K", bound=Hashable)


@pytest.fixture
def crowd(docker: Docker) -> dict[str, Container]:
    """A web server without published ports on each of four networks, by network."""
    docker.network("blue", "--ipv6", "--subnet", BLUE, "--subnet", BLUE6)
    docker.network("green", "--ipv6", "--subnet", GREEN, "--subnet", GREEN6)
    docker.network("foreign", "--subnet", FOREIGN, driver="bridge")
    networks = ("blue", "green", "foreign", "bridge")
    crowd = {name: docker.web(f"in-{name}", "--network", name) for name in networks}
    for name, container in crowd.items():
        assert server_of(docker.host, container.address(name), 80) == f"in-{name}"
    return crowd


@pytest.mark.quick
def test_no_network_is_reached_from_another_or_from_outside(
    crowd: dict[str, Container], docker: Docker, lab: Lab
) -> None:
    pairs = [(4, *pair) for pair in permutations(crowd, 2)]
    pairs += [(6, *pair) for pair in permutations(("blue", "green"), 2)]
    places: dict[str, Place] = {**crowd, "outside": lab.outside}
    pairs += [(4, "outside", name) for name in crowd]
    pairs += [(6, "outside", name) for name in ("blue", "green")]
    targets = {
        (version, one, other): (places[one], crowd[other].address(other, version))
        for version, one, other in pairs
    }
    with _routes(lab, docker, (BLUE, GREEN, FOREIGN, DOCKER0, BLUE6, GREEN6)):
        assert _reached(targets) == []


def test_a_published_port_opens_no_way_past_itself(docker: Docker, lab: Lab) -> None:
    blue = docker.network("blue", "--subnet", BLUE)
    web = docker.web("web", "--network", blue, "-p", "81:80")
    with _routes(lab, docker, (BLUE,)):
        assert _reached({"by its address": (lab.outside, web.address(blue))}) == []
        assert server_of(lab.outside, docker.host.address4, 81) == "web"


@contextmanager
def _routes(lab: Lab, docker: Docker, subnets: Iterable[str]) -> Iterator[None]:
    """The outside machine knows the way to subnets of the host."""
    host = docker.host
    ways = [(subnet, host.address6 if ":" in subnet else host.address4) for subnet in subnets]
    for subnet, gateway in ways:
        lab.outside.run("ip", "route", "add", subnet, "via", gateway, check=True)
    try:
        yield
    finally:
        for subnet, _ in ways:
            lab.outside.run("ip", "route", "delete", subnet, check=True)


def _reached(targets: Mapping[K, Target]) -> list[K]:
    """Those who got an answer, be it to a ping or on port 80; all are tried at once."""
    with ThreadPoolExecutor(len(targets)) as pool:
        answers = pool.map(_answers, targets.values())
        return [name for name, answer in zip(targets, answers, strict=True) if answer]


def _answers(target: Target) -> bool:
    place, address = target
    return pings(place, address, wait=1) or ask(place, address, 80, wait=1) is not None
