"""The gateway of an overlay: every host has it under the same address, for its own containers."""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import product

import pytest
from tests.docker.capture import captured
from tests.docker.client import Container, Docker
from tests.docker.labels import leaks, reached, ways_in
from tests.docker.overlays import (
    GATEWAY,
    PORT,
    SUBNET,
    SUBNET6,
    VNI,
    Overlay,
    over,
    own_address,
)
from tests.docker.reach import INTERNET, Place, Question, answering, ask_all, pings
from tests.docker.ways import Way, astray

from dockerlab import Lab, parallel
from dockerlab.underlay import OUTSIDE

INTERNET_PORT = 7000
MAC = "02:42:0a:2a:00:01"


KINDS: dict[str, Callable[[Lab], Sequence[str]]] = {
    "peers": over,
    "cluster": lambda lab: (),
    "direct": lambda lab: ("-o", "direct=true"),
}


@pytest.fixture(params=KINDS)
def blue(dockers: list[Docker], trio: Lab, request: pytest.FixtureRequest) -> Overlay:
    """An overlay of each kind of control plane."""
    return Overlay(dockers, *KINDS[request.param](trio))


def test_containers_leave_by_their_own_host(blue: Overlay, trio: Lab) -> None:
    with answering(trio.outside, INTERNET_PORT, "internet"):
        assert astray(_ways_out(blue)) == {}


def _ways_out(blue: Overlay) -> Iterator[Way]:
    for web in blue.webs:
        for version, address in INTERNET.items():
            own = own_address(web.docker.host, version)
            name = f"{web.name}, IPv{version}"
            yield Way(name, web, address, INTERNET_PORT, "internet", own)


def test_a_published_port_is_answered_by_the_container_on_the_host_that_is_asked(
    blue: Overlay, trio: Lab
) -> None:
    assert astray(_ways_to_ports(blue, trio)) == {}
    loopback6 = Question("tcp", "::1", PORT)
    for host in trio.hosts:
        assert ask_all(host, {loopback6: 3})[loopback6].server == host.name


def _ways_to_ports(blue: Overlay, lab: Lab) -> Iterator[Way]:
    for version in (4, 6):
        for web in blue.webs:
            host = web.docker.host
            own, gateway = own_address(host, version), GATEWAY[version]
            clients: list[tuple[Place, str, str, str]] = [
                (lab.outside, "outside", own, OUTSIDE[version == 6]),
                (host, "its host", own, own),
                (web, "itself", own, gateway),
                (web, "itself by the gateway", gateway, gateway),
            ]
            if version == 4:
                clients.append((host, "its host by the loopback", "127.0.0.1", gateway))
            for other in blue.webs:
                if other is not web:
                    seen = own_address(other.docker.host, version)
                    clients.append((other.docker.host, f"host {other.name}", own, seen))
                    clients.append((other, f"container {other.name}", own, seen))
            for place, name, address, seen in clients:
                yield Way(
                    f"{web.name} from {name}, IPv{version}", place, address, PORT, web.name, seen
                )


def test_what_is_not_published_is_closed_to_the_outside_and_to_other_networks(
    blue: Overlay, trio: Lab
) -> None:
    parallel.each(_add_strangers, blue.dockers)
    inside = blue.inside()
    for host in trio.hosts:
        with ways_in(trio, SUBNET, SUBNET6, by=host.name):
            assert reached(trio.outside, *inside) == []
    strangers = product(blue.dockers, ("single", "spanning"))
    places = {
        f"{name} of {docker.host.name}": Container(docker, name) for docker, name in strangers
    }
    assert leaks({name: (place, inside) for name, place in places.items()}) == []


def _add_strangers(docker: Docker) -> None:
    """Containers of a network of the host alone, and of another overlay."""
    docker.network("green", "--subnet", "10.91.0.0/24", "--ipv6", "--subnet", "fd91::/64")
    docker.network("red", "-o", "vni=43", "-o", "group=239.1.1.43", "-o", "underlay=eth0",
                   "--subnet", "10.43.0.0/16", "--ipv6", "--subnet", "fd43::/64")  # fmt: skip
    docker.run("single", "--network", "green")
    docker.run("spanning", "--network", "red")


def test_the_gateway_is_neither_asked_nor_heard_through_the_tunnel(
    blue: Overlay, trio: Lab
) -> None:
    with captured(trio.switch, "br0", "udp", "dst", "port", "4789") as capture:
        for web in blue.webs:
            web.run("ip", "neigh", "flush", "dev", "eth0")
            assert all(pings(web, gateway) for gateway in GATEWAY.values())
        # From the gateway's address, if not by way of the other host.
        leaks({web.name: (web.docker.host, blue.others(web)) for web in blue.webs})
        assert blue.wrong() == {}
        time.sleep(0.1)
    assert capture.of(f"vni {VNI}")
    told = [f"{word} {address}{end}" for address in GATEWAY.values() for end in ", \n"
            for word in ("who-has", "tell", "Reply", "who has", "tgt is")]  # fmt: skip
    assert capture.of(f"{MAC} > ff:ff", f"{MAC} > 33:33", *told, "router advertisement") == []
