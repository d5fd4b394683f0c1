"""Forwarding: on where packets of containers pass, and never for the whole host."""

from pathlib import Path

import pytest
from tests.support import dockerd, witness
from tests.support.dockerd import docker_id
from tests.support.machine import Machine
from tests.support.namespaces import add_way_out

from pyflat.dataplane.objects import Uplink

pytestmark = pytest.mark.quick

LAN, INNER = docker_id("lan"), docker_id("inner")
BRIDGE = f"pf-{LAN[:12]}"
V4 = dockerd.create_network(LAN, "172.30.0.0/24")
DUAL = dockerd.create_network(LAN, "172.30.0.0/24", "fd00::/64")
FORCE = Path("/proc/sys/net/ipv6/conf/default/force_forwarding")


def switch(path: str) -> str:
    return Path("/proc/sys/net", path).read_text().strip()


def host_wide() -> tuple[str, str]:
    return switch("ipv4/ip_forward"), switch("ipv6/conf/all/forwarding")


@pytest.fixture
def uplink(namespace: None) -> str:
    add_way_out("up0", "10.99.0", "fd99")
    return "up0"


def test_a_network_forwards_at_its_bridge_and_at_the_way_out(uplink: str, machine: Machine) -> None:
    machine.send(V4)
    assert switch(f"ipv4/conf/{BRIDGE}/forwarding") == "1"
    assert switch(f"ipv4/conf/{uplink}/forwarding") == "1"
    assert switch("ipv4/conf/lo/forwarding") == "0"
    assert host_wide() == ("0", "0")
    assert witness.elements("uplinks") == [uplink]
    assert witness.elements("opened") == [{"concat": ["ipv4", uplink]}]


@pytest.mark.skipif(not FORCE.exists(), reason="this kernel forwards IPv6 for all or for none")
def test_ipv6_is_forwarded_by_interface_where_the_kernel_can(uplink: str, machine: Machine) -> None:
    machine.send(DUAL)
    assert switch(f"ipv6/conf/{BRIDGE}/force_forwarding") == "1"
    assert switch(f"ipv6/conf/{uplink}/force_forwarding") == "1"
    assert host_wide() == ("0", "0")


def test_without_a_network_nothing_is_forwarded(uplink: str, machine: Machine) -> None:
    assert switch(f"ipv4/conf/{uplink}/forwarding") == "0"
    assert witness.elements("opened") == []
    machine.send(dockerd.create_network(INNER, "172.31.0.0/24", internal=True))
    assert switch(f"ipv4/conf/pf-{INNER[:12]}/forwarding") == "0"
    assert switch(f"ipv4/conf/{uplink}/forwarding") == "0"
    assert witness.elements("opened") == []
    assert host_wide() == ("0", "0")


def test_the_last_network_closes_what_the_first_one_opened(uplink: str, machine: Machine) -> None:
    machine.send(DUAL)
    assert len(witness.elements("opened")) == 2
    machine.send(dockerd.delete_network(LAN))
    assert witness.elements("opened") == []
    assert witness.elements("uplinks") == [uplink]


def test_a_host_that_forwards_anyway_is_not_closed_to_others(uplink: str, machine: Machine) -> None:
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    machine.engine.refresh()
    machine.send(DUAL)
    assert witness.elements("opened") == [{"concat": ["ipv6", uplink]}]
    assert machine.pending() == []


def test_all_ways_out_are_found(machine: Machine) -> None:
    add_way_out("up0", "10.99.0", "fd99")
    add_way_out("wlan0", "10.98.0", "fd98")
    witness.run("ip", "route", "add", "unreachable", "default", "metric", "4000")
    witness.run("ip", "-6", "route", "add", "blackhole", "default", "metric", "4000")
    found = {uplink.device for uplink in machine.kernel.surroundings().uplinks}
    assert found == {"up0", "wlan0"}


def test_routes_over_several_hops_count_all_of_them(machine: Machine) -> None:
    add_way_out("up0", "10.99.0", "fd99")
    add_way_out("wlan0", "10.98.0", "fd98")
    witness.run("ip", "route", "flush", "default")
    witness.run("ip", "-6", "route", "flush", "default")
    hops = ("nexthop", "via", "10.99.0.1", "nexthop", "via", "10.98.0.1")
    witness.run("ip", "route", "add", "default", *hops)
    assert {uplink.device for uplink in machine.kernel.surroundings().uplinks} == {"up0", "wlan0"}


def test_a_way_out_that_comes_or_goes_is_followed(machine: Machine) -> None:
    machine.send(DUAL)
    assert witness.elements("uplinks") == []
    add_way_out("up0", "10.99.0", "fd99")
    machine.engine.refresh()
    assert witness.elements("uplinks") == ["up0"]
    assert switch("ipv4/conf/up0/forwarding") == "1"
    witness.run("ip", "link", "delete", "up0")
    machine.engine.refresh()
    assert witness.elements("uplinks") == []
    assert machine.pending() == []


def test_a_way_out_whose_name_would_mean_something_to_nft_harms_nothing(machine: Machine) -> None:
    add_way_out('a"};b', "10.99.0", "fd99")
    machine.engine.refresh()
    machine.send(DUAL)
    assert witness.elements("bridges") == [BRIDGE]
    assert machine.pending() == []


def test_a_named_way_out_counts_only_while_it_is_there(namespace: None) -> None:
    machine = Machine("tun0")
    machine.send(DUAL)
    assert witness.elements("uplinks") == []
    witness.run("ip", "link", "add", "tun0", "type", "veth", "peer", "name", "tun0-peer")
    machine.engine.refresh()
    assert witness.elements("uplinks") == ["tun0"]
    assert machine.kernel.surroundings().uplinks == {Uplink(device="tun0")}
    machine.close()


def test_a_way_out_without_ipv6_does_not_keep_a_network_from_having_it(
    uplink: str, machine: Machine
) -> None:
    witness.run("ip", "link", "set", uplink, "mtu", "1000")
    machine.send(DUAL)
    assert host_wide() == ("0", "0")
    assert set(witness.addresses(BRIDGE)) == {"172.30.0.1/24", "fd00::1/64"}
    assert machine.pending() == []


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (V4, {"ipv6/conf/{}/disable_ipv6": "1", "ipv4/conf/{}/route_localnet": "1"}),
        (DUAL, {"ipv6/conf/{}/disable_ipv6": "0", "ipv6/conf/{}/accept_ra": "0"}),
        (
            dockerd.create_network(LAN, "172.30.0.0/24", "fd00::/64", internal=True),
            {
                "ipv4/conf/{}/forwarding": "0",
                "ipv4/conf/{}/route_localnet": "0",
                "ipv6/conf/{}/accept_ra": "0",
            },
        ),
    ],
    ids=["IPv4", "dual", "internal"],
)
def test_the_switches_of_a_bridge(
    machine: Machine, request_: dockerd.Call, expected: dict[str, str]
) -> None:
    machine.send(request_)
    assert {path: switch(path.format(BRIDGE)) for path in expected} == expected


@pytest.mark.parametrize(
    "name", [f"ipv4/conf/{BRIDGE}/forwarding", f"ipv6/conf/{BRIDGE}/accept_ra"]
)
def test_a_converge_turns_a_switch_back(machine: Machine, name: str) -> None:
    machine.send(DUAL)
    right = switch(name)
    Path("/proc/sys/net", name).write_text("0" if right == "1" else "1")
    machine.engine.converge()
    assert switch(name) == right
