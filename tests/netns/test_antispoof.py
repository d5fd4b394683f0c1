"""Option antispoof: frames of a container's own making, and which of them its neighbour gets."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import pytest
from tests.support import dockerd, witness
from tests.support.dockerd import docker_id
from tests.support.frames import (
    about,
    arp,
    behind_options,
    discovery,
    ethernet,
    ipv4,
    ipv6,
    tagged,
    udp,
    untagged,
)
from tests.support.inhabited import settle
from tests.support.machine import Machine
from tests.support.namespaces import container_namespace, within

pytestmark = pytest.mark.quick

ALL_PACKETS = 3  # linux/if_ether.h: ETH_P_ALL
EXPERIMENTAL = 0x88B5  # IEEE 802: an ethertype for experiments
NODES = "ff02::1"
FOREIGN_MAC = "02:42:00:00:00:99"
ADVERTISEMENT, SOLICITATION, ROUTER, REDIRECT = 136, 135, 134, 137
OVERRIDE = 1 << 29


@dataclass(frozen=True)
class Side:
    """A network of two containers; number 2 sends, number 3 listens, number 1 is the gateway."""

    number: int

    def v4(self, host: int) -> str:
        return f"172.30.{self.number}.{host}"

    def v6(self, host: int) -> str:
        return f"fd00:0:0:{self.number}::{host}"

    def mac(self, host: int) -> str:
        return f"02:42:ac:1e:{self.number:02x}:{host:02x}"

    def link_local(self, host: int) -> str:
        return f"fe80::42:acff:fe1e:{self.number:x}{host:02x}"

    def id(self, host: int) -> str:
        return docker_id(f"{self.number} {host}")


GUARDED, PLAIN = Side(1), Side(2)


def own_frames(side: Side) -> Mapping[str, bytes]:
    mac, v4, v6, local = side.mac(2), side.v4(2), side.v6(2), side.link_local(2)
    return {
        "IPv4": ipv4(mac, v4, side.v4(3), udp(5000, 5000)),
        "IPv6": ipv6(mac, v6, side.v6(3), udp(5000, 5000)),
        "IPv6 of the link": ipv6(mac, local, NODES, udp(5000, 5000)),
        "ARP request": arp(mac, v4, side.v4(3)),
        "ARP probe": arp(mac, "0.0.0.0", side.v4(9)),
        "ARP announcement": arp(mac, v4, v4),
        "duplicate detection": discovery(mac, "::", NODES, SOLICITATION, about(side.v6(9))),
        "neighbour solicitation": discovery(mac, v6, NODES, SOLICITATION, about(side.v6(3))),
        "neighbour advertisement": discovery(mac, v6, NODES, ADVERTISEMENT, about(v6, OVERRIDE)),
        "advertisement of the link": discovery(mac, local, NODES, ADVERTISEMENT, about(local)),
        "router solicitation": discovery(mac, local, "ff02::2", 133, bytes(4)),
        "DHCP discover": ipv4(mac, "0.0.0.0", "255.255.255.255", udp(68, 67)),
        "DHCP renewal": ipv4(mac, v4, side.v4(3), udp(68, 67)),
        "DHCPv6 solicit": ipv6(mac, local, "ff02::1:2", udp(546, 547)),
    }


def foreign_frames(side: Side) -> Mapping[str, bytes]:
    mac, v4, v6, local = side.mac(2), side.v4(2), side.v6(2), side.link_local(2)
    data = udp(5000, 5000)
    about_another = about(side.v6(4), OVERRIDE)
    router = discovery(mac, local, NODES, ROUTER, bytes.fromhex("40000708 00000000 00000000"))
    return {
        "MAC": ipv4(FOREIGN_MAC, v4, side.v4(3), data),
        "MAC, IPv6": ipv6(FOREIGN_MAC, v6, side.v6(3), data),
        "MAC, ARP": arp(FOREIGN_MAC, v4, v4, sender_mac=mac),
        "MAC, DHCP discover": ipv4(FOREIGN_MAC, "0.0.0.0", "255.255.255.255", udp(68, 67)),
        "MAC, duplicate detection": discovery(
            FOREIGN_MAC, "::", NODES, SOLICITATION, about(side.v6(9))
        ),
        "IPv4 source": ipv4(mac, side.v4(4), side.v4(3), data),
        "IPv4 source of the gateway": ipv4(mac, side.v4(1), side.v4(3), data),
        "IPv4 source of nobody": ipv4(mac, "0.0.0.0", side.v4(3), data),
        "ARP sender's MAC": arp(mac, v4, v4, sender_mac=FOREIGN_MAC),
        "ARP sender's address": arp(mac, side.v4(1), side.v4(1)),
        "ARP answer without an address": arp(mac, "0.0.0.0", side.v4(3), answer=True),
        "IPv6 source": ipv6(mac, side.v6(4), side.v6(3), data),
        "IPv6 source of the gateway": ipv6(mac, side.v6(1), side.v6(3), data),
        "IPv6 source of the link": ipv6(mac, side.link_local(4), NODES, data),
        "IPv6 source of nobody": ipv6(mac, "::", NODES, data),
        "advertisement for another": discovery(mac, v6, NODES, ADVERTISEMENT, about_another),
        "router advertisement": router,
        "router advertisement behind options": behind_options(router),
        "redirect": discovery(
            mac, local, side.v6(3), REDIRECT, about(side.v6(2)) + bytes.fromhex("fe80" + "9" * 28)
        ),
        "DHCP answer": ipv4(mac, v4, "255.255.255.255", udp(67, 68)),
        "DHCPv6 answer": ipv6(mac, local, NODES, udp(547, 546)),
        "VLAN tag": tagged(ipv4(mac, v4, side.v4(3), udp(5001, 5001)), 7),
        "ethertype": ethernet(mac, EXPERIMENTAL, b"experiment".ljust(46)),
    }


@pytest.fixture
def sides(machine: Machine) -> Iterator[Mapping[Side, tuple[str, str]]]:
    """Both networks, and the namespaces of their containers: who sends, who listens."""
    with ExitStack() as stack:
        yield {side: _inhabited(machine, side, stack) for side in (GUARDED, PLAIN)}


def _inhabited(machine: Machine, side: Side, stack: ExitStack) -> tuple[str, str]:
    network = docker_id(str(side.number))
    labels = {"antispoof": "true"} if side is GUARDED else {}
    pools = (f"{side.v4(0)}/24", f"{side.v6(0)}/64")
    machine.send(dockerd.create_network(network, *pools, labels=labels))
    names = [stack.enter_context(container_namespace()) for _ in range(2)]
    for host, name in enumerate(names, 2):
        v4, v6 = f"{side.v4(host)}/24", f"{side.v6(host)}/64"
        machine.send(*dockerd.run(network, side.id(host), v4, v6=v6))
        settle(name, side.id(host), v4, v6)
    return names[0], names[1]


def packet_socket(container: str) -> socket.socket:
    with within(container):
        packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PACKETS))
    packets.bind(("eth0", 0))
    packets.settimeout(3)
    return packets


def arrived(ends: tuple[str, str], frames: Mapping[str, bytes]) -> list[str]:
    """Send frames from one container, and say which of them the other gets; the last it does."""
    sender, listener = map(packet_socket, ends)
    found = set()
    with sender, listener, suppress(TimeoutError):
        for last in frames.values():
            sender.send(last)
        while True:
            found.add(listener.recv(2048))
            if last in found:
                listener.settimeout(0.02)
    return [name for name, frame in frames.items() if untagged(frame) in found]


def test_with_the_option_only_what_a_container_sends_as_itself_arrives(
    sides: Mapping[Side, tuple[str, str]],
) -> None:
    own = own_frames(GUARDED)
    assert arrived(sides[GUARDED], {**foreign_frames(GUARDED), **own}) == list(own)


def test_without_it_all_of_that_arrives(sides: Mapping[Side, tuple[str, str]]) -> None:
    frames = {**foreign_frames(PLAIN), **own_frames(PLAIN)}
    assert arrived(sides[PLAIN], frames) == list(frames)


def test_the_guard_goes_with_the_endpoint_and_the_table_with_the_network(machine: Machine) -> None:
    network, web = docker_id("lan"), docker_id("web")
    labels = {"antispoof": "true"}
    machine.send(
        dockerd.create_network(network, "172.30.0.0/24", "fd00::/64", labels=labels),
        *dockerd.run(network, web, "172.30.0.2/24", v6="fd00::2/64"),
    )
    machine.restart()
    assert machine.pending() == []
    sets = ("guarded", "mac", "allow4", "allow6", "target6")
    assert [len(witness.elements(name, "bridge")) for name in sets] == [1, 1, 1, 2, 2]
    machine.send(*dockerd.stop(network, web))
    assert [witness.elements(name, "bridge") for name in sets] == [[]] * 5
    machine.send(dockerd.delete_network(network))
    assert "bridge pyflat" not in witness.tables()
