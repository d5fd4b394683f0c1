"""Pyflat and dockerd in either order of their start, on a host that forwarded nothing before."""

from collections.abc import Iterator

import pytest
from tests.docker.client import Docker
from tests.docker.reach import INTERNET, Answer, ask, closed, pings, server_of
from tests.docker.starting import bare_lab, start

from dockerlab import Lab
from dockerlab.host import Host
from dockerlab.underlay import OUTSIDE

SUBNET, DOCKER0 = "10.90.0.0/24", "172.17.0.0/16"
SWITCH = ("192.0.2.1", "2001:db8:1::1")
BRIDGE = "com.docker.network.bridge.name"
OUR_ACCEPT = "-A DOCKER-USER -m mark --mark 0x20000000/0x20000000 -j ACCEPT"
KINDS = ("ipv4.conf.all", "ipv4.conf.default", "ipv6.conf.all", "ipv6.conf.default")
FORWARDING = ("net.ipv4.ip_forward", *(f"net.{kind}.forwarding" for kind in KINDS))


@pytest.fixture(scope="module")
def unopened(engine: str) -> Iterator[list[str]]:
    """The rules that dockerd makes on a host without pyflat."""
    with bare_lab(engine) as lab:
        host = lab.host("h1")
        host.dockerd.start()
        yield _rules(host)


@pytest.fixture(scope="module", params=["pyflat", "dockerd"])
def lab(engine: str, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A lab whose host forwarded nothing until the first of the two was started."""
    with bare_lab(engine) as lab:
        host = lab.host("h1")
        switches = host.run("sysctl", "-n", *FORWARDING, check=True).stdout.split()
        assert switches == ["0"] * len(FORWARDING)
        start(host, request.param)
        yield lab


def test_dockers_rules_are_those_of_a_host_without_pyflat(host: Host, unopened: list[str]) -> None:
    rules = _rules(host)
    assert "-P FORWARD DROP" in rules
    assert OUR_ACCEPT in rules
    assert [rule for rule in rules if rule != OUR_ACCEPT] == unopened


@pytest.mark.parametrize("options", [(), ("-o", f"{BRIDGE}=mybr")], ids=["own name", "mybr"])
def test_traffic_of_a_network_passes_dockers_closed_chain(
    docker: Docker, lab: Lab, options: tuple[str, ...]
) -> None:
    host = docker.host
    assert "-P FORWARD DROP" in _rules(host)
    shown = host.run("sysctl", "-n", "net.bridge.bridge-nf-call-iptables", check=True)
    assert shown.stdout == "1\n"
    blue = docker.network("blue", "--ipv6", "--subnet", SUBNET, "--subnet", "fd90::/64", *options)
    web = docker.web("web", "--network", blue, "-p", "81:80")
    near = docker.run("near", "--network", blue)
    for version in (4, 6):
        own = web.address(blue, version)
        assert pings(near, own)
        assert ask(near, own, 80) == Answer("web", near.address(blue, version))
        assert pings(near, INTERNET[version])
    assert ask(lab.outside, host.address4, 81) == Answer("web", OUTSIDE[0])
    assert ask(lab.outside, host.address6, 81) == Answer("web", OUTSIDE[1])


def test_dockers_own_networks_work_and_are_as_closed_as_ever(docker: Docker, lab: Lab) -> None:
    host = docker.host
    legacy = docker.web("legacy", "-p", "82:80")
    hidden = docker.web("hidden")
    near = docker.run("near", "--network", docker.network("blue", "--subnet", SUBNET))
    lab.outside.run("ip", "route", "add", DOCKER0, "via", host.address4, check=True)
    try:
        for place in (near, lab.outside):
            assert closed(place, hidden.address("bridge"), 80)
            assert not pings(place, hidden.address("bridge"), wait=1)
    finally:
        lab.outside.run("ip", "route", "delete", DOCKER0, check=True)
    assert server_of(legacy, hidden.address("bridge"), 80) == "hidden"
    assert server_of(lab.outside, host.address4, 82) == "legacy"
    assert pings(legacy, INTERNET[4])


def test_the_host_does_not_become_a_router_for_others(docker: Docker, lab: Lab) -> None:
    host = docker.host
    blue = docker.network("blue", "--ipv6", "--subnet", SUBNET, "--subnet", "fd90::/64")
    near = docker.run("near", "--network", blue)
    for target, gateway in zip(SWITCH, (host.address4, host.address6), strict=True):
        assert pings(near, target)
        assert pings(lab.outside, target)
        lab.outside.run("ip", "route", "add", target, "via", gateway, check=True)
        try:
            assert not pings(lab.outside, target, wait=1)
        finally:
            lab.outside.run("ip", "route", "delete", target, check=True)


def _rules(host: Host) -> list[str]:
    """All rules of iptables in all tables that dockerd writes to."""
    tables = ("filter", "nat", "raw", "mangle")
    listings = [host.run("iptables", "-t", name, "-S", check=True).stdout for name in tables]
    return [f"{rule}" for listing in listings for rule in listing.splitlines()]
