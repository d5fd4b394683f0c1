"""Overlays in the kernel: who gets in by the tunnel, and what never leaves by it."""

import socket
import struct
from collections.abc import Iterator, Mapping

import pytest
from netaddr import IPAddress, IPNetwork
from tests.support import dockerd
from tests.support.dockerd import docker_id
from tests.support.frames import about, arp, behind_options, discovery, ipv4, udp
from tests.support.inhabited import inside, settle
from tests.support.machine import Machine
from tests.support.namespaces import within
from tests.support.news import segment
from tests.support.underlay import HERE, PEER, STRANGER, add_segment, overlay_host
from tests.support.witness import run

from pyflat.peers import Peer, Remote

pytestmark = pytest.mark.quick

ALL_PACKETS = 3  # linux/if_ether.h: ETH_P_ALL
VNI, PORT = 42, 4789
ICC = "com.docker.network.bridge.enable_icc"
BLUE, WEB = docker_id("blue"), docker_id("web")
MAC = "02:42:00:00:00:02"
V4, V6, GATEWAY, GATEWAY6 = "172.30.0.2", "fd00::2", "172.30.0.1", "fd00::1"
FAR, FAR_MAC = "172.30.0.9", "02:42:00:00:00:09"
GATEWAY_MAC = "02:42:ac:1e:00:01"
NODES, ADVERTISEMENT, SOLICITATION, ROUTER = "ff02::1", 136, 135, 134
OVERRIDE = 0x20000000


@pytest.fixture(params=["host", "inside"])
def machine(request: pytest.FixtureRequest, container: str, other: str) -> Iterator[Machine]:
    """A host of overlays, with another host on its segment."""
    add_segment(other)
    with overlay_host(request.param) as machine:
        yield machine


def create(machine: Machine, container: str, **labels: str) -> None:
    """Make an overlay with one container in it."""
    labels = {"vni": str(VNI)} | labels
    pools = ("172.30.0.0/24", "fd00::/64")
    if "peers" not in labels:
        machine.hear(segment(VNI, *pools))
    machine.send(
        dockerd.create_network(BLUE, *pools, labels=labels),
        dockerd.create_endpoint(BLUE, WEB, f"{V4}/24", f"{V6}/64", mac=MAC),
        dockerd.join(BLUE, WEB),
    )
    settle(container, WEB, f"{V4}/24", f"{V6}/64")
    assert machine.pending() == []


def packets_of(container: str) -> socket.socket:
    with within(container):
        packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PACKETS))
    packets.bind(("eth0", 0))
    packets.settimeout(0.5)
    return packets


def heard(packets: socket.socket, marks: Mapping[str, bytes], *, until: str) -> list[str]:
    """Give which frames arrive, up to one that does in any case."""
    found = []
    while until not in found:
        data = packets.recv(2048)
        found += [name for name, frame in marks.items() if frame in data]
    return found


def through_tunnel(other: str, source: str, target: str, frame: bytes) -> None:
    """Send a frame through the tunnel, under an address of the other host's."""
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    with within(other), socket.socket(family, socket.SOCK_DGRAM) as link:
        link.bind((source, 0))
        link.sendto(struct.pack("!II", 0x08 << 24, VNI << 8) + frame, (target, PORT))


@pytest.mark.parametrize("version", [4, 6])
def test_a_stranger_does_not_get_in_by_the_tunnel(
    machine: Machine, container: str, other: str, version: int
) -> None:
    create(machine, container, peers=PEER[version])
    frames = {
        name: ipv4(FAR_MAC, FAR, "255.255.255.255", udp(port, 5000))
        for name, port in (("stranger", 5001), ("peer", 5002))
    }
    with packets_of(container) as packets:
        for name, source in (("stranger", STRANGER[version]), ("peer", PEER[version])):
            through_tunnel(other, source, HERE[version], frames[name])
        assert heard(packets, frames, until="peer") == ["peer"]


