"""Docker's other labels for networks, and how wrong values of all are refused."""

from collections.abc import Iterator

import pytest
from tests.docker.client import Docker
from tests.docker.labels import (
    DUAL,
    GATEWAY,
    GATEWAY6,
    SUBNET,
    SUBNET6,
    label,
    modes,
    reached,
    ways_in,
)
from tests.docker.links import default_routes, device_with, ip
from tests.docker.reach import INTERNET, Answer, answering, ask, closed, pings, server_of
from tests.docker.traces import assert_same, traces

from dockerlab import Lab
from dockerlab.host import Host
from dockerlab.underlay import OUTSIDE

pytestmark = [pytest.mark.engine("28.5"), pytest.mark.placements]

FAMILIES = (4, 6)


@pytest.fixture
def routes(lab: Lab) -> Iterator[None]:
    """The outside machine knows the way to both subnets."""
    with ways_in(lab, SUBNET, SUBNET6):
        yield


@pytest.mark.usefixtures("routes")
@pytest.mark.parametrize("trusted", ["other0:eth0", "other0"])
def test_published_ports_are_reached_directly_through_a_trusted_interface(
    docker: Docker, lab: Lab, driver: str, trusted: str
) -> None:
    words = label("bridge.trusted_host_interfaces", trusted)
    blue = docker.network("blue", *DUAL, *words, driver=driver)
    web = docker.web("web", "--network", blue, "-p", "81:80")
    own = [web.address(blue, version) for version in FAMILIES]
    assert server_of(lab.outside, docker.host.address6, 81) == "web"
    expected = [Answer("web", outer) for outer in OUTSIDE] if "eth0" in trusted else [None, None]
    assert [ask(lab.outside, address, 80, wait=1) for address in own] == expected
    with answering(web, 8080, "hidden"):
        assert reached(lab.outside, *own, port=8080) == []
    other = docker.run("other")
    assert ask(other, own[0], 80, wait=1) is None


def test_an_inhibited_bridge_has_no_ipv4_address(docker: Docker, driver: str) -> None:
    words = label("bridge.inhibit_ipv4", "true")
    blue = docker.network("blue", *DUAL, *words, driver=driver)
    web = docker.web("web", "--network", blue)
    near = docker.run("near", "--network", blue)
    bridge = device_with(docker.host, GATEWAY6)
    assert ip(docker.host, "-4", "address", "show", "dev", bridge) == []
    assert default_routes(near) == [GATEWAY]
    assert not pings(near, GATEWAY, wait=1)
    assert server_of(near, web.address(blue), 80) == "web"
    assert pings(near, INTERNET[6])


@pytest.fixture
def second(host: Host) -> Iterator[dict[int, str]]:
    """Further addresses of the host."""
    addresses = {4: "192.0.2.99", 6: "2001:db8:1::99"}
    for address, length in (("192.0.2.99", 24), ("2001:db8:1::99", 64)):
        words = ("address", "add", f"{address}/{length}", "dev", "eth0", "nodad")
        host.run("ip", *(words if ":" in address else words[:-1]), check=True)
    yield addresses
    for address, length in (("192.0.2.99", 24), ("2001:db8:1::99", 64)):
        host.run("ip", "address", "delete", f"{address}/{length}", "dev", "eth0", check=True)


def test_containers_appear_outside_under_the_chosen_address_of_the_host(
    second: dict[int, str], docker: Docker, lab: Lab, driver: str
) -> None:
    words = (*label("host_ipv4", second[4]), *label("host_ipv6", second[6]))
    blue = docker.network("blue", *DUAL, *words, driver=driver)
    one = docker.run("one", "--network", blue)
    web = docker.web("web", "--network", blue, "-p", "81:80")
    with answering(lab.outside, 8080, "internet"):
        for version in FAMILIES:
            assert ask(one, INTERNET[version], 8080) == Answer("internet", second[version])
    for address in (docker.host.address4, second[4], docker.host.address6, second[6]):
        assert server_of(lab.outside, address, 81) == "web"
    assert ask(one, web.address(blue), 80) == Answer("web", one.address(blue))


