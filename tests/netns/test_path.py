"""The size of packets on the way to another host, and what the probe says of it."""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from netaddr import IPAddress, IPNetwork
from tests.support.dockerd import docker_id
from tests.support.namespaces import container_namespace
from tests.support.records import state_of
from tests.support.witness import eventually, run

from pyflat.dataplane import path
from pyflat.dataplane.path import SMALLEST, largest, passes
from pyflat.model import Network, NetworkOptions
from pyflat.overlay import probe
from pyflat.overlay.probe import Probe
from pyflat.peers import Overlay, Peer, Tunnel
from pyflat.state import State

pytestmark = pytest.mark.quick

WAYS = {4: ("192.0.2.1", "198.51.100.1"), 6: ("2001:db8:1::1", "2001:db8:2::1")}


@pytest.fixture(scope="module", params=[4, 6])
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(autouse=True)
def near(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers come at once here."""
    monkeypatch.setattr(path, "PATIENCE", 0.05)


@pytest.fixture
def router(container: str) -> Iterator[str]:
    """A way to another host of which the second half takes 1400 bytes."""
    with container_namespace() as far:
        run("ip", "link", "add", "eth0", "type", "veth", "peer", "near", "netns", container)
        words = ("link", "add", "far", "type", "veth", "peer", "eth0", "netns", far)
        run("ip", "-n", container, *words)
        for family in WAYS:
            _address("eth0", family, 0, ".1", "::1")
            for link, net in (("near", 0), ("far", 1)):
                _address(link, family, net, ".254", "::254", container)
            _address("eth0", family, 1, ".1", "::1", far)
        for link, space in (("near", container), ("far", container), ("eth0", far)):
            run("ip", "-n", space, "link", "set", link, "up")
        run("ip", "link", "set", "eth0", "up")
        for option, subnet, here, there in (
            ("-4", "198.51.100.0/24", "192.0.2.254", "198.51.100.254"),
            ("-6", "2001:db8:2::/64", "2001:db8:1::254", "2001:db8:2::254"),
        ):
            run("ip", option, "route", "add", subnet, "via", here)
            run("ip", "-n", far, option, "route", "add", "default", "via", there)
        run("ip", "-n", container, "link", "set", "far", "mtu", "1400")
        inside = ("nsenter", f"--net=/run/netns/{container}", "--")
        run(*inside, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        yield container


def _address(link: str, version: int, net: int, v4: str, v6: str, space: str = "") -> None:
    prefix = WAYS[version][net].rpartition("." if version == 4 else "::1")[0]
    address = f"{prefix}{v4}/24" if version == 4 else f"{prefix}{v6}/64"
    words = ("address", "add", address, "dev", link, *(("nodad",) if version == 6 else ()))
    run("ip", *(("-n", space) if space else ()), *words)


def reach(version: int) -> tuple[IPAddress, IPAddress]:
    source, target = map(IPAddress, WAYS[version])
    assert eventually(lambda: passes(source, target, SMALLEST[version]))
    return source, target


def test_the_largest_packet_is_found(router: str, version: int) -> None:
    source, target = reach(version)
    tried = []

    def try_(size: int) -> bool:
        tried.append(size)
        return passes(source, target, size)

    assert largest(try_, SMALLEST[version], 1500) == 1400
    assert len(tried) < 14


def test_a_way_that_takes_all_is_tried_once() -> None:
    sizes = iter([1500])
    assert largest(lambda size: size == next(sizes), 576, 1500) == 1500


def test_nothing_is_said_of_a_host_that_never_answers() -> None:
    assert largest(lambda _: False, 576, 1500) is None


class Told:
    """Has a State, and tells nobody that it changes."""

    def __init__(self, state: State) -> None:
        self.state = state

    def subscribe(self, follower: object) -> None:
        """Never tell of anything."""


@contextmanager
def probing(version: int) -> Iterator[None]:
    """Have an overlay's paths tried, and this namespace's counters watched."""
    told = Told(state_of(*blue(version)))
    Probe(told, Path("/proc/thread-self/net")).start()
    yield
    told.state = State()  # then there is nothing to look at


def blue(version: int) -> tuple[Network, Peer]:
    source, target = map(IPAddress, WAYS[version])
    tunnel = Tunnel(device="eth0", address=source, segment=IPNetwork(source), mtu=1500)
    overlay = Overlay(vni=42, peers=(target,))
    options = NetworkOptions(mtu=1450 if version == 4 else 1430, overlay=overlay)
    network = Network(id=docker_id("blue"), bridge="pf-blue", tunnel=tunnel, options=options)
    return network, Peer(vni=42, host="h2", vtep=target)


def test_a_path_that_is_too_narrow_is_told_with_the_remedy(
    router: str, version: int, caplog: pytest.LogCaptureFixture
) -> None:
    _, target = reach(version)
    remedy = f"-o com.docker.network.driver.mtu={1350 if version == 4 else 1330}"
    with probing(version):
        assert eventually(lambda: remedy in caplog.text, 15)
    assert f"vni 42: packets of 1500 bytes are lost on the way to {target}" in caplog.text


def test_wrong_checksums_are_told(
    namespace: None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "INTERVAL", 0.1)
    datagram = struct.pack("!HHHH", 4789, 4789, 16, 1) + bytes(8)
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    link = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
    with probing(4), server, link:
        server.bind(("127.0.0.1", 4789))
        for _ in range(probe.WRONG + 10):
            link.sendto(datagram, ("127.0.0.1", 0))
        assert eventually(lambda: "UDP packets had a wrong checksum" in caplog.text)
    assert "ethtool -K eth0 tx-checksum-ip-generic off" in caplog.text
