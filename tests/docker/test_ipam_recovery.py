"""`--ipam-driver pyflat`: what its records are worth after crashes."""

import pytest
from tests.docker.client import Container, Docker
from tests.docker.crash import kill_pyflat
from tests.docker.plugin import answers
from tests.docker.pools import OWN, subnets
from tests.docker.traces import records

SUBNET, SUBNET6 = "10.90.0.0/24", "fd90::/64"


@pytest.fixture
def containers(docker: Docker) -> list[Container]:
    """Two containers that Docker starts again, one under addresses it asked for."""
    blue = docker.network("blue", *OWN, "--ipv6", "--subnet", SUBNET, "--subnet", SUBNET6)
    options = ("--network", blue, "--restart", "always")
    static = ("--ip", "10.90.0.9", "--ip6", "fd90::9")
    return [docker.run("one", *options), docker.run("two", *options, *static)]


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