def pretended() -> Mapping[str, bytes]:
    """Give frames about the gateway that a container could make."""
    router = bytes.fromhex("40000708 00000000 00000000")
    answer = about(GATEWAY6, OVERRIDE)
    return {
        "a question for the gateway": arp(MAC, V4, GATEWAY),
        "an answer as the gateway": arp(MAC, GATEWAY, V4, answer=True),
        "an announcement of the gateway": arp(MAC, GATEWAY, GATEWAY),
        "a question from the gateway's MAC": arp(GATEWAY_MAC, V4, FAR),
        "a broadcast from the gateway's MAC": ipv4(GATEWAY_MAC, V4, FAR, udp(5000, 5000)),
        "a solicitation": discovery(MAC, V6, NODES, SOLICITATION, about(GATEWAY6)),
        "an advertisement": discovery(MAC, V6, NODES, ADVERTISEMENT, answer),
        "an advertisement behind options": behind_options(
            discovery(MAC, V6, NODES, ADVERTISEMENT, answer)
        ),
        "a router": discovery(GATEWAY_MAC, "fe80::1", NODES, ROUTER, router),
    }


@pytest.mark.parametrize("labels", [{"peers": PEER[4]}, {}], ids=["listed", "clustered"])
def test_what_is_of_the_gateway_never_leaves_by_the_tunnel(
    machine: Machine, container: str, other: str, labels: dict[str, str]
) -> None:
    create(machine, container, **labels)
    machine.hear(Peer(vni=VNI, host="h2", vtep=IPAddress(PEER[4])))
    last = arp(MAC, V4, FAR)
    with within(other):
        tunnel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with tunnel, packets_of(container) as packets:
        tunnel.bind((PEER[4], PORT))
        tunnel.settimeout(2)
        for address in ("172.30.0.77", "fd00::77"):
            run("ping", "-c1", "-W1", "-i0.2", address, check=False)
        for frame in (*pretended().values(), last):
            packets.send(frame)
        sent = [tunnel.recv(2048)[8:]]
        while sent[-1] != last:
            sent.append(tunnel.recv(2048)[8:])
    assert [name for name, frame in pretended().items() if frame in sent] == []
    assert [
        frame for frame in sent if frame[6:12] == bytes.fromhex(GATEWAY_MAC.replace(":", ""))
    ] == []
    # What stays on this host is answered here.
    for gateway in (GATEWAY, GATEWAY6):
        inside(container, "ping", "-c1", "-W2", gateway)


@pytest.mark.parametrize("version", [4, 6])
def test_containers_of_two_hosts_reach_each_other(
    machine: Machine, container: str, other: str, version: int
) -> None:
    create(machine, container, peers=PEER[version])
    words = ("ip", "-n", other, "link", "add", "far", "address", FAR_MAC, "mtu", "1280", "type")
    ends = ("local", PEER[version], "remote", HERE[version])
    run(*words, "vxlan", "id", str(VNI), "dstport", str(PORT), "dev", "eth0", *ends)
    run("ip", "-n", other, "address", "add", f"{FAR}/24", "dev", "far")
    run("ip", "-n", other, "link", "set", "far", "up")
    inside(container, "ping", "-c1", "-W2", FAR)
    machine.restart()
    assert machine.pending() == []
    inside(container, "ping", "-c1", "-W2", FAR)


@pytest.mark.parametrize("icc", ["true", "false"])
def test_containers_that_are_kept_apart_do_not_meet_by_their_gateways(
    machine: Machine, container: str, other: str, icc: str
) -> None:
    create(machine, container, direct="true", **{ICC: icc})
    blocks = (IPNetwork(f"{FAR}/29").cidr,)
    peer = Peer(vni=VNI, host="h2", vtep=IPAddress(PEER[4]), blocks=blocks)
    machine.hear(peer)
    inside(container, "ip", "route", "add", FAR, "via", GATEWAY)
    inside(container, "ip", "route", "add", "default", "via", GATEWAY)
    marks = {FAR: b"to a container", PEER[4]: b"to a host"}
    with packets_of(other) as packets:
        with within(container), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
            for address, mark in marks.items():
                link.sendto(mark, (address, 5000))
        arrived = heard(packets, marks, until=PEER[4])
    assert arrived == ([FAR, PEER[4]] if icc == "true" else [PEER[4]])


def test_ten_thousand_endpoints_are_heard_of_at_once(machine: Machine, container: str) -> None:
    create(machine, container)
    peer = IPAddress(PEER[4])
    remotes = [
        Remote(
            id=f"{number:064x}",
            vni=VNI,
            host="h2",
            vtep=peer,
            mac=f"02:42:0a:00:{number >> 8:02x}:{number & 255:02x}",
            addresses=(IPAddress(0x0A000000 + number),),
        )
        for number in range(10_000)
    ]
    machine.hear(*remotes)
    assert machine.pending() == []
