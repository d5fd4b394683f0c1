"""Addresses and MACs: those a user asks for, and those that have to stay."""

from ipaddress import ip_address, ip_network

import pytest
from tests.docker.client import Container, Docker
from tests.docker.links import default_routes, device_with, interfaces, ip, link
from tests.docker.reach import INTERNET, ask, closed, pings, server_of
from tests.docker.traces import records

from dockerlab import Lab

pytestmark = pytest.mark.placements

SUBNET, SUBNET6 = "10.90.0.0/24", "fd90::/64"
DUAL = ("--ipv6", "--subnet", SUBNET, "--subnet", SUBNET6)


@pytest.mark.quick
def test_static_addresses_and_macs_are_had(docker: Docker) -> None:
    blue = docker.network("blue", *DUAL)
    mac = "02:00:5e:00:53:01"
    one = docker.run(
        "one", "--network", blue, "--ip", "10.90.0.77", "--ip6", "fd90::77", "--mac-address", mac
    )
    two = docker.run("two", "--network", blue)
    assert device_with(one, "10.90.0.77") == device_with(one, "fd90::77") == "eth0"
    assert link(one, "eth0")["address"] == mac
    assert pings(two, "10.90.0.77")
    assert pings(two, "fd90::77")
    (neighbour,) = ip(two, "neighbour", "show", "10.90.0.77")
    assert neighbour["lladdr"] == mac


def test_a_gateway_is_the_hosts_address_and_the_containers_way(docker: Docker) -> None:
    blue = docker.network(
        "blue", *DUAL, "--gateway", "10.90.0.254", "--gateway", "fd90::fe", "--internal=false"
    )
    one = docker.run("one", "--network", blue)
    assert default_routes(one) == ["10.90.0.254"]
    assert default_routes(one, 6) == ["fd90::fe"]
    bridge = device_with(docker.host, "10.90.0.254")
    assert device_with(docker.host, "fd90::fe") == bridge
    assert pings(one, INTERNET[4])
    assert pings(one, INTERNET[6])


def test_a_range_limits_what_is_given_and_aux_addresses_are_left_out(docker: Docker) -> None:
    blue = docker.network(
        "blue", "--subnet", SUBNET, "--gateway", "10.90.0.1", "--ip-range", "10.90.0.64/30",
        "--aux-address", "router=10.90.0.65", "--aux-address", "printer=10.90.0.66",
    )  # fmt: skip
    given = [docker.run(name, "--network", blue).address(blue) for name in ("one", "two")]
    assert {ip_address(address) in ip_network("10.90.0.64/30") for address in given} == {True}
    assert not {"10.90.0.65", "10.90.0.66"} & set(given)
    assert "no available" in docker.refused(*docker.words("three", "--network", blue))


@pytest.mark.quick
def test_an_internal_network_is_for_its_containers_only(docker: Docker, lab: Lab) -> None:
    host = docker.host
    inner = docker.network("inner", *DUAL, "--internal")
    web = docker.web("web", "--network", inner, "-p", "81:80")
    near = docker.run("near", "--network", inner)
    assert server_of(near, web.address(inner), 80) == "web"
    assert server_of(near, web.address(inner, 6), 80) == "web"
    assert near.pings_name("web")
    assert default_routes(near) == default_routes(near, 6) == []
    assert interfaces(near) == ["eth0"]
    assert not pings(near, INTERNET[4], wait=1)
    assert closed(host, "127.0.0.1", 81)
    assert closed(host, host.address4, 81)
    assert closed(lab.outside, host.address4, 81)


def test_an_internal_network_stays_closed_when_its_containers_add_routes(docker: Docker) -> None:
    inner = docker.network("inner", "--subnet", SUBNET, "--gateway", "10.90.0.1", "--internal")
    near = docker.run("near", "--network", inner)
    assert near.run("ip", "route", "add", "default", "via", "10.90.0.1").returncode == 0
    assert pings(near, "10.90.0.1")
    assert not pings(near, INTERNET[4], wait=1)


@pytest.mark.quick
def test_a_restarted_container_keeps_address_mac_and_ports(docker: Docker, lab: Lab) -> None:
    blue = docker.network("blue", *DUAL)
    web = docker.web("web", "--network", blue, "-p", "81:80")
    near = docker.run("near", "--network", blue)
    before = _identity(web, blue)
    assert ask(near, web.address(blue), 80) is not None
    docker("restart", "web")
    web.listening()
    assert _identity(web, blue) == before
    assert server_of(near, web.address(blue), 80) == "web"
    assert server_of(lab.outside, docker.host.address4, 81) == "web"
    assert server_of(lab.outside, docker.host.address6, 81) == "web"


def _identity(container: Container, network: str) -> tuple[str, ...]:
    mac = str(link(container, "eth0")["address"])
    return (mac, container.address(network), container.address(network, 6))


def test_pyflats_own_addresses_are_the_lowest_free_ones(docker: Docker) -> None:
    own = ("--ipam-driver", "pyflat")
    blue = docker.network("blue", *own, "--subnet", SUBNET)
    containers = [docker.run(name, "--network", blue) for name in ("one", "two", "three")]
    given = [container.address(blue) for container in containers]
    assert given == ["10.90.0.2", "10.90.0.3", "10.90.0.4"]
    docker("rm", "-f", "one")
    four = docker.run("four", "--network", blue)
    assert four.address(blue) == "10.90.0.2"
    assert pings(four, "10.90.0.4")
    assert default_routes(four) == ["10.90.0.1"]
    taken = docker.refused(*docker.words("five", "--network", blue, "--ip", "10.90.0.3"))
    assert "10.90.0.3" in taken


def test_pyflats_own_pools_do_not_overlap_and_are_given_back(docker: Docker, lab: Lab) -> None:
    own = ("--ipam-driver", "pyflat")
    networks = [docker.network(name, *own, "--ipv6") for name in ("blue", "green")]
    containers = [docker.run(name, "--network", name) for name in networks]
    subnets = [
        ip_network(config["Subnet"])
        for name in networks
        for config in docker.inspect("network", name)["IPAM"]["Config"]
    ]
    assert len(subnets) == 4
    assert not any(
        one.overlaps(other)
        for index, one in enumerate(subnets)
        for other in subnets[index + 1 :]
        if one.version == other.version
    )
    for container in containers:
        assert pings(container, INTERNET[4])
        assert pings(container, INTERNET[6])
    docker.remove_all()
    assert records(docker.host) == []
