"""Ports on 127.0.0.1 and ::1 are the host's own, whatever frames a neighbour sends."""

import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count, product
from pathlib import Path

import pytest
from tests.docker.client import Container, Docker
from tests.docker.labels import DUAL
from tests.docker.links import device_with, link
from tests.docker.reach import Place, Question, answering, ask_all, serving

from dockerlab import Lab
from dockerlab.underlay import OUTSIDE

pytestmark = [pytest.mark.engine("28.5"), pytest.mark.placements]

FRAMES = Path(__file__).with_name("frames.py")
PORTS = ("81:80", "127.0.0.1:82:80", "[::1]:83:80", "81:53/udp", "127.0.0.1:82:53/udp")
OWN_SERVICE = 7000
TARGETS = [("127.0.0.1", (81, 82, OWN_SERVICE)), ("::1", (81, 83, OWN_SERVICE))]
FIRST, CONTROL = 40000, 40099
"""Source ports: of the frames from the first on, and of a question that may be asked."""


@dataclass(frozen=True, slots=True)
class Sender:
    """A place that sends to the host, and the MAC that the host has there."""

    place: Place
    addresses: tuple[str, str]
    mac: str


@pytest.fixture
def web(docker: Docker) -> Iterator[Container]:
    """Ports on all addresses and on each of the loopback ones."""
    docker.network("blue", *DUAL)
    words = [word for port in PORTS for word in ("-p", port)]
    web = docker.run("web", "--network", "blue", *words)
    with serving(web, {80: "web", 53: "names"}):
        yield web


@pytest.fixture(params=["outside", "same network", "other network"])
def sender(docker: Docker, web: Container, lab: Lab, request: pytest.FixtureRequest) -> Sender:
    host = docker.host
    if request.param == "outside":
        return Sender(lab.outside, OUTSIDE, _mac(docker, host.address4))
    network, gateway = "blue", "10.90.0.1"
    if request.param == "other network":
        network, gateway = "green", "10.91.0.1"
        subnets = ("--subnet", "10.91.0.0/24", "--subnet", "fd91::/64")
        docker.network(network, "--ipv6", *subnets)
    near = docker.run("near", "--network", network)
    addresses = (near.address(network), near.address(network, 6))
    return Sender(near, addresses, _mac(docker, gateway))


def _mac(docker: Docker, address: str) -> str:
    return str(link(docker.host, device_with(docker.host, address))["address"])


def test_frames_to_loopback_addresses_reach_nobody(
    web: Container, sender: Sender, docker: Docker
) -> None:
    host = docker.host
    with answering(host, OWN_SERVICE, "own"):
        questions = [Question("tcp", address, port) for address, ports in TARGETS for port in ports]
        assert ask_all(host, dict.fromkeys(questions, 6.0)).keys() == set(questions)
        with ExitStack() as stack:
            captures = [stack.enter_context(_capture(place)) for place in (web, sender.place)]
            _send_frames(sender)
            words = ("-n", "-u", "-p", str(CONTROL), "-W1", "-w3", host.address4, "81")
            assert sender.place.run("nc", *words, input="who").stdout.startswith("names")
            assert [_ports(capture) for capture in captures] == [{CONTROL}, {CONTROL}]


def _send_frames(sender: Sender) -> None:
    sources = count(FIRST)
    lines = [
        f"{protocol} {source} {next(sources)} {target} {port}"
        for source, (target, ports) in zip(sender.addresses, TARGETS, strict=True)
        for protocol, port in product(("tcp", "udp"), ports)
    ]
    words = (sys.executable, str(FRAMES), "eth0", sender.mac)
    sent = sender.place.run(*words, input="\n".join(lines))
    assert sent.returncode == 0, sent.stderr


@contextmanager
def _capture(place: Place) -> Iterator[Iterator[str]]:
    """What comes in by the interface of a place, a line a packet, if it is part of this test."""
    words = ("tcpdump", "-n", "-l", "--immediate-mode", "-i", "eth0", "-Q", "in")
    capture = place.popen(*words, "portrange", f"{FIRST}-{CONTROL}")
    assert capture.stdout is not None
    assert capture.stderr is not None
    try:
        assert any("listening on" in line for line in capture.stderr)
        yield capture.stdout
    finally:
        capture.kill()
        capture.communicate()


def _ports(capture: Iterator[str]) -> set[int]:
    """The ports of this test up to the packet that must come."""
    found: set[int] = set()
    for line in capture:
        found.update(map(int, re.findall(r"\.(400\d\d)\b", line)))
        if CONTROL in found:
            break
    return found
