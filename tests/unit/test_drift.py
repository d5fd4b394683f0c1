"""Which events mean that something is to be mended, and how a difference is told."""

import logging
from dataclasses import replace

import pytest
from netaddr import IPAddress
from tests.support import dockerd
from tests.support.host import Host
from tests.support.news import News, segment
from tests.support.records import binding, endpoint, network, publication, state_of

from pyflat import naming
from pyflat.addressing import InterfaceAddress
from pyflat.dataplane.desired import desired_all
from pyflat.dataplane.difference import Difference, compare
from pyflat.dataplane.drift import drifted
from pyflat.dataplane.events import Events
from pyflat.dataplane.objects import (
    Address,
    Bridge,
    Element,
    Forwarding,
    Hairpin,
    Table,
    Uplink,
    Veth,
)
from pyflat.peers import Peer, Remote

LAN = network("lan", "172.30.0.0/24", "fd00::/64")
WEB = endpoint("web", LAN, "172.30.0.2/24", sandbox="/run/docker/netns/web")
PORTS = publication(WEB, binding("0.0.0.0", 8080, "172.30.0.2"))
STATE = state_of(LAN, WEB, PORTS)
WANTED = desired_all(STATE, ())
(BRIDGE,) = (item for item in WANTED if isinstance(item, Bridge))
(PAIR,) = (item for item in WANTED if isinstance(item, Veth))
FOREIGN = replace(BRIDGE, name="br0")


def address(text: str, device: str = BRIDGE.name) -> Address:
    return Address(device=device, address=InterfaceAddress(text))


def no(_: object) -> bool:
    return False


QUIET = [
    Events(),
    Events(links={BRIDGE.name: BRIDGE, PAIR.name: PAIR}),
    Events(links={"br0": FOREIGN, "br1": None}),
    Events(links={"pv-0123456789ab": None}),
    Events(links={PAIR.name: None}),
    Events(addresses={address("172.30.0.9/24")}),
    Events(addresses={address("172.30.0.1/24", "br0")}),
    Events(switched={Forwarding(device="br0", version=4)}),
]
DRIFT = [
    Events(links={BRIDGE.name: None}),
    Events(links={BRIDGE.name: replace(BRIDGE, up=False)}),
    Events(links={BRIDGE.name: replace(BRIDGE, mtu=1300)}),
    Events(links={PAIR.name: replace(PAIR, bridge="")}),
    Events(links={PAIR.name: replace(PAIR, up=False)}),
    Events(addresses={address("172.30.0.1/24")}),
    Events(addresses={address("fd00::1/64")}),
    Events(switched={Forwarding(device=BRIDGE.name, version=4)}),
]


@pytest.mark.parametrize("events", QUIET, ids=repr)
def test_what_is_as_it_should_be_or_not_ours_is_no_drift(events: Events) -> None:
    assert not drifted(STATE, events, no, no)


@pytest.mark.parametrize("events", DRIFT, ids=repr)
def test_what_is_other_than_it_should_be_is_drift(events: Events) -> None:
    assert drifted(STATE, events, no, no)


def test_what_leads_out_has_to_forward() -> None:
    events, eth0 = Events(switched={Forwarding(device="eth0", version=4)}), Uplink(device="eth0")
    assert drifted(STATE, events, no, no, [eth0])
    assert not drifted(STATE, events, no, lambda _: True, [eth0])
    assert not drifted(STATE, events, no, no, [Uplink(device="eth1")])


def test_a_pair_that_is_gone_is_drift_if_its_container_lives() -> None:
    assert drifted(STATE, Events(links={PAIR.name: None}), lambda one: one == WEB, no)


VTEP = IPAddress("192.0.2.12")
BLUE = Host(
    News(segment(42, "172.30.0.0/24")),
    dockerd.create_network(LAN.id, "172.30.0.0/24", labels={"vni": "42"}),
    News(Peer(vni=42, host="h2", vtep=VTEP)),
    News(
        Remote(
            id=WEB.id,
            vni=42,
            host="h2",
            vtep=VTEP,
            mac="02:42:00:00:00:09",
            addresses=(IPAddress("172.30.0.9"),),
        )
    ),
    inside=True,
).state
INNER, GATEWAY_PORT, TUNNEL = naming.further_links(LAN.id)


def taken(*key: object) -> Events:
    return Events(entries={key})


