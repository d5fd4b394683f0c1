"""What other hosts tell, as changes of State: which of two is true, and what stays."""

from dataclasses import replace
from typing import Any

import pytest
from netaddr import IPAddress, IPNetwork
from tests.support.dockerd import docker_id
from tests.support.records import endpoint, network, state_of

from pyflat.driver.endpoints import join
from pyflat.model import Endpoint, NetworkOptions
from pyflat.overlay.news import Heard, expire, hear, settle
from pyflat.overlay.records import all_own_entries
from pyflat.peers import Overlay, Peer, Remote, Tunnel
from pyflat.state import State

END = Tunnel(
    device="eth0", address=IPAddress("192.0.2.1"), segment=IPNetwork("192.0.2.0/24"), mtu=1500
)
BLUE = replace(
    network("blue", "10.42.0.0/16", options=NetworkOptions(overlay=Overlay(vni=42))), tunnel=END
)
HOST = {"vtep": "192.0.2.2", "blocks": ["10.42.1.0/24"]}
OTHER = {"vtep": "192.0.2.3", "blocks": []}
H2, H3 = "networks/42/hosts/h2", "networks/42/hosts/h3"
WEB, DB = "networks/42/endpoints/web", "networks/42/endpoints/db"


def value(host: str = "h2", number: int = 2, generation: int = 1000, **more: Any) -> dict[str, Any]:
    return {
        "host": host,
        "vtep": "192.0.2.2",
        "mac": "02:00:00:00:00:02",
        "addresses": [f"10.42.0.{number}"],
        "names": ["web"],
        "generation": generation,
        **more,
    }


def heard(state: State, changed: dict[str, Any], now: float = 0.0) -> tuple[State, Heard]:
    return hear(state, own="h1", changed=changed, now=now)


def known(state: State) -> dict[str, str]:
    return {remote.id: remote.host for remote in state.all(Remote)}


FIRST, _ = heard(state_of(BLUE), {H2: HOST, H3: OTHER, WEB: value()})


def test_hosts_and_endpoints_become_records_in_whatever_order_they_are_told() -> None:
    state, _ = heard(state_of(BLUE), {WEB: value(), H2: HOST})
    peer = Peer(vni=42, host="h2", vtep=IPAddress("192.0.2.2"), blocks=(IPNetwork("10.42.1.0/24"),))
    assert list(state.all(Peer)) == [peer]
    assert known(state) == {"web": "h2"}


@pytest.mark.parametrize(
    "changed",
    [
        {"networks/42/hosts/h1": HOST, WEB: value(host="h1")},
        {"networks/43/hosts/h2": HOST, "networks/43/endpoints/web": value()},
        {WEB: value()},
        {"hosts/h2": {"identity": "x"}, "networks/42": {}, "networks/x/hosts/h2": HOST},
    ],
    ids=["this host's", "of a network elsewhere", "of a host that is not there", "other keys"],
)
def test_what_does_not_concern_this_host_is_left_alone(changed: dict[str, Any]) -> None:
    assert heard(state_of(BLUE), changed)[0] == state_of(BLUE)


@pytest.mark.parametrize(
    "wrong",
    [
        *([], "x", 1, {}, value(vtep="x"), value(addresses=["x"]), value(addresses=None)),
        *(
            {**value(), "generation": "x"},
            value(names=3),
            {**HOST, "blocks": ["x"]},
            {**HOST, "vtep": 7},
        ),
    ],
)
def test_what_cannot_be_understood_is_passed_over_and_the_rest_is_heard(wrong: object) -> None:
    bad = {H3: wrong, WEB: wrong}
    state, _ = heard(state_of(BLUE), {**bad, H2: HOST, DB: value(number=3)})
    assert known(state) == {"db": "h2"}


STATIC = Peer(vni=42, host="192.0.2.2", vtep=IPAddress("192.0.2.2"))
BY_OPTIONS = replace(
    BLUE, options=NetworkOptions(overlay=Overlay(vni=42, peers=(IPAddress("192.0.2.2"),)))
)


def test_where_options_name_the_hosts_the_cluster_tells_names_only() -> None:
    told = {H2: HOST, WEB: value(), DB: value(number=3, addresses=["10.43.0.3"])}
    state, news = heard(state_of(BY_OPTIONS, STATIC), told)
    assert set(state.all(Peer)) == {STATIC, Peer(vni=42, host="h2", vtep=None)}
    (web,) = state.all(Remote)  # the other one is of some other overlay of this VNI
    assert (web.names, web.vtep) == (("web",), None)
    assert news.moves == []


def test_hosts_that_options_name_stay_and_names_go_with_their_host() -> None:
    state, _ = heard(state_of(BY_OPTIONS, STATIC), {H2: HOST, WEB: value()})
    state, _ = settle(state, own="h1", found={}, now=100.0)
    assert known(state) == {"web": "h2"}
    state = expire(state, 161.0, 60.0)
    assert known(state) == {}
    assert list(state.all(Peer)) == [STATIC]


def test_a_host_with_such_an_overlay_tells_nobody_where_its_tunnel_ends() -> None:
    own = endpoint("own", BY_OPTIONS, "10.42.0.2/16", sandbox="/run/x")
    entries = all_own_entries(state_of(BY_OPTIONS, own), "h1")
    assert {value["vtep"] for value in entries.values()} == {None}
    assert len(entries) == 2


