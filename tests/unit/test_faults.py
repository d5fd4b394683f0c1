"""Whatever step of the kernel or the store fails: all or nothing for what makes, later for what
removes."""

from typing import TypeAlias

import pytest
from _pytest.mark import ParameterSet
from netaddr import IPAddress
from tests.support import dockerd
from tests.support.dockerd import Call, docker_id
from tests.support.host import Host
from tests.support.news import News, segment
from tests.support.stores import FailingStore

from pyflat.errors import BackendError
from pyflat.peers import Peer, Remote
from pyflat.store.memory import MemoryStore

LAN, WEB, DB = docker_id("lan"), docker_id("web"), docker_id("db")
NETWORK = dockerd.create_network(LAN, "172.30.0.0/24", "fd00::/64")
INTERNAL = dockerd.create_network(docker_id("inner"), "172.31.0.0/24", internal=True)
ENDPOINT = dockerd.create_endpoint(LAN, WEB, "172.30.0.2/24", "fd00::2/64")
TWIN = dockerd.create_endpoint(LAN, DB, "172.30.0.2/24", "fd00::2/64")
JOIN = dockerd.join(LAN, WEB)
PORTS = dockerd.program(LAN, WEB, "8080:80", "53:53/udp")
OTHER_PORTS = dockerd.program(LAN, WEB, "8080:81", "127.0.0.1:443:443")
OVERLAY = dockerd.create_network(LAN, "172.30.0.0/24", "fd00::/64", labels={"vni": "42"})
LISTED = dockerd.create_network(LAN, "172.30.0.0/24", labels={"vni": "42", "peers": "192.0.2.12"})
GIVEN = News(segment(42, "172.30.0.0/24", "fd00::/64"))
PEER = Peer(vni=42, host="h2", vtep=IPAddress("192.0.2.12"))
REMOTE = Remote(
    id=DB,
    vni=42,
    host="h2",
    vtep=PEER.vtep,
    mac="02:42:00:00:00:09",
    addresses=(IPAddress("172.30.0.9"),),
)
NEIGHBOUR = dockerd.run(LAN, DB, "172.30.0.3/24", "9000:80", v6="fd00::3/64")

Setup: TypeAlias = tuple[Call | News, ...]
Cases: TypeAlias = dict[str, tuple[Setup, Call]]

MAKING: Cases = {
    "a network": ((), NETWORK),
    "an internal network": ((), INTERNAL),
    "a second network": ((NETWORK,), INTERNAL),
    "an overlay": ((), LISTED),
    "an overlay of a cluster": ((GIVEN,), OVERLAY),
    "an endpoint": ((NETWORK,), ENDPOINT),
    "an endpoint of an overlay": ((GIVEN, OVERLAY, News(PEER), News(REMOTE)), ENDPOINT),
    "an endpoint that takes over an address": ((NETWORK, ENDPOINT), TWIN),
    "first ports": ((NETWORK, ENDPOINT, JOIN), PORTS),
    "ports beside others": ((NETWORK, *NEIGHBOUR, ENDPOINT, JOIN), PORTS),
    "other ports": ((NETWORK, ENDPOINT, JOIN, PORTS), OTHER_PORTS),
}
REMOVING: Cases = {
    "a network": ((NETWORK, INTERNAL), dockerd.delete_network(LAN)),
    "a network in use": ((NETWORK, *NEIGHBOUR), dockerd.delete_network(LAN)),
    "an overlay": (
        (GIVEN, OVERLAY, News(PEER), News(REMOTE)),
        dockerd.delete_network(LAN),
    ),
    "an endpoint": ((NETWORK, ENDPOINT), dockerd.delete_endpoint(LAN, WEB)),
    "an endpoint with ports": (
        (NETWORK, ENDPOINT, JOIN, PORTS),
        dockerd.delete_endpoint(LAN, WEB),
    ),
    "ports": ((NETWORK, ENDPOINT, JOIN, PORTS), dockerd.revoke(LAN, WEB)),
    "ports beside others": (
        (NETWORK, *NEIGHBOUR, ENDPOINT, JOIN, PORTS),
        dockerd.revoke(LAN, WEB),
    ),
    "ports of a leaving container": ((NETWORK, ENDPOINT, JOIN, PORTS), dockerd.leave(LAN, WEB)),
}
ALL = [*MAKING.values(), *REMOVING.values()]


