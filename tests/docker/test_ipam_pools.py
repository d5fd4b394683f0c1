"""`--ipam-driver pyflat`: where subnets come from, and which are refused."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import pairwise

import pytest
from tests.docker.client import Docker
from tests.docker.links import default_routes
from tests.docker.pools import (
    OWN,
    automatic_pool,
    given_out,
    next_pool,
    pools,
    release_pool,
    subnets,
)
from tests.docker.reach import INTERNET, pings
from tests.docker.traces import assert_same, records, traces

from dockerlab.host import Host
from dockerlab.processes import wait_until
from dockerlab.underlay import OUTSIDE

SUBNET = "10.90.0.0/24"
FIRST = "172.16.0.0/16"
MANY = 1000


def test_a_network_without_subnets_gets_one_of_each_family(docker: Docker) -> None:
    blue = docker.network("blue", *OWN, "--ipv6")
    subnet4, subnet6 = subnets(docker, blue)
    assert IPv4Network(subnet4).subnet_of(IPv4Network("172.16.0.0/12"))
    assert IPv6Network(subnet6).subnet_of(IPv6Network("fd00::/8"))
    assert IPv6Network(subnet6).prefixlen == 64
    one, two = (docker.run(name, "--network", blue) for name in ("one", "two"))
    for version in (4, 6):
        assert pings(one, two.address(blue, version))
        assert pings(one, INTERNET[version])
        assert len(default_routes(one, version)) == 1
    assert pools(docker.host) == {subnet4, subnet6}


@pytest.fixture
def busy(host: Host) -> Iterator[None]:
    """The host has a route to the first block, and a name server in 172.18.0.0/16."""
    _write_resolv_conf(host, "nameserver 172.18.0.53\n")
    via = (FIRST, "via", OUTSIDE[0])
    host.run("ip", "route", "add", *via, check=True)
    yield
    host.run("ip", "route", "delete", *via, check=True)
    _write_resolv_conf(host, f"nameserver {OUTSIDE[0]}\n")
    assert wait_until(lambda: next_pool(host) == FIRST, 5, 0.1)


@pytest.mark.engine("28.5")
def test_automatic_subnets_avoid_routes_and_name_servers(docker: Docker, busy: None) -> None:
    host = docker.host
    # 172.17.0.0/16 is docker0's.
    assert wait_until(lambda: next_pool(host) == "172.19.0.0/16", 5, 0.1), next_pool(host)
    assert subnets(docker, docker.network("blue", *OWN)) == ["172.19.0.0/16"]


def _write_resolv_conf(host: Host, text: str) -> None:
    host.run("sh", "-c", "cat >/etc/resolv.conf", input=text, check=True)


@pytest.mark.engine("28.5")
def test_automatic_subnets_avoid_those_of_dockers_own_manager(docker: Docker) -> None:
    names = [docker.network(f"n{n}", *(OWN if n % 2 else ())) for n in range(6)]
    foreign = docker.network("foreign", driver="bridge")
    _assert_disjoint([subnets(docker, name)[0] for name in (*names, foreign)])


@pytest.mark.engine("28.5")
def test_a_subnet_is_reused_when_its_network_is_gone(docker: Docker) -> None:
    host = docker.host
    # The host's routes, those of bridges that are gone among them, are looked at once a second.
    assert wait_until(lambda: next_pool(host) == FIRST, 5, 0.1)
    assert subnets(docker, docker.network("blue", *OWN)) == [FIRST]
    assert subnets(docker, docker.network("green", *OWN)) != [FIRST]
    docker("network", "rm", "blue")
    assert wait_until(lambda: next_pool(host) == FIRST, 5, 0.1)
    assert subnets(docker, docker.network("red", *OWN)) == [FIRST]


@pytest.mark.engine("28.5")
def test_a_thousand_automatic_pools_at_once_do_not_overlap(docker: Docker) -> None:
    host = docker.host
    before = records(host)
    with ThreadPoolExecutor(8) as pool:
        given = list(
            pool.map(lambda number: automatic_pool(host, ipv6=number % 4 == 0), range(MANY))
        )
        networks = [one.partition("|")[2] for one in given]
        assert Counter(map(_version, networks)) == {4: MANY * 3 // 4, 6: MANY // 4}
        _assert_disjoint(networks)
        assert pools(host) == set(networks)
        list(pool.map(lambda one: release_pool(host, one), given))
    assert records(host) == before


def _version(subnet: str) -> int:
    return ip_network(subnet).version


def _assert_disjoint(networks: list[str]) -> None:
    spans = sorted(
        (one.version, int(one.network_address), int(one.broadcast_address))
        for one in map(ip_network, networks)
    )
    assert [
        (one, other) for one, other in pairwise(spans) if one[0] == other[0] and one[2] >= other[1]
    ] == []


@pytest.mark.parametrize("again", [SUBNET, "10.90.0.0/16", "10.90.0.128/25"])
def test_a_subnet_of_another_network_is_refused_and_leaves_nothing(
    docker: Docker, again: str
) -> None:
    blue = docker.network("blue", *OWN, "--subnet", SUBNET)
    one = docker.run("one", "--network", blue)
    before = traces(docker.host)
    error = docker.refused("network", "create", "-d", "pyflat", *OWN, "--subnet", again, "green")
    assert f"{again} overlaps" in error
    assert SUBNET in error
    assert_same(docker.host, before)
    assert given_out(docker.host) == {"10.90.0.1", one.address(blue)}


@pytest.mark.engine("28.5")
def test_an_option_of_the_address_manager_is_refused_by_name(docker: Docker) -> None:
    before = traces(docker.host)
    words = ("network", "create", "-d", "pyflat", *OWN, "--ipam-opt", "colour=blue", "blue")
    assert "address option colour is not known" in docker.refused(*words)
    assert_same(docker.host, before)
