"""Networks of IPv6 alone, of no addresses at all, and defaults that the daemon gives."""

from collections.abc import Iterator

import pytest
from tests.conftest import NEWEST, OLDEST
from tests.docker.client import Docker
from tests.docker.links import default_routes, device_with, interfaces, ip, link
from tests.docker.pools import OWN, given_out, subnets
from tests.docker.reach import INTERNET, Answer, answering, ask, pings, server_of
from tests.docker.starting import bare_lab, start
from tests.docker.traces import records

from dockerlab import Lab
from dockerlab.underlay import OUTSIDE

pytestmark = [pytest.mark.engine("28.5"), pytest.mark.placements]

SUBNET6, GATEWAY6 = "fd90::/64", "fd90::1"
ALONE = ("--ipv4=false", "--ipv6")
MTU = "com.docker.network.driver.mtu"


@pytest.fixture(scope="module")
def lab(engine: str) -> Iterator[Lab]:
    """A host whose daemon has defaults for pyflat's networks."""
    with bare_lab(engine) as lab:
        host = lab.host("h1")
        if engine != OLDEST:
            host.write_daemon_config({"default-network-opts": {"pyflat": {MTU: "1400"}}})
        start(host)
        yield lab


@pytest.fixture
def new(engine: str) -> None:
    if engine != NEWEST:
        pytest.skip("networks without IPv4 are of Engine 28")


@pytest.mark.usefixtures("new")
@pytest.mark.parametrize("own", [(), OWN], ids=["Docker's addresses", "pyflat's"])
def test_a_network_of_ipv6_alone_is_whole(docker: Docker, lab: Lab, own: tuple[str, ...]) -> None:
    host = docker.host
    blue = docker.network("blue", *ALONE, *own, "--subnet", SUBNET6)
    web = docker.web("web", "--network", blue, "-p", "81:80")
    near = docker.run("near", "--network", blue)
    assert interfaces(near) == ["eth0"]
    assert default_routes(near, 6) == [GATEWAY6]
    assert ip(near, "-4", "route") == []
    assert ip(near, "-4", "address", "show", "dev", "eth0") == []
    assert pings(near, web.address(blue, 6))
    assert near.pings_name("web")
    assert ask(lab.outside, host.address6, 81) == Answer("web", OUTSIDE[1])
    assert server_of(host, host.address6, 81) == "web"
    assert ask(lab.outside, host.address4, 81, wait=1) is None
    with answering(lab.outside, 8080, "internet"):
        assert ask(near, INTERNET[6], 8080) == Answer("internet", host.address6)


@pytest.mark.usefixtures("new")
def test_inspect_shows_a_network_of_ipv6_alone(docker: Docker) -> None:
    blue = docker.network("blue", *ALONE, "--subnet", SUBNET6)
    one = docker.run("one", "--network", blue)
    shown = docker.inspect("network", blue)
    assert (shown["EnableIPv4"], shown["EnableIPv6"]) == (False, True)
    assert subnets(docker, blue) == [SUBNET6]
    (container,) = shown["Containers"].values()
    assert container["IPv4Address"] == ""
    assert container["IPv6Address"] == f"{one.address(blue, 6)}/64"
    assert container["MacAddress"] == link(one, "eth0")["address"]
    assert device_with(one, one.address(blue, 6)) == "eth0"
    assert one.address(blue) == ""


@pytest.mark.usefixtures("new")
def test_an_automatic_network_of_ipv6_alone_takes_no_ipv4_pool(docker: Docker) -> None:
    blue = docker.network("blue", *ALONE, *OWN)
    one = docker.run("one", "--network", blue)
    (subnet,) = subnets(docker, blue)
    assert subnet.endswith("/64")
    assert given_out(docker.host) == {subnet.removesuffix("/64") + "1", one.address(blue, 6)}


@pytest.mark.engine(NEWEST, OLDEST)
def test_without_addresses_containers_share_a_link(docker: Docker) -> None:
    blue = docker.network("blue", "--ipam-driver", "null")
    one, two = (docker.run(name, "--network", blue) for name in ("one", "two"))
    for number, container in enumerate((one, two), 1):
        assert interfaces(container)[0] == "eth0"
        assert container.address(blue) == ""
        words = ("address", "add", f"10.90.0.{number}/24", "dev", "eth0")
        assert container.run("ip", *words).returncode == 0
    assert link(one, "eth0")["address"] != link(two, "eth0")["address"]
    assert pings(one, "10.90.0.2")
    assert one.on(blue)["MacAddress"] == link(one, "eth0")["address"]


def test_defaults_of_the_daemon_are_the_networks(docker: Docker, engine: str) -> None:
    if engine == OLDEST:
        pytest.skip("defaults are of Engine 24")
    blue = docker.network("blue")
    green = docker.network("green", "-o", f"{MTU}=1300")
    red = docker.network("red", driver="bridge")
    networks = {blue: 1400, green: 1300, red: 1500}
    found = {
        name: link(docker.run(f"in-{name}", "--network", name), "eth0")["mtu"] for name in networks
    }
    assert found == networks
    assert docker.inspect("network", blue)["Options"][MTU] == "1400"


def test_an_attachable_network_is_a_network(docker: Docker) -> None:
    blue = docker.network("blue", "--attachable", "--label", "colour=blue")
    shown = docker.inspect("network", blue)
    assert (shown["Attachable"], shown["Labels"]) == (True, {"colour": "blue"})
    one = docker.run("one", "--network", blue)
    two = docker.run("two")
    docker("network", "connect", blue, two.name)
    assert pings(one, two.address(blue))
    docker.remove_all()
    assert records(docker.host) == []
