"""`gateway_mode_ipv4` and `gateway_mode_ipv6`: who is reached how, and under which address."""

from collections.abc import Iterator

import pytest
from tests.conftest import NEWEST
from tests.docker.client import Docker
from tests.docker.labels import (
    DUAL,
    GATEWAY6,
    SUBNET,
    SUBNET6,
    modes,
    reached,
    ways_in,
)
from tests.docker.links import default_routes, device_with, ip
from tests.docker.reach import INTERNET, Answer, answering, ask, closed, pings, server_of

from dockerlab import Lab
from dockerlab.underlay import OUTSIDE

pytestmark = pytest.mark.placements

FAMILIES = (4, 6)
FOREIGN = "10.92.0.0/24"


@pytest.fixture
def routes(lab: Lab) -> Iterator[None]:
    """The outside machine knows the way to both subnets."""
    with ways_in(lab, SUBNET, SUBNET6):
        yield


def _hosts(docker: Docker) -> dict[int, str]:
    return {4: docker.host.address4, 6: docker.host.address6}


def _clients(docker: Docker, lab: Lab, name: str, network: str) -> dict[int, str]:
    """Who a new container is outside."""
    one = docker.run(name, "--network", network)
    with answering(lab.outside, 8080, "internet"):
        seen = {version: ask(one, INTERNET[version], 8080) for version in FAMILIES}
    return {version: answer.client for version, answer in seen.items() if answer}


@pytest.mark.usefixtures("routes")
@pytest.mark.engine("28.5")
def test_nat_translates_and_opens_nothing_but_published_ports(
    docker: Docker, lab: Lab, driver: str
) -> None:
    blue = docker.network("blue", *DUAL, *modes("nat"), driver=driver)
    web = docker.web("web", "--network", blue, "-p", "81:80")
    hosts = _hosts(docker)
    assert _clients(docker, lab, "one", blue) == hosts
    assert reached(lab.outside, *(web.address(blue, version) for version in FAMILIES)) == []
    for version in FAMILIES:
        assert server_of(lab.outside, hosts[version], 81) == "web"


@pytest.mark.usefixtures("routes")
def test_nat_unprotected_translates_and_opens_every_port_to_who_has_a_route(
    docker: Docker, lab: Lab, driver: str
) -> None:
    blue = docker.network("blue", *DUAL, *modes("nat-unprotected"), driver=driver)
    web = docker.web("web", "--network", blue, "-p", "81:8080")
    hosts = _hosts(docker)
    assert _clients(docker, lab, "one", blue) == hosts
    with answering(web, 8080, "inner"):
        for version, outer in zip(FAMILIES, OUTSIDE, strict=True):
            own = web.address(blue, version)
            assert ask(lab.outside, own, 80) == Answer("web", outer)
            assert pings(lab.outside, own)
            assert server_of(lab.outside, hosts[version], 81) == "inner"


@pytest.mark.engine("28.5")
def test_nat_unprotected_does_not_open_networks_beside_it(
    docker: Docker, lab: Lab, driver: str
) -> None:
    docker.network("blue", *DUAL, *modes("nat-unprotected"), driver=driver)
    docker.network("green", "--subnet", "10.91.0.0/24", driver=driver)
    docker.network("foreign", "--subnet", FOREIGN, driver="bridge")
    near = docker.run("near", "--network", "blue")
    others = ("green", "foreign")
    addresses = [docker.web(f"in-{name}", "--network", name).address(name) for name in others]
    with ways_in(lab, "10.91.0.0/24", FOREIGN):
        for place in (near, lab.outside):
            assert reached(place, *addresses) == []


@pytest.mark.usefixtures("routes")
def test_routed_shows_the_containers_address_and_opens_published_ports_only(
    docker: Docker, lab: Lab, driver: str
) -> None:
    blue = docker.network("blue", *DUAL, *modes("routed"), driver=driver)
    web = docker.web("web", "--network", blue, "-p", "81:80")
    one = docker.run("one", "--network", blue)
    with answering(lab.outside, 8080, "internet"), answering(web, 8081, "hidden"):
        for version, outer in zip(FAMILIES, OUTSIDE, strict=True):
            own = web.address(blue, version)
            seen = ask(one, INTERNET[version], 8080)
            assert seen == Answer("internet", one.address(blue, version))
            assert ask(lab.outside, own, 80) == Answer("web", outer)
            assert closed(lab.outside, own, 8081)
            assert pings(lab.outside, own)
            assert ask(one, own, 8081) == Answer("hidden", one.address(blue, version))


