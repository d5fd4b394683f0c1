"""What others take from an overlay, or from a bridge apart, is mended; overlays follow their
underlay."""

import os
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from netaddr import IPAddress
from tests.support import dockerd
from tests.support.dockerd import docker_id
from tests.support.inhabited import inside, settle
from tests.support.machine import Machine, count_calls
from tests.support.news import segment
from tests.support.underlay import PEER, add_address, add_segment, overlay_host
from tests.support.witness import MENDED, eventually, run

from pyflat.dataplane.links import index_of
from pyflat.dataplane.watch import DELAY, Watch
from pyflat.errors import BackendError
from pyflat.model import Endpoint, Network
from pyflat.naming import further_links
from pyflat.peers import Peer, Remote
from pyflat.state import State

pytestmark = pytest.mark.quick

VNI = 42
BLUE, WEB = docker_id("blue"), docker_id("web")
BRIDGE, HOST_END = f"pf-{BLUE[:12]}", f"pv-{WEB[:12]}"
INNER, GATEWAY_PORT, TUNNEL = further_links(BLUE)
POOLS = ("172.30.0.0/24", "fd00::/64")
OWN, OWN6 = "172.30.0.2/24", "fd00::2/64"
REMOTE = Remote(
    id=docker_id("db"),
    vni=VNI,
    host="h2",
    vtep=IPAddress(PEER[4]),
    mac="02:42:00:00:00:09",
    addresses=(IPAddress("172.30.0.9"), IPAddress("fd00::9")),
)


@pytest.fixture(params=["host", "inside"])
def machine(request: pytest.FixtureRequest, container: str, other: str) -> Iterator[Machine]:
    """A host with an overlay, a container in it, and another host that has one, too."""
    add_segment(other)
    with overlay_host(request.param) as machine:
        fill(machine, container)
        yield machine


@pytest.fixture(params=["overlay", "alone"])
def apart(request: pytest.FixtureRequest, container: str, other: str) -> Iterator[Machine]:
    """The same, or a network of this host alone, with the bridge in a namespace of its own."""
    add_segment(other)
    with overlay_host("inside") as machine:
        fill(machine, container, alone=request.param == "alone")
        yield machine


@pytest.fixture
def watched(machine: Machine) -> Iterator[Machine]:
    yield from watch(machine)


@pytest.fixture
def watched_apart(apart: Machine) -> Iterator[Machine]:
    yield from watch(apart)


def watch(machine: Machine) -> Iterator[Machine]:
    watch = Watch(machine.engine)
    machine.kernel.follow_inside(watch.add)
    watch.start()
    yield machine
    watch.end()


def fill(machine: Machine, container: str, *, alone: bool = False) -> None:
    machine.hear(segment(VNI, *POOLS))
    labels = {"namespace": "own"} if alone else {"vni": str(VNI)}
    machine.send(
        dockerd.create_network(BLUE, *POOLS, labels=labels),
        *dockerd.run(BLUE, WEB, OWN, v6=OWN6),
    )
    settle(container, WEB, OWN, OWN6)
    machine.hear(Peer(vni=VNI, host="h2", vtep=REMOTE.vtep), REMOTE)
    assert machine.pending() == []


def tamper(machine: Machine, command: str) -> None:
    """Run a command where the bridge is."""
    namespace = machine.namespace
    enter = ("nsenter", f"--net={namespace}", "--") if namespace else ()
    run(*enter, *command.format(bridge=INNER if namespace else BRIDGE).split())


def healed(machine: Machine, container: str) -> bool:
    return machine.is_whole() and all(
        inside(container, "ping", "-c1", "-W1", gateway, check=False).count(" 0% packet loss")
        for gateway in ("172.30.0.1", "fd00::1")
    )


def is_mended(machine: Machine, container: str, caplog: pytest.LogCaptureFixture) -> bool:
    noticed = eventually(lambda: "repair 1: " in caplog.text, MENDED)
    return noticed and eventually(lambda: healed(machine, container), MENDED)


@pytest.mark.parametrize(
    "command",
    [
        f"ip link delete {TUNNEL}",
        f"ip link set {TUNNEL} nomaster",
        f"ip link set {TUNNEL} down",
        "ip link delete {bridge}",
        f"bridge fdb delete {REMOTE.mac} dev {TUNNEL} dst {PEER[4]} self",
        f"bridge fdb delete {REMOTE.mac} dev {TUNNEL} master",
        f"bridge fdb delete 00:00:00:00:00:00 dev {TUNNEL} dst {PEER[4]} self",
        "ip neigh delete 172.30.0.9 dev {bridge}",
        "ip neigh delete fd00::9 dev {bridge}",
    ],
)
def test_what_is_taken_from_an_overlay_is_mended(
    watched: Machine, container: str, command: str, caplog: pytest.LogCaptureFixture
) -> None:
    tamper(watched, command)
    assert is_mended(watched, container, caplog), watched.engine.pending()


