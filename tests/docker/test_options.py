"""`docker network create -o`: what each option does, and how a wrong one is refused."""

from collections.abc import Iterator

import pytest
from tests.docker.client import Docker
from tests.docker.links import device_with, interfaces, link, peer
from tests.docker.reach import INTERNET, Answer, answering, ask, pings, server_of
from tests.docker.traces import assert_same, traces

from dockerlab import Lab

SUBNET, GATEWAY = "10.90.0.0/24", "10.90.0.1"
MTU = "com.docker.network.driver.mtu"
BRIDGE = "com.docker.network.bridge.name"
MASQUERADE = "com.docker.network.bridge.enable_ip_masquerade"
PREFIX = "com.docker.network.container_iface_prefix"
BINDING = "com.docker.network.bridge.host_binding_ipv4"


def test_mtu_is_that_of_bridge_host_end_and_container(docker: Docker) -> None:
    blue = docker.network("blue", "--subnet", SUBNET, "-o", f"{MTU}=1400")
    one, two = (docker.run(name, "--network", blue) for name in ("one", "two"))
    end = peer(one, "eth0", docker.host)
    bridge = link(docker.host, device_with(docker.host, GATEWAY))
    assert link(one, "eth0")["mtu"] == end["mtu"] == bridge["mtu"] == 1400
    whole = ("ping", "-c1", "-W1", "-M", "do", "-s")
    assert one.run(*whole, "1372", two.address(blue)).returncode == 0
    assert one.run(*whole, "1373", two.address(blue)).returncode != 0


@pytest.mark.quick
def test_a_bridge_has_the_name_of_the_users_choice(docker: Docker, lab: Lab) -> None:
    blue = docker.network("blue", "--subnet", SUBNET, "-o", f"{BRIDGE}=mybr")
    web = docker.web("web", "--network", blue, "-p", "81:80")
    near = docker.run("near", "--network", blue)
    assert device_with(docker.host, GATEWAY) == "mybr"
    assert peer(web, "eth0", docker.host)["master"] == "mybr"
    assert server_of(near, web.address(blue), 80) == "web"
    assert server_of(lab.outside, docker.host.address4, 81) == "web"
    assert pings(near, INTERNET[4])


@pytest.fixture
def way_back(lab: Lab, docker: Docker) -> Iterator[None]:
    """The outside machine knows the way to the containers' subnet."""
    lab.outside.run("ip", "route", "add", SUBNET, "via", docker.host.address4, check=True)
    yield
    lab.outside.run("ip", "route", "delete", SUBNET, check=True)


@pytest.mark.usefixtures("way_back")
def test_without_masquerading_the_outside_sees_the_containers_own_address(
    docker: Docker, lab: Lab
) -> None:
    blue = docker.network("blue", "--subnet", SUBNET, "-o", f"{MASQUERADE}=false")
    one = docker.run("one", "--network", blue)
    with answering(lab.outside, 8080, "internet"):
        assert ask(one, INTERNET[4], 8080) == Answer("internet", one.address(blue))


def test_interfaces_have_the_prefix_of_the_users_choice(docker: Docker) -> None:
    blue = docker.network("blue", "-o", f"{PREFIX}=lan")
    one = docker.run("one", "--network", blue)
    assert interfaces(one) == ["lan0"]
    assert pings(one, INTERNET[4])


@pytest.mark.quick
@pytest.mark.parametrize(
    ("option", "value", "allowed"),
    [
        (MTU, "67", "a number from 68 to 65535"),
        (MTU, "big", "a number from 68 to 65535"),
        (BRIDGE, "sixteen-letters-", "at most 15 letters"),
        (BRIDGE, "my br", "at most 15 letters"),
        (MASQUERADE, "perhaps", "true or false"),
        (PREFIX, "thirteen-long", "at most 12 characters"),
        (BINDING, "fd00::1", "an IPv4 address"),
        (BINDING, "everywhere", "an IPv4 address"),
        ("antispoof", "perhaps", "true or false"),
        ("ports", "nobody", "native or docker"),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_allowed(
    docker: Docker, option: str, value: str, allowed: str
) -> None:
    before = traces(docker.host)
    error = docker.refused("network", "create", "-d", "pyflat", "-o", f"{option}={value}", "blue")
    assert f"option {option}={value!r}" in error
    assert allowed in error
    assert docker("network", "ls", "-q", "--filter", "type=custom") == ""
    assert_same(docker.host, before)


def test_an_unknown_option_is_refused_with_those_that_are_known(docker: Docker) -> None:
    error = docker.refused("network", "create", "-d", "pyflat", "-o", "colour=blue", "blue")
    assert "option colour" in error
    assert MTU in error


@pytest.mark.parametrize("kind", ["bridge", "veth"])
def test_a_foreign_interface_is_no_bridge_of_ours(docker: Docker, kind: str) -> None:
    host = docker.host
    host.run("ip", "link", "add", "mybr", "type", kind, check=True)
    try:
        before = traces(host)
        error = docker.refused("network", "create", "-d", "pyflat", "-o", f"{BRIDGE}=mybr", "blue")
        assert "mybr" in error
        assert_same(host, before)
    finally:
        host.run("ip", "link", "delete", "mybr", check=True)


def test_two_networks_cannot_share_a_bridge(docker: Docker) -> None:
    docker.network("blue", "--subnet", SUBNET, "-o", f"{BRIDGE}=mybr")
    words = ("network", "create", "-d", "pyflat", "-o", f"{BRIDGE}=mybr", "green")
    assert "bridge mybr is already the bridge of network" in docker.refused(*words)
    assert device_with(docker.host, GATEWAY) == "mybr"
