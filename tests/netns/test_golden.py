"""The firewall that each kind of network makes, compared with files that are there to be read.

``make golden`` writes them anew.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from netaddr import IPAddress, IPNetwork
from tests.support import witness
from tests.support.machine import Machine
from tests.support.namespaces import add_way_out
from tests.support.news import segment
from tests.support.rulesets import RULES, Case, written
from tests.support.underlay import overlay_host

from pyflat.peers import Peer

pytestmark = pytest.mark.quick

GOLDEN = Path(__file__).parents[1] / "golden"
PORTS = (
    *("8080:80", "192.0.2.2:8081:80", "127.0.0.1:8082:80", "[::1]:8083:80"),
    *("5353:53/udp", "9999:9999/sctp", "7000-7099:7000-7099", "192.0.2.2:7100-7199:7100-7199"),
    "8001-8002:81-82",
)


def label(**labels: str) -> dict[str, str]:
    """Labels of Docker's bridge, by the last part of their names."""
    return {f"com.docker.network.bridge.{name}": value for name, value in labels.items()}


def modes(mode: str) -> dict[str, str]:
    return label(gateway_mode_ipv4=mode, gateway_mode_ipv6=mode)


SOURCES = {"host_ipv4": "192.0.2.2", "host_ipv6": "2001:db8::2"}
ANTISPOOF = {"antispoof": "true"}
CASES = {
    "nat": [Case(ports=PORTS)],
    "nat-ipv4": [Case(pools=("172.30.0.0/24",))],
    "nat-ipv6": [Case(pools=("fd00::/64",))],
    "two-networks": [
        Case(),
        Case(network="inner", container="db", pools=("172.31.0.0/24",), internal=True),
    ],
    "internal": [Case(internal=True)],
    "isolated": [Case(internal=True, labels=modes("isolated"))],
    "icc-off": [Case(labels=label(enable_icc="false"))],
    "routed": [Case(labels=modes("routed"))],
    "nat-unprotected": [Case(labels=modes("nat-unprotected"))],
    "trusted": [Case(labels=label(trusted_host_interfaces="eth1"))],
    "source-address": [Case(labels={f"com.docker.network.{k}": v for k, v in SOURCES.items()})],
    "masquerade-off": [Case(labels=label(enable_ip_masquerade="false"))],
    "antispoof": [Case(labels=ANTISPOOF, ports=())],
    "antispoof-icc-off": [Case(labels=ANTISPOOF | label(enable_icc="false"))],
    "ports-docker": [Case(labels={"ports": "docker"})],
}
NEAR = Peer(
    vni=42,
    host="h2",
    vtep=IPAddress("192.0.2.3"),
    blocks=(IPNetwork("172.30.0.64/26"), IPNetwork("fd00::40/122")),
)
LISTED = {"vni": "42", "peers": "192.0.2.3"}
OVERLAYS = {
    "overlay": [Case(labels=LISTED)],
    "overlay-clustered": [Case(labels={"vni": "42"}, peers=(NEAR,))],
    "overlay-direct": [Case(labels={"vni": "42", "direct": "true"}, peers=(NEAR,))],
    "overlay-icc-off": [Case(labels=LISTED | label(enable_icc="false"))],
    "overlay-internal": [Case(labels=LISTED, internal=True)],
}
OWN = {"namespace": "own"}
APART = OVERLAYS | {
    "own-namespace": [Case(labels=OWN)],
    "own-namespace-guarded": [Case(labels=OWN | ANTISPOOF | label(enable_icc="false"))],
}


@pytest.fixture
def router(namespace: None) -> Iterator[Machine]:
    """A host with a way out that forwards, as one where dockerd runs."""
    add_way_out("eth0", "192.0.2", "2001:db8")
    witness.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    machine = Machine()
    yield machine
    machine.close()


@pytest.fixture
def overlays(router: Machine) -> Iterator[Machine]:
    """The same host, with a namespace of pyflat's own."""
    router.close()
    with overlay_host("inside") as machine:
        yield machine
    router.start()


def compare(name: str, text: str, request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update-golden"):
        (GOLDEN / name).write_text(text)
    assert text == (GOLDEN / name).read_text()


@pytest.mark.parametrize("name", CASES)
def test_a_network_and_its_container_are_these_elements(
    router: Machine, name: str, request: pytest.FixtureRequest
) -> None:
    for case in CASES[name]:
        router.send(*case.calls())
    compare(f"{name}.txt", written(*CASES[name]), request)
    assert router.pending() == []


@pytest.mark.parametrize("name", APART)
def test_a_network_whose_bridge_lies_apart_is_these_elements(
    overlays: Machine, name: str, request: pytest.FixtureRequest
) -> None:
    cases = APART[name]
    fill(overlays, *cases)
    compare(f"{name}.txt", written(*cases, namespace=overlays.namespace), request)
    assert overlays.pending() == []


def test_an_overlay_in_the_hosts_namespace_is_these_elements(
    router: Machine, request: pytest.FixtureRequest
) -> None:
    fill(router, *OVERLAYS["overlay"])
    compare("overlay-in-the-host.txt", written(*OVERLAYS["overlay"]), request)
    assert router.pending() == []


def fill(machine: Machine, *cases: Case) -> None:
    for case in cases:
        machine.hear(segment(NEAR.vni, *case.pools))
        machine.send(*case.calls())
        machine.hear(*case.peers)


@pytest.mark.parametrize("name", RULES)
def test_these_are_the_rules(router: Machine, name: str, request: pytest.FixtureRequest) -> None:
    fill(router, *OVERLAYS["overlay-icc-off"])
    rules = witness.run("nft", "--terse", "list", "table", *RULES[name].split())
    compare(f"rules-{name}.txt", rules, request)


def test_every_file_belongs_to_a_case() -> None:
    names = {*CASES, *APART, "overlay-in-the-host", *(f"rules-{family}" for family in RULES)}
    assert {path.name for path in GOLDEN.iterdir()} == {f"{name}.txt" for name in names}