@pytest.mark.usefixtures("routes")
def test_without_masquerading_the_outside_sees_the_containers_addresses(
    docker: Docker, lab: Lab
) -> None:
    words = label("bridge.enable_ip_masquerade", "false")
    blue = docker.network("blue", *DUAL, *words)
    one = docker.web("one", "--network", blue, "-p", "81:80")
    own = [one.address(blue, version) for version in FAMILIES]
    with answering(lab.outside, 8080, "internet"):
        for version, address in zip(FAMILIES, own, strict=True):
            assert ask(one, INTERNET[version], 8080) == Answer("internet", address)
    assert reached(lab.outside, *own) == []
    assert server_of(lab.outside, docker.host.address4, 81) == "one"


def test_a_binding_to_one_ipv4_address_is_no_binding_to_ipv6(
    docker: Docker, lab: Lab, driver: str
) -> None:
    host = docker.host
    words = label("bridge.host_binding_ipv4", host.address4)
    blue = docker.network("blue", *DUAL, *words, driver=driver)
    docker.web("web", "--network", blue, "-p", "81:80")
    assert server_of(lab.outside, host.address4, 81) == "web"
    assert server_of(host, host.address4, 81) == "web"
    assert closed(lab.outside, host.address6, 81)
    assert closed(host, "127.0.0.1", 81)


LABELS = (
    *label("bridge.trusted_host_interfaces", "eth0"),
    *label("bridge.inhibit_ipv4", "true"),
    *label("host_ipv4", "192.0.2.11"),
    *label("host_ipv6", "2001:db8:1::11"),
    *label("bridge.enable_ip_masquerade", "false"),
    *label("bridge.host_binding_ipv4", "127.0.0.1"),
)


@pytest.mark.usefixtures("routes")
def test_an_internal_network_stays_internal_under_all_of_them(
    docker: Docker, lab: Lab, driver: str
) -> None:
    blue = docker.network("blue", "--internal", *DUAL, *LABELS, driver=driver)
    web = docker.web("web", "--network", blue, "-p", "81:80")
    near = docker.run("near", "--network", blue)
    own = [web.address(blue, version) for version in FAMILIES]
    assert reached(near, *own) == own
    assert reached(near, *INTERNET.values()) == []
    assert reached(lab.outside, *own) == []
    assert closed(docker.host, "127.0.0.1", 81)


ALLOWED_MODES = "nat, nat-unprotected, routed or, of an internal network, isolated"


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("bridge.enable_icc", "perhaps", "true or false"),
        ("bridge.inhibit_ipv4", "2", "true or false"),
        ("bridge.gateway_mode_ipv4", "open", ALLOWED_MODES),
        ("bridge.gateway_mode_ipv6", "NAT", ALLOWED_MODES),
        ("bridge.gateway_mode_ipv4", "isolated", "only an internal network can be isolated"),
        ("bridge.gateway_mode_ipv6", "isolated", "only an internal network can be isolated"),
        ("bridge.trusted_host_interfaces", "eth0,eth1", "interface names with colons between"),
        ("bridge.trusted_host_interfaces", "", "interface names with colons between"),
        ("host_ipv4", "2001:db8:1::11", "an IPv4 address"),
        ("host_ipv4", "192.0.2.0/24", "an IPv4 address"),
        ("host_ipv6", "192.0.2.11", "an IPv6 address"),
        ("driver.mtu", "-1", "a number from 68 to 65535"),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_allowed(
    docker: Docker, name: str, value: str, allowed: str
) -> None:
    before = traces(docker.host)
    words = ("network", "create", "-d", "pyflat", *DUAL, *label(name, value), "blue")
    error = docker.refused(*words)
    assert f"option com.docker.network.{name}={value!r}" in error
    assert allowed in error
    assert docker("network", "ls", "-q", "--filter", "type=custom") == ""
    assert_same(docker.host, before)


def test_every_label_at_once_is_one_network_and_none_afterwards(docker: Docker) -> None:
    before = traces(docker.host)
    blue = docker.network(
        "blue", *DUAL, *LABELS, *modes("nat-unprotected", "routed"),
        *label("bridge.name", "mybr"), *label("driver.mtu", "1400"),
        *label("container_iface_prefix", "lan"), *label("bridge.enable_icc", "false"),
    )  # fmt: skip
    docker.web("one", "--network", blue, "-p", "81:80", "-p", "82:80/udp")
    docker.remove_all()
    assert_same(docker.host, before)
