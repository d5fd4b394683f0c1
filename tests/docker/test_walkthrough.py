"""The classic walkthrough of Docker networks, with `-d pyflat` in place of `bridge`."""

import pytest
from tests.conftest import NEWEST
from tests.docker.client import Container, Docker
from tests.docker.links import default_routes, device_with, interfaces, link, peer
from tests.docker.reach import INTERNET, answering, ask, pings

from dockerlab import Lab

SUBNET, GATEWAY = "10.90.0.0/24", "10.90.0.1"
SUBNET6, GATEWAY6 = "fd90::/64", "fd90::1"
DUAL = ("--ipv6", "--subnet", SUBNET, "--subnet", SUBNET6)


@pytest.mark.quick
def test_two_containers_reach_each_other_by_address_and_by_name(docker: Docker) -> None:
    blue = docker.network("blue", "--subnet", SUBNET)
    one, two = (docker.run(name, "--network", blue) for name in ("one", "two"))
    assert pings(one, two.address(blue))
    assert pings(two, one.address(blue))
    assert one.pings_name("two")
    assert two.pings_name("one")


@pytest.mark.quick
def test_a_container_has_one_interface_and_one_default_route(docker: Docker) -> None:
    blue = docker.network("blue", *DUAL)
    one = docker.run("one", "--network", blue)
    assert interfaces(one) == ["eth0"]
    assert default_routes(one) == [GATEWAY]
    assert default_routes(one, 6) == [GATEWAY6]
    assert docker("network", "ls", "-q", "--filter", "name=docker_gwbridge") == ""


@pytest.mark.quick
def test_the_host_end_of_each_veth_is_a_port_of_the_networks_bridge(docker: Docker) -> None:
    blue = docker.network("blue", "--subnet", SUBNET)
    green = docker.network("green", "--subnet", "10.91.0.0/24")
    ends = {
        name: peer(docker.run(name, "--network", network), "eth0", docker.host)
        for name, network in (("one", blue), ("two", blue), ("three", green))
    }
    bridges = {name: end["master"] for name, end in ends.items()}
    of_blue, of_green = (device_with(docker.host, f"10.9{number}.0.1") for number in (0, 1))
    assert bridges == {"one": of_blue, "two": of_blue, "three": of_green}
    assert of_blue != of_green
    assert {link(docker.host, name)["linkinfo"]["info_kind"] for name in (of_blue, of_green)} == {
        "bridge"
    }


@pytest.mark.quick
def test_host_and_containers_reach_each_other_and_the_gateway(docker: Docker) -> None:
    blue = docker.network("blue", *DUAL)
    one = docker.run("one", "--network", blue)
    for version, gateway in ((4, GATEWAY), (6, GATEWAY6)):
        assert pings(docker.host, one.address(blue, version))
        assert pings(one, gateway)
    assert pings(one, docker.host.address4)
    assert pings(one, docker.host.address6)


@pytest.mark.quick
def test_containers_reach_the_outside_under_the_hosts_address(docker: Docker, lab: Lab) -> None:
    blue = docker.network("blue", *DUAL)
    one = docker.run("one", "--network", blue)
    host = docker.host
    with answering(lab.outside, 8080, "internet"):
        for version, own in ((4, host.address4), (6, host.address6)):
            assert pings(one, INTERNET[version])
            answer = ask(one, INTERNET[version], 8080)
            assert answer is not None
            assert (answer.server, answer.client) == ("internet", own)


@pytest.mark.quick
def test_a_second_network_comes_with_its_names_and_goes_with_them(docker: Docker) -> None:
    blue, green = docker.network("blue"), docker.network("green")
    one = docker.run("one", "--network", blue)
    docker.run("two", "--network", green)
    assert not one.knows("two")
    docker("network", "connect", green, one.name)
    assert interfaces(one) == ["eth0", "eth1"]
    assert one.pings_name("two")
    assert len(default_routes(one)) == 1
    docker("network", "disconnect", green, one.name)
    assert interfaces(one) == ["eth0"]
    assert not one.knows("two")
    assert len(default_routes(one)) == 1


def test_connected_again_an_interface_is_named_as_on_dockers_bridge(
    docker: Docker, engine: str
) -> None:
    seen = {}
    for driver in ("pyflat", "bridge"):
        first, second = (docker.network(f"{driver}{n}", driver=driver) for n in (1, 2))
        container = docker.run(driver, "--network", first)
        seen[driver] = [_reconnect(docker, container, second) for _ in range(3)]
    assert seen["pyflat"] == seen["bridge"]
    # Before 28 dockerd itself counts on.
    assert seen["pyflat"] == (["eth1"] * 3 if engine == NEWEST else ["eth1", "eth2", "eth3"])


def _reconnect(docker: Docker, container: Container, network: str) -> str:
    """Connect a network and disconnect it again; give the name its interface had."""
    docker("network", "connect", network, container.name)
    (name,) = set(interfaces(container)) - {"eth0"}
    docker("network", "disconnect", network, container.name)
    return name


def test_a_container_keeps_its_second_network_when_it_loses_the_first(
    docker: Docker, lab: Lab
) -> None:
    blue, green = docker.network("blue"), docker.network("green", "--subnet", SUBNET)
    one = docker.run("one", "--network", blue)
    docker("network", "connect", green, one.name)
    docker("network", "disconnect", blue, one.name)
    assert interfaces(one) == ["eth1"]
    assert default_routes(one) == [GATEWAY]
    assert pings(one, INTERNET[4])


@pytest.mark.quick
def test_links_and_aliases_are_names(docker: Docker) -> None:
    blue = docker.network("blue")
    docker.run("store", "--network", blue, "--network-alias", "database")
    front = docker.run("front", "--network", blue, "--link", "store:cache")
    other = docker.run("other", "--network", blue)
    assert front.pings_name("cache")
    assert not other.knows("cache")
    assert other.pings_name("database")


def test_networks_none_and_host_are_as_without_pyflat(docker: Docker) -> None:
    docker.network("blue")
    assert interfaces(docker.run("alone", "--network", "none")) == []
    shared = docker.run("shared", "--network", "host")
    assert interfaces(shared) == interfaces(docker.host)


@pytest.mark.quick
def test_inspect_shows_the_network_and_each_containers_addresses(docker: Docker) -> None:
    option = ("com.docker.network.driver.mtu", "1400")
    blue = docker.network("blue", *DUAL, "--gateway", GATEWAY, "-o", "=".join(option))
    one = docker.run("one", "--network", blue)
    shown = docker.inspect("network", blue)
    assert (shown["Driver"], shown["EnableIPv6"]) == ("pyflat", True)
    assert shown["Options"] == dict([option])
    subnets = {config["Subnet"]: config.get("Gateway") for config in shown["IPAM"]["Config"]}
    assert subnets[SUBNET] == GATEWAY
    assert SUBNET6 in subnets
    (container,) = shown["Containers"].values()
    assert container["Name"] == "one"
    assert container["MacAddress"] == link(one, "eth0")["address"]
    assert container["IPv4Address"] == f"{one.address(blue)}/24"
    assert container["IPv6Address"] == f"{one.address(blue, 6)}/64"
    assert device_with(one, one.address(blue)) == device_with(one, one.address(blue, 6)) == "eth0"