@pytest.mark.parametrize(
    "command",
    [
        f"ip link set {GATEWAY_PORT} nomaster",
        f"ip link set {GATEWAY_PORT} down",
        f"ip link delete {GATEWAY_PORT}",
        f"ip link delete {INNER}",
    ],
)
def test_the_way_to_the_gateway_is_mended(
    watched_apart: Machine, container: str, command: str, caplog: pytest.LogCaptureFixture
) -> None:
    tamper(watched_apart, command)
    assert is_mended(watched_apart, container, caplog), watched_apart.engine.pending()


def test_thousands_that_come_and_go_elsewhere_are_not_looked_for(watched: Machine) -> None:
    converges = count_calls(watched, "converge")
    first = int(IPAddress("fd00::1:0"))
    crowd = [
        replace(
            REMOTE,
            id=f"{number:064x}",
            mac=f"02:43:{number.to_bytes(4).hex(':')}",
            addresses=(IPAddress(first + number),),
        )
        for number in range(5000)
    ]
    watched.hear(*crowd)
    time.sleep(3 * DELAY)

    def forgotten(state: State) -> tuple[State, None]:
        for remote in crowd:
            state = state.drop(Remote, remote.id)
        return state, None

    watched.engine.learn(forgotten)
    time.sleep(3 * DELAY)
    assert converges() == 0
    assert watched.pending() == []


def tunnel_of(machine: Machine) -> str:
    tunnel = machine.engine.state.require(Network, BLUE).tunnel
    assert tunnel is not None
    return f"{tunnel.address} {tunnel.device}"


def test_a_tunnel_follows_the_address_of_its_underlay(watched: Machine) -> None:
    run("ip", "address", "delete", "192.0.2.11/24", "dev", "eth0")
    add_address("192.0.2.21", 24)
    assert eventually(lambda: tunnel_of(watched) == "192.0.2.21 eth0", MENDED)
    assert eventually(watched.is_whole, MENDED), watched.engine.pending()


def test_a_tunnel_follows_its_address_to_another_device(watched: Machine) -> None:
    run("ip", "link", "add", "br0", "type", "bridge")
    run("ip", "link", "set", "br0", "up")
    run("ip", "address", "delete", "192.0.2.11/24", "dev", "eth0")
    run("ip", "link", "set", "eth0", "master", "br0")
    run("ip", "address", "add", "192.0.2.11/24", "dev", "br0")
    assert eventually(lambda: tunnel_of(watched) == "192.0.2.11 br0", MENDED)
    assert eventually(watched.is_whole, MENDED), watched.engine.pending()


def test_a_namespace_that_was_taken_from_its_path_hangs_there_again(
    watched_apart: Machine, container: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = watched_apart.namespace
    assert path is not None
    run("ip", "netns", "delete", path.name)
    assert eventually(lambda: os.path.ismount(path), MENDED)
    assert f"namespace {path} hangs on its path again" in caplog.messages
    watched_apart.restart()
    assert healed(watched_apart, container)


def test_a_namespace_whose_path_is_anothers_is_told_of_once_with_what_helps(
    apart: Machine, container: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = apart.namespace
    assert path is not None
    run("ip", "netns", "delete", path.name)
    run("ip", "netns", "add", path.name)
    for _ in range(2):
        apart.engine.repair()
    assert caplog.text.count("was taken from its path") == 1
    assert not apart.kernel.has_untold_drift()
    run("ip", "netns", "delete", path.name)
    run(*caplog.messages[-1].partition("and: ")[2].split())
    apart.restart()
    assert healed(apart, container)


def test_a_namespace_that_is_gone_at_a_start_is_made_anew(apart: Machine) -> None:
    path = apart.namespace
    assert path is not None
    apart.close()
    run("ip", "netns", "delete", path.name)
    assert eventually(lambda: not index_of(BRIDGE))
    apart.start()
    assert apart.pending() == []
    # The container has lost its interface with it, and is as dead as any that has.
    assert list(apart.engine.state.all(Endpoint)) == []


def test_a_network_stays_where_it_was_made_and_who_may_not_go_there_says_so(
    apart: Machine, container: str, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox = f"/run/netns/{container}"
    endpoint = apart.engine.state.require(Endpoint, WEB)
    apart.engine.update(lambda s: (s.put(replace(endpoint, sandbox=sandbox)), None))
    path, apart.namespace = apart.namespace, None
    apart.restart()
    assert len([line for line in caplog.messages if "see PYFLAT_NAMESPACE" in line]) == 1
    with pytest.raises(BackendError, match="PYFLAT_NAMESPACE"):
        apart.send(dockerd.create_endpoint(BLUE, docker_id("db"), "172.30.0.3/24"))
    apart.namespace = path
    apart.restart()
    assert healed(apart, container)