@pytest.mark.parametrize(
    ("events", "is_drift"),
    [
        *((Events(links={name: None}), True) for name in (INNER, GATEWAY_PORT, TUNNEL)),
        (Events(links={"px-0123456789ab": None}), False),
        (taken("fdb", TUNNEL, "02:42:00:00:00:09"), True),
        (taken("fdb", TUNNEL, "02:42:00:00:00:10"), False),
        (taken("fdb", "px-0123456789ab", "02:42:00:00:00:09"), False),
        (taken("flood", TUNNEL, VTEP), True),
        (taken("flood", TUNNEL, IPAddress("192.0.2.13")), False),
        (taken("neighbour", INNER, IPAddress("172.30.0.9")), True),
        (taken("neighbour", INNER, IPAddress("172.30.0.10")), False),
        (taken("neighbour", "eth0", IPAddress("172.30.0.9")), False),
    ],
    ids=repr,
)
def test_what_is_taken_from_an_overlay_is_drift(events: Events, is_drift: bool) -> None:
    assert drifted(BLUE, events, no, no) is is_drift


def test_a_difference_names_what_is_missing_changed_and_left_over() -> None:
    left = Veth(name="pv-0123456789ab", bridge=BRIDGE.name, mtu=1500, owner="x")
    present = {o for o in WANTED if not isinstance(o, Element | Bridge)}
    difference = compare({*present, replace(BRIDGE, up=False), left}, WANTED)
    assert "missing: " in str(difference)
    assert "element of inet pyflat anyport4" in str(difference)
    assert f"changed: link {BRIDGE.name}" in str(difference)
    assert "left over: link pv-0123456789ab" in str(difference)


def test_many_of_a_kind_are_told_by_their_number() -> None:
    ports = publication(WEB, *(binding("0.0.0.0", n, "172.30.0.2") for n in range(8080, 8090)))
    wanted = desired_all(state_of(LAN, WEB, ports), ())
    present = {o for o in wanted if not (isinstance(o, Element) and o.name == "anyport4")}
    assert str(compare(present, wanted)) == "missing: 10 x element of inet pyflat anyport4"


def test_a_lost_pair_is_told_and_nothing_is_tried_for_it() -> None:
    present = {item for item in WANTED if item not in {PAIR, Hairpin(port=PAIR.name)}}
    difference = compare(present, WANTED)
    assert difference.steps == ()
    (lost,) = difference.lost
    assert (lost.interface, lost.endpoint) == (PAIR.name, WEB.id)


def test_no_difference_is_told_in_no_words() -> None:
    assert compare(WANTED, WANTED) == Difference()
    assert str(Difference()) == ""


RUNNING = (
    dockerd.create_network(LAN.id, "172.30.0.0/24", "fd00::/64"),
    *dockerd.run(LAN.id, WEB.id, "172.30.0.2/24", "8080:80"),
)


def test_repairs_are_logged_and_counted_and_what_is_whole_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    host = Host(*RUNNING)
    caplog.set_level(logging.WARNING)
    host.engine.repair()
    assert caplog.messages == []
    for number in (1, 2):
        host.kernel.lose(Table(family="inet"))
        host.engine.repair()
        assert caplog.messages[-1].startswith(f"repair {number}: missing: table inet pyflat, ")
    assert host.present() == host.wanted()


def test_what_is_pending_is_told_and_left_as_it_is() -> None:
    host = Host(*RUNNING)
    assert host.engine.pending() == Difference()
    host.kernel.lose(Table(family="hairpin"))
    before = host.picture()
    missing = "table bridge pyflat_hairpin, element of bridge pyflat_hairpin mirror"
    assert str(host.engine.pending()) == f"missing: {missing}"
    assert host.picture() == before


def test_the_dead_are_pending_and_the_robbed_are_not() -> None:
    host = Host(*RUNNING)
    host.kernel.vanish(naming.host_end(WEB.id))
    assert host.engine.pending().dead == {("endpoint", WEB.id), ("publication", WEB.id)}
    host.kernel.pinned.add(f"/var/run/docker/netns/{WEB.id[-12:]}")
    assert host.engine.pending().dead == frozenset()
    assert len(host.engine.pending().lost) == 1


APART = Host(
    dockerd.create_network(LAN.id, "172.30.0.0/24", labels={"namespace": "own"}), inside=True
).state


@pytest.mark.parametrize("name", [LAN.bridge, INNER, GATEWAY_PORT])
def test_a_bridge_apart_and_both_ends_of_the_way_to_it_are_missed(name: str) -> None:
    assert drifted(APART, Events(links={name: None}), no, no)