def steps_of(setup: Setup, call: Call) -> int:
    """Count the steps that a request takes."""
    host = Host(*setup)
    before = host.kernel.steps
    host.send(call)
    return host.kernel.steps - before


def every_step(cases: Cases) -> list[ParameterSet]:
    return [
        pytest.param(setup, call, number, id=f"{name}, step {number}")
        for name, (setup, call) in cases.items()
        for number in range(1, max(1, steps_of(setup, call)) + 1)
    ]


@pytest.mark.parametrize(("setup", "call", "number"), every_step(MAKING))
def test_what_makes_is_undone_when_a_step_fails(setup: Setup, call: Call, number: int) -> None:
    host = Host(*setup)
    before = host.picture()
    host.kernel.fail(number)
    with pytest.raises(BackendError, match="fails"):
        host.send(call)
    assert not host.kernel.fault_is_pending
    assert host.picture() == before
    host.send(call)
    assert host.present() == host.wanted()


@pytest.mark.parametrize(("setup", "call", "number"), every_step(MAKING))
def test_an_unexpected_exception_undoes_what_makes_too(
    setup: Setup, call: Call, number: int
) -> None:
    host = Host(*setup)
    before = host.picture()
    host.kernel.fail(number, RuntimeError("not one of ours"))
    with pytest.raises(RuntimeError):
        host.send(call)
    assert host.picture() == before


@pytest.mark.parametrize(("setup", "call", "number"), every_step(REMOVING))
def test_what_removes_stays_done_when_a_step_fails(setup: Setup, call: Call, number: int) -> None:
    expected = Host(*setup, call)
    host = Host(*setup)
    host.kernel.fail(number)
    assert host.send(call) == {}
    assert not host.kernel.fault_is_pending
    assert {r.id for r in host.picture().records} == {r.id for r in expected.picture().records}
    host.engine.converge()
    assert host.present() == expected.present()


@pytest.mark.parametrize(("setup", "call"), ALL)
def test_nothing_happens_if_it_cannot_be_kept(setup: Setup, call: Call) -> None:
    store = FailingStore(MemoryStore())
    host = Host(*setup, store=store)
    before, steps = host.picture(), host.kernel.steps
    store.refuse(1)
    with pytest.raises(BackendError, match="no space"):
        host.send(call)
    assert (host.picture(), host.kernel.steps) == (before, steps)


@pytest.mark.parametrize(("setup", "call"), MAKING.values(), ids=MAKING)
def test_a_failure_that_cannot_be_taken_back_is_made_good_by_the_next_converge(
    setup: Setup, call: Call
) -> None:
    store = FailingStore(MemoryStore())
    host = Host(*setup, store=store)
    host.kernel.fail(1)
    store.refuse(2)
    with pytest.raises(BackendError, match="fails"):
        host.send(call)
    host.engine.converge()
    assert host.present() == host.wanted()


@pytest.mark.parametrize("network", [NETWORK, OVERLAY])
def test_a_converge_that_fails_at_any_step_is_finished_by_the_next(network: Call) -> None:
    setup: Setup = (GIVEN, network, INTERNAL, *NEIGHBOUR, ENDPOINT, JOIN, PORTS)
    for number in range(1, 100):
        host = Host(*setup)
        host.kernel.flush_ruleset()
        host.kernel.end_process()
        host.kernel.fail(number)
        host.engine.converge()
        if host.kernel.fault_is_pending:
            break
        assert host.present() != host.wanted()
        host.engine.converge()
        assert host.present() == host.wanted()
    assert number > 4


NEWS = (News(PEER), News(REMOTE), News(REMOTE, gone=True), News(PEER, gone=True))


@pytest.mark.parametrize("number", range(1, 5))
@pytest.mark.parametrize("count", range(len(NEWS)))
def test_news_stay_known_whatever_step_fails(count: int, number: int) -> None:
    host = Host(GIVEN, OVERLAY, *NEWS[:count])
    host.kernel.fail(number)
    host.send(NEWS[count])
    assert host.state.tables == Host(GIVEN, OVERLAY, *NEWS[: count + 1]).state.tables
    host.kernel.behave()
    host.engine.converge()
    assert host.present() == host.wanted()