@pytest.mark.engine("28.5")
def test_routed_leaves_the_hosts_port_alone(docker: Docker, lab: Lab, driver: str) -> None:
    blue = docker.network("blue", *DUAL, *modes("routed"), driver=driver)
    hosts = _hosts(docker)
    with answering(docker.host, 81, "host"):
        docker.web("web", "--network", blue, "-p", "81:80")
        for version in FAMILIES:
            assert server_of(lab.outside, hosts[version], 81) == "host"
        docker.web("more", "--network", blue, "-p", "81:80")


@pytest.mark.usefixtures("routes")
@pytest.mark.engine("28.5")
def test_a_routed_port_is_closed_again_with_its_container(
    docker: Docker, lab: Lab, driver: str
) -> None:
    blue = docker.network("blue", *DUAL, *modes("routed"), driver=driver)
    own = ("--ip", "10.90.0.9", "--ip6", "fd90::9")
    docker.web("web", "--network", blue, *own, "-p", "81:80")
    assert server_of(lab.outside, "10.90.0.9", 80) == "web"
    docker("rm", "-f", "web")
    docker.web("next", "--network", blue, *own)
    # Echo requests pass all the same.
    assert [ask(lab.outside, address, 80, wait=1) for address in own[1::2]] == [None, None]


@pytest.mark.usefixtures("routes")
@pytest.mark.engine("28.5")
def test_modes_are_per_family(docker: Docker, lab: Lab, driver: str) -> None:
    blue = docker.network("blue", *DUAL, *modes("nat", "routed"), driver=driver)
    web = docker.web("web", "--network", blue, "-p", "81:80")
    hosts = _hosts(docker)
    seen = _clients(docker, lab, "one", blue)
    assert seen[4] == hosts[4]
    assert seen[6].startswith("fd90::")
    assert server_of(lab.outside, hosts[4], 81) == "web"
    assert closed(lab.outside, web.address(blue), 80)
    assert closed(lab.outside, hosts[6], 81)
    assert server_of(lab.outside, web.address(blue, 6), 80) == "web"


@pytest.mark.parametrize("mode", ["nat", "nat-unprotected", "routed", "isolated"])
@pytest.mark.usefixtures("routes")
@pytest.mark.engine("28.5")
def test_an_internal_network_is_closed_in_every_mode(
    docker: Docker, lab: Lab, driver: str, mode: str
) -> None:
    blue = docker.network("blue", "--internal", *DUAL, *modes(mode), driver=driver)
    web = docker.web("web", "--network", blue, "-p", "81:80")
    near = docker.run("near", "--network", blue)
    hosts = _hosts(docker)
    own = [web.address(blue, version) for version in FAMILIES]
    assert reached(near, *own) == own
    assert [default_routes(near, version) for version in FAMILIES] == [[], []]
    assert reached(lab.outside, *own) == []
    assert [ask(lab.outside, address, 81, wait=1) for address in hosts.values()] == [None, None]


def test_isolated_leaves_the_host_without_an_address_in_that_family(
    docker: Docker, driver: str
) -> None:
    blue = docker.network("blue", "--internal", *DUAL, *modes("isolated", "nat"), driver=driver)
    web = docker.web("web", "--network", blue)
    near = docker.run("near", "--network", blue)
    bridge = device_with(docker.host, GATEWAY6)
    assert ip(docker.host, "-4", "address", "show", "dev", bridge) == []
    assert ip(docker.host, "route", "show", "dev", bridge) == []
    assert pings(near, GATEWAY6)
    assert server_of(near, web.address(blue), 80) == "web"


@pytest.mark.engine("28.5")
def test_a_small_isolated_subnet_has_room_for_containers_alone(
    docker: Docker, driver: str, engine: str
) -> None:
    if engine != NEWEST:
        pytest.skip("before Engine 28 an address is always set aside for the gateway")
    small = ("--subnet", "10.90.0.0/30")
    blue = docker.network("blue", "--internal", *small, *modes("isolated"), driver=driver)
    one, two = (docker.run(name, "--network", blue) for name in ("one", "two"))
    assert {one.address(blue), two.address(blue)} == {"10.90.0.1", "10.90.0.2"}
    assert pings(one, two.address(blue))
