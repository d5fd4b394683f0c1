"""`--ipam-driver pyflat`: which address whom is given, and which are refused."""

import pytest
from tests.docker.client import Docker
from tests.docker.links import default_routes, device_with
from tests.docker.pools import OWN, given_out
from tests.docker.reach import INTERNET, pings
from tests.docker.traces import assert_same, traces

SUBNET, SMALL = "10.90.0.0/24", "10.90.0.0/29"


@pytest.mark.quick
def test_range_gateway_and_reserved_addresses_are_the_users_choice(docker: Docker) -> None:
    blue = docker.network(
        "blue", *OWN, "--subnet", SUBNET, "--ip-range", "10.90.0.128/30",
        "--gateway", "10.90.0.254",
        "--aux-address", "router=10.90.0.129", "--aux-address", "printer=10.90.0.9",
    )  # fmt: skip
    names = ("one", "two", "three")
    containers = [docker.run(name, "--network", blue) for name in names]
    given = [container.address(blue) for container in containers]
    assert given == ["10.90.0.128", "10.90.0.130", "10.90.0.131"]
    assert default_routes(containers[0]) == ["10.90.0.254"]
    assert pings(containers[0], INTERNET[4])
    full = docker.refused(*docker.words("late", "--network", blue))
    assert "no address is left in 10.90.0.128/30 of pool 10.90.0.0/24" in full
    docker.run("asked", "--network", blue, "--ip", "10.90.0.7")
    reserved = {"10.90.0.129", "10.90.0.9"}
    assert given_out(docker.host) == {*given, "10.90.0.254", "10.90.0.7", *reserved}
    taken = docker.refused(*docker.words("printer", "--network", blue, "--ip", "10.90.0.9"))
    assert "address 10.90.0.9 of pool 10.90.0.0/24 is already given out" in taken


@pytest.mark.engine("28.5")
def test_the_gateway_is_the_first_of_the_subnet_whatever_the_range(docker: Docker) -> None:
    blue = docker.network("blue", *OWN, "--subnet", SUBNET, "--ip-range", "10.90.0.64/26")
    one = docker.run("one", "--network", blue)
    assert default_routes(one) == ["10.90.0.1"]
    assert one.address(blue) == "10.90.0.64"
    assert device_with(docker.host, "10.90.0.1").startswith("pf-")


@pytest.mark.engine("28.5")
def test_a_full_subnet_is_an_error_that_names_it_until_an_address_is_free(docker: Docker) -> None:
    blue = docker.network("blue", *OWN, "--subnet", SMALL)
    names = [f"c{number}" for number in range(2, 7)]
    given = [docker.run(name, "--network", blue).address(blue) for name in names]
    assert given == [f"10.90.0.{number}" for number in range(2, 7)]
    before = traces(docker.host)
    error = docker.refused(*docker.words("late", "--network", blue))
    assert f"no address is left in {SMALL} of pool {SMALL}" in error
    assert_same(docker.host, before)
    docker("rm", "-f", "c4")
    docker("start", "late")
    assert docker.inspect("container", "late")["State"]["Running"]
    assert given_out(docker.host) == {"10.90.0.1", *given}


@pytest.mark.engine("28.5")
def test_a_subnet_of_two_addresses_has_one_for_a_container(docker: Docker) -> None:
    blue = docker.network("blue", *OWN, "--subnet", "10.90.0.0/31")
    one = docker.run("one", "--network", blue)
    assert default_routes(one) == ["10.90.0.0"]
    assert one.address(blue) == "10.90.0.1"
    assert pings(one, INTERNET[4])


@pytest.mark.engine("28.5")
def test_an_address_once_asked_for_is_the_last_that_another_gets(docker: Docker) -> None:
    blue = docker.network("blue", *OWN, "--subnet", SMALL)
    docker("create", "--name", "owner", "--network", blue, "--ip", "10.90.0.2", "busybox", "true")
    docker("start", "-a", "owner")
    assert given_out(docker.host) == {"10.90.0.1"}
    others = [docker.run(f"c{number}", "--network", blue) for number in range(4)]
    given = [other.address(blue) for other in others]
    assert given == [f"10.90.0.{number}" for number in range(3, 7)]
    docker("start", "-a", "owner")
    assert docker.run("last", "--network", blue).address(blue) == "10.90.0.2"
    error = docker.refused("start", "-a", "owner")
    assert f"address 10.90.0.2 of pool {SMALL} is already given out" in error


@pytest.mark.engine("28.5")
def test_an_address_in_use_or_of_elsewhere_is_refused_by_name(docker: Docker) -> None:
    blue = docker.network("blue", *OWN, "--subnet", SUBNET)
    docker.run("one", "--network", blue, "--ip", "10.90.0.9")
    before = traces(docker.host)
    for name, address in (("late", "10.90.0.9"), ("gate", "10.90.0.1")):
        taken = docker.refused(*docker.words(name, "--network", blue, "--ip", address))
        assert f"address {address} of pool {SUBNET} is already given out" in taken
    foreign = docker.refused(*docker.words("far", "--network", blue, "--ip", "10.91.0.9"))
    assert "10.91.0.9" in foreign
    assert_same(docker.host, before)


@pytest.mark.engine("28.5")
def test_a_running_container_is_connected_under_the_address_it_asks_for(docker: Docker) -> None:
    blue = docker.network("blue", *OWN, "--ipv6", "--subnet", SUBNET, "--subnet", "fd90::/64")
    one = docker.run("one")
    own = ("10.90.0.40", "fd90::40")
    docker("network", "connect", "--ip", own[0], "--ip6", own[1], blue, one.name)
    assert (one.address(blue), one.address(blue, 6)) == own
    assert device_with(one, own[0]) == device_with(one, own[1])
    assert given_out(docker.host) == {"10.90.0.1", "fd90::1", *own}
    docker("network", "disconnect", blue, one.name)
    assert given_out(docker.host) == {"10.90.0.1", "fd90::1"}
