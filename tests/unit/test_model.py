"""State: changes leave the old one whole, and the index tells what a search would."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netaddr import IPAddress, IPNetwork
from tests.support.host import records_of
from tests.support.records import (
    binding,
    block,
    endpoint,
    network,
    pool,
    publication,
    state_of,
)

from pyflat.addressing import overlap
from pyflat.errors import NotFound
from pyflat.model import Endpoint, Key, Network, Record
from pyflat.state import State

LAN = network("lan", "172.30.0.0/24", "fd00::/64")
LAN_INTERNAL = network("lan", "172.30.0.0/24", internal=True)
DMZ = network("dmz", "172.31.0.0/24", bridge="br-dmz")
WEB = endpoint("web", LAN, "172.30.0.2/24", "fd00::2/64")
WEB_MOVED = endpoint("web", DMZ, "172.31.0.2/24", sandbox="")
DB = endpoint("db", LAN, "172.30.0.3/24")
PORTS = publication(WEB, binding("0.0.0.0", 80, "172.30.0.2"), binding("::", 80, "fd00::2"))
OTHER_PORTS = publication(WEB, binding("127.0.0.1", 443, "172.30.0.2"))
POOL = pool("10.0.0.0/8")
RECORDS: tuple[Record, ...] = (
    *(LAN, LAN_INTERNAL, DMZ, WEB, WEB_MOVED, DB, PORTS, OTHER_PORTS),
    *(POOL, pool("10.0.0.0/8", "PyflatGlobal"), block(POOL, 1), block(POOL, 1, 2)),
)
PUTS = st.sampled_from(RECORDS)
CHANGES = st.lists(st.tuples(st.booleans(), PUTS), max_size=30)


def change(state: State, changes: Iterable[tuple[bool, Record]]) -> State:
    for put, record in changes:
        state = state.put(record) if put else state.drop(type(record), record.id)
    return state


@given(CHANGES)
def test_the_index_is_what_a_search_of_all_records_finds(
    changes: list[tuple[bool, Record]],
) -> None:
    state = change(State(), changes)
    records = records_of(state)
    keys = {key for record in records for key in record.index_keys()}
    assert set(state.index) == keys
    for key in keys:
        assert set(state.ids(*key)) == {r.id for r in records if key in r.index_keys()}


@given(CHANGES)
def test_a_state_holds_what_was_put_last(changes: list[tuple[bool, Record]]) -> None:
    expected: dict[Key, Record] = {}
    for put, record in changes:
        if put:
            expected[record.kind, record.id] = record
        else:
            expected.pop((record.kind, record.id), None)
    state = change(State(), changes)
    assert records_of(state) == frozenset(expected.values())
    for key, record in expected.items():
        assert state.lookup(key) == record


@given(CHANGES, CHANGES)
def test_later_changes_leave_a_state_as_it_is(
    first: list[tuple[bool, Record]], later: list[tuple[bool, Record]]
) -> None:
    state = change(State(), first)
    records, index, touched = records_of(state), dict(state.index), state.touched
    change(state, later)
    assert (records_of(state), dict(state.index), state.touched) == (records, index, touched)


@given(CHANGES, CHANGES)
def test_touched_names_every_record_that_differs(
    first: list[tuple[bool, Record]], later: list[tuple[bool, Record]]
) -> None:
    before = change(State(), first).settled()
    after = change(before, later)
    keys = {(record.kind, record.id) for record in RECORDS}
    differing = {key for key in keys if before.lookup(key) != after.lookup(key)}
    assert differing <= after.touched
    assert after.touched <= {(record.kind, record.id) for _, record in later}
    assert after.settled().touched == frozenset()


def test_what_is_so_already_touches_nothing() -> None:
    state = state_of(LAN, WEB)
    assert state.put(LAN) is state
    assert state.drop(Endpoint, DB.id) is state
    assert state.drop(type(POOL), POOL.id) is state


def test_the_same_record_put_and_dropped_is_touched_all_the_same() -> None:
    state = state_of(LAN).put(WEB).drop(Endpoint, WEB.id)
    assert state.touched == {("endpoint", WEB.id)}


def test_a_record_that_must_be_there_is_named_if_it_is_not() -> None:
    assert state_of(LAN).require(Network, LAN.id) == LAN
    with pytest.raises(NotFound, match=f"network {DMZ.id}"):
        state_of(LAN).require(Network, DMZ.id)
    assert state_of(LAN).get(Network, DMZ.id) is None


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("10.0.0.0/24", "10.0.1.0/24", False),
        ("10.0.0.0/24", "10.0.0.255/32", True),
        ("10.0.0.0/8", "10.9.0.0/16", True),
        ("0.0.0.0/0", "255.255.255.255/32", True),
        ("fd00::/64", "fd00:0:0:1::/64", False),
        ("fd00::/48", "fd00:0:0:1::/64", True),
        ("0.0.0.0/0", "::/0", False),
        ("0.0.0.1/32", "::1/128", False),
    ],
)
def test_subnets_overlap_if_they_share_an_address(one: str, other: str, shared: bool) -> None:
    assert overlap(IPNetwork(one), IPNetwork(other)) is shared
    assert overlap(IPNetwork(other), IPNetwork(one)) is shared


def test_a_network_knows_its_subnets_and_gateways() -> None:
    subnet = LAN.subnet_of(IPAddress("fd00::9"))
    assert subnet is not None
    assert subnet.cidr == IPNetwork("fd00::/64")
    assert LAN.subnet_of(IPAddress("172.31.0.1")) is None
    assert str(LAN.gateway(6)) == "fd00::1/64"
    assert DMZ.gateway(6) is None


def test_an_endpoint_knows_its_addresses_and_interfaces() -> None:
    assert (str(WEB.address(4)), str(WEB.address(6))) == ("172.30.0.2", "fd00::2")
    assert DB.address(6) is None
    assert (WEB.host_end, WEB.container_end) == (f"pv-{WEB.id[:12]}", f"pe-{WEB.id[:12]}")
