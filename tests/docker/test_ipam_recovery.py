"""`--ipam-driver pyflat`: what its records are worth after crashes."""

import pytest
from tests.docker.client import Container, Docker
from tests.docker.crash import identities, kill_pyflat, recorded_endpoints
from tests.docker.plugin import answers
from tests.docker.pools import OWN, given_out, pools, subnets
from tests.docker.reach import pings
from tests.docker.traces import records

from dockerlab.processes import wait_until

SUBNET, SUBNET6 = "10.90.0.0/24", "fd90::/64"
GATEWAYS = {"10.90.0.1", "fd90::1"}


@pytest.fixture
def containers(docker: Docker) -> list[Container]:
    """Two containers that Docker starts again, one under addresses it asked for."""
    blue = docker.network("blue", *OWN, "--ipv6", "--subnet", SUBNET, "--subnet", SUBNET6)
    options = ("--network", blue, "--restart", "always")
    static = ("--ip", "10.90.0.9", "--ip6", "fd90::9")
    return [docker.run("one", *options), docker.run("two", *options, *static)]


def _addresses(containers: list[Container]) -> set[str]:
    return {one.address("blue", version) for one in containers for version in (4, 6)}


def test_pools_and_addresses_outlive_a_crash_of_pyflat(
    containers: list[Container], docker: Docker
) -> None:
    host = docker.host
    auto = subnets(docker, docker.network("auto", *OWN))[0]
    before = records(host)
    kill_pyflat(host)
    host.pyflat.start()
    assert answers(host)
    assert records(host) == before
    assert docker.run("three", "--network", "blue").address("blue") == "10.90.0.3"
    assert subnets(docker, docker.network("late", *OWN))[0] != auto
    taken = docker.refused(*docker.words("four", "--network", "blue", "--ip", "10.90.0.9"))
    assert f"address 10.90.0.9 of pool {SUBNET} is already given out" in taken
    docker.remove_all()
    assert records(host) == []


def test_addresses_come_back_after_a_crash_of_dockerd_and_none_leaks(
    containers: list[Container], docker: Docker
) -> None:
    host = docker.host
    before, known = _addresses(containers), identities("blue", *containers)
    one, two = containers
    host.dockerd.kill()
    host.dockerd.start()
    assert wait_until(lambda: all(map(_runs, containers)), 30, 0.1)
    assert wait_until(lambda: pings(one, two.address("blue"), wait=1), 10)
    assert _addresses(containers) == before
    assert given_out(host) == before | GATEWAYS
    after = identities("blue", *containers)
    assert not {own.endpoint for own in after} & {own.endpoint for own in known}
    assert recorded_endpoints(host) == {own.endpoint for own in after}
    assert pools(host) == {SUBNET, SUBNET6}
    assert docker.run("three", "--network", "blue").address("blue") == "10.90.0.3"
    docker.remove_all()
    assert records(host) == []


def _runs(container: Container) -> bool:
    return bool(container.inspect()["State"]["Running"])


@pytest.mark.engine("28.5")
def test_addresses_of_containers_that_died_with_dockerd_are_free_at_last(docker: Docker) -> None:
    host = docker.host
    blue = docker.network("blue", *OWN, "--subnet", "10.90.0.0/29")
    names = [f"c{number}" for number in range(5)]
    for name in names:
        docker.run(name, "--network", blue)
    host.dockerd.kill()
    host.dockerd.start()
    docker("rm", "-f", *names)
    again = [docker.run(f"d{number}", "--network", blue) for number in range(5)]
    assert {one.address(blue) for one in again} == {f"10.90.0.{n}" for n in range(2, 7)}