@pytest.mark.parametrize("order", [[WEB, DB], [DB, WEB]])
@pytest.mark.parametrize(
    ("web", "db", "winner"), [(5, 6, "db"), (6, 5, "web"), (5, 5, "web")], ids=str
)
def test_of_two_endpoints_of_an_address_the_younger_is_true_whoever_is_heard_first(
    order: list[str], web: int, db: int, winner: str
) -> None:
    told = {WEB: value(generation=web), DB: value(generation=db, host="h3")}
    state, _ = heard(state_of(BLUE), {H2: HOST, H3: OTHER})
    winners: dict[str, int] = {}
    for key in order:
        state, news = heard(state, {key: told[key]})
        winners |= news.winners
    assert set(known(state)) == {winner}
    assert winners == {winner: 42}


def local(generation: int, sandbox: str | None = "/run/x") -> State:
    """A host that has an endpoint with the address of another's."""
    own = endpoint("own", BLUE, "10.42.0.2/16", sandbox=sandbox)
    return state_of(BLUE, replace(own, generation=generation))


@pytest.mark.parametrize(("generation", "clashes"), [(999, 1), (1001, 0)])
def test_a_container_here_keeps_its_address_and_a_younger_one_elsewhere_is_told_of(
    generation: int, clashes: int
) -> None:
    state, news = heard(local(generation), {H2: HOST, WEB: value()})
    assert known(state) == {}
    assert len(news.clashes) == clashes
    assert news.winners == {docker_id("own"): 42}


@pytest.mark.parametrize("sandbox", [None, ""])
def test_an_endpoint_without_a_container_gives_way(sandbox: str | None) -> None:
    assert known(heard(local(2000, sandbox), {H2: HOST, WEB: value()})[0]) == {"web": "h2"}


def test_a_container_that_joins_is_younger_than_all_that_are_known_and_takes_their_addresses() -> (
    None
):
    own = endpoint("own", BLUE, "10.42.0.2/16")
    state, _ = heard(FIRST.put(own), {WEB: value(generation=10**15)})
    state = join(state, identifier=own.id, sandbox="/run/x", now=5.0)
    assert state.require(Endpoint, own.id).generation == 10**15 + 1
    assert known(state) == {}
    state = join(state_of(BLUE, own), identifier=own.id, sandbox="/run/x", now=5.0)
    assert state.require(Endpoint, own.id).generation == 5000


def test_an_endpoint_goes_when_its_host_says_so_and_stays_when_both_go_at_once() -> None:
    assert known(heard(FIRST, {WEB: None})[0]) == {}
    emptied, _ = heard(FIRST, {WEB: None, H2: None, H3: None}, now=7.0)
    assert known(emptied) == {"web": "h2"}
    assert {peer.expired for peer in emptied.all(Peer)} == {7.0}


def test_a_host_that_is_missing_goes_after_its_grace_with_what_it_has_unless_it_is_back() -> None:
    missing, _ = heard(FIRST, {H2: None}, now=100.0)
    again, _ = heard(missing, {H2: None}, now=150.0)
    assert again == missing
    assert expire(missing, 160.0, 60.0) == missing
    gone = expire(missing, 160.1, 60.0)
    assert (known(gone), [peer.host for peer in gone.all(Peer)]) == ({}, ["h3"])
    back, news = heard(missing, {H2: HOST})
    assert expire(back, 1e9, 60.0) == back
    assert news.new == {42}


def settled(state: State, found: dict[str, Any], now: float, *vnis: int) -> State:
    return settle(state, own="h1", found=found, now=now, vnis=vnis or None)[0]


def test_a_full_reading_drops_what_hosts_have_withdrawn_and_not_what_the_store_has_lost() -> None:
    assert known(settled(FIRST, {H2: HOST, H3: OTHER}, 1.0)) == {}
    assert known(settled(FIRST, {H3: OTHER}, 1.0)) == {"web": "h2"}
    assert known(settled(FIRST, {}, 1.0)) == {"web": "h2"}


def test_only_a_full_reading_gives_a_missing_host_its_time_anew() -> None:
    missing = settled(FIRST, {H3: OTHER}, 100.0)
    assert settled(missing, {H3: OTHER}, 150.0, 42) == missing
    later = settled(missing, {H3: OTHER}, 150.0)
    assert [peer.expired for peer in later.all(Peer) if peer.host == "h2"] == [150.0]


def test_moves_are_told_where_there_are_containers() -> None:
    mac = "02:00:00:00:00:09"
    neighbour = endpoint("neighbour", BLUE, "10.42.0.9/16", sandbox="/run/x")
    state = FIRST.put(neighbour)
    assert heard(state, {WEB: value()})[1].moves == []
    move = (42, IPAddress("10.42.0.2"), mac)
    assert heard(state, {WEB: value(mac=mac)})[1].moves == [move]
    assert heard(FIRST, {WEB: value(mac=mac)})[1].moves == []


def test_what_one_host_writes_is_what_another_reads() -> None:
    own = endpoint("own", BLUE, "10.42.0.2/16", sandbox="/run/x")
    written = all_own_entries(state_of(BLUE, replace(own, generation=7, names=("web",))), "h2")
    state, _ = heard(state_of(BLUE), written)
    (remote,) = state.all(Remote)
    expected = (own.id, "h2", END.address, own.mac, (IPAddress("10.42.0.2"),), ("web",), 7)
    fields = ("id", "host", "vtep", "mac", "addresses", "names", "generation")
    assert tuple(getattr(remote, field) for field in fields) == expected
