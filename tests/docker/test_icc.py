"""`enable_icc=false`: containers that do not reach each other, but for what they publish."""

from collections.abc import Iterator

import pytest
from tests.docker.client import Container, Docker
from tests.docker.labels import DUAL, GATEWAY, GATEWAY6, label, reached
from tests.docker.links import ip
from tests.docker.reach import INTERNET, pings, server_of

from dockerlab import Lab

pytestmark = pytest.mark.placements

SWITCHES = [f"net.bridge.bridge-nf-call-{program}" for program in ("iptables", "ip6tables")]


@pytest.fixture
def pair(docker: Docker, driver: str) -> tuple[Container, Container]:
    """Two web servers of such a network, published on ports 81 and 82."""
    blue = docker.network("blue", *DUAL, *label("bridge.enable_icc", "false"), driver=driver)
    ports = {"one": "81:80", "two": "82:80"}
    one, two = (docker.web(name, "--network", blue, "-p", port) for name, port in ports.items())
    return one, two


@pytest.fixture(
    params=[
        pytest.param("1", id="hooked"),
        pytest.param("0", id="unhooked", marks=pytest.mark.full),
    ]
)
def hooks(pair: object, docker: Docker, request: pytest.FixtureRequest) -> Iterator[str]:
    """Whether bridged frames pass the firewall of routed ones, as dockerd mostly has it."""
    for switch in SWITCHES:
        docker.host.run("sysctl", "-qw", f"{switch}={request.param}", check=True)
    yield request.param
    for switch in SWITCHES:
        docker.host.run("sysctl", "-qw", f"{switch}=1", check=True)


def test_neighbours_do_not_reach_each_other(
    pair: tuple[Container, Container], hooks: str, driver: str
) -> None:
    if driver == "bridge" and hooks == "0":
        pytest.skip("Docker's bridge relies on the hooks")
    one, two = pair
    assert reached(one, *(two.address("blue", version) for version in (4, 6))) == []
    (own,) = (a["local"] for a in ip(two, "-6", "address")[-1]["addr_info"] if a["scope"] == "link")
    assert not pings(one, f"{own}%eth0", wait=1)


@pytest.mark.engine("28.5")
def test_nor_by_way_of_the_gateway(pair: tuple[Container, Container], hooks: str) -> None:
    addresses = [[one.address("blue", version) for version in (4, 6)] for one in pair]
    for asker, others in zip(pair, reversed(addresses), strict=True):
        for other, gateway in zip(others, (GATEWAY, GATEWAY6), strict=True):
            assert asker.run("ip", "route", "add", other, "via", gateway).returncode == 0
    assert reached(pair[0], *addresses[1]) == []


def test_ports_that_they_publish_work_among_them(
    pair: tuple[Container, Container], hooks: str, docker: Docker
) -> None:
    one, _ = pair
    host = docker.host
    for address in (host.address4, host.address6, GATEWAY):
        assert server_of(one, address, 82) == "two"
        assert server_of(one, address, 81) == "one"


@pytest.mark.engine("28.5")
def test_host_and_outside_reach_them_as_they_reach_all_others(
    pair: tuple[Container, Container], docker: Docker, lab: Lab
) -> None:
    host = docker.host
    for name, port, container in zip(("one", "two"), (81, 82), pair, strict=True):
        for version, outer in ((4, host.address4), (6, host.address6)):
            assert server_of(host, container.address("blue", version), 80) == name
            assert pings(host, container.address("blue", version))
            assert pings(container, INTERNET[version])
            assert server_of(lab.outside, outer, port) == name


@pytest.mark.engine("28.5")
def test_a_neighbour_of_a_network_without_the_label_is_reached(docker: Docker, driver: str) -> None:
    blue = docker.network("blue", *DUAL, *label("bridge.enable_icc", "true"), driver=driver)
    one, two = (docker.web(name, "--network", blue) for name in ("one", "two"))
    addresses = [two.address(blue, version) for version in (4, 6)]
    assert reached(one, *addresses) == addresses
