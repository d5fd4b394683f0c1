"""CreateEndpoint, DeleteEndpoint, Join and Leave as changes of State."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from netaddr import IPNetwork
from tests.support.dockerd import docker_id
from tests.support.host import records_of
from tests.support.records import binding, endpoint, network, publication, state_of

from pyflat.addressing import InterfaceAddress
from pyflat.driver import endpoints
from pyflat.errors import Conflict, InvalidRequest, NotFound
from pyflat.model import Endpoint
from pyflat.state import State

LAN = network("lan", "172.30.0.0/24", "fd00::/64")
WEB = endpoint("web", LAN, "172.30.0.2/24", "fd00::2/64")
PORTS = publication(WEB, binding("0.0.0.0", 80, "172.30.0.2"))


def nobody(_: Endpoint) -> bool:
    return False


def everybody(_: Endpoint) -> bool:
    return True


def create(
    state: State,
    name: str,
    *addresses: str,
    mac: str = "",
    now: float = 0.0,
    alive: Callable[[Endpoint], bool] = everybody,
) -> State:
    return endpoints.create_endpoint(
        state,
        network_id=LAN.id,
        identifier=docker_id(name),
        addresses=[InterfaceAddress(address) for address in addresses],
        mac=mac,
        now=now,
        alive=alive,
    )


def test_an_endpoint_is_kept_as_described() -> None:
    state = create(state_of(LAN), "web", "172.30.0.2/24", mac="02:00:00:00:00:01", now=5.0)
    web = state.require(Endpoint, docker_id("web"))
    assert (web.network, web.mac, web.since, web.sandbox) == (LAN.id, "02:00:00:00:00:01", 5, None)
    assert [str(address) for address in web.addresses] == ["172.30.0.2/24"]


@pytest.mark.parametrize(
    ("addresses", "source"),
    [
        (("172.30.0.2/24",), ("172.30.0.2/24",)),
        (("fd00::2/64", "172.30.0.2/24"), ("172.30.0.2/24",)),
        (("fd00::2/64",), ("fd00::2/64",)),
    ],
)
def test_the_mac_is_derived_from_the_ipv4_address_if_there_is_one(
    addresses: tuple[str, ...], source: tuple[str, ...]
) -> None:
    state, other = create(state_of(LAN), "web", *addresses), create(state_of(LAN), "db", *source)
    assert (
        state.require(Endpoint, docker_id("web")).mac
        == other.require(Endpoint, docker_id("db")).mac
    )


def test_an_endpoint_without_addresses_has_a_mac_of_its_own() -> None:
    state = create(create(state_of(LAN), "web"), "db")
    macs = {e.mac for e in state.all(Endpoint)}
    assert len(macs) == 2


def test_the_same_endpoint_once_more_is_no_change_even_when_it_has_joined() -> None:
    state = create(state_of(LAN), "web", "172.30.0.2/24", now=1.0)
    assert create(state, "web", "172.30.0.2/24", now=2.0) is state
    state = endpoints.join(state, identifier=docker_id("web"), sandbox="/run/x", now=3.0)
    assert create(state, "web", "172.30.0.2/24", now=4.0) is state


@pytest.mark.parametrize("change", [("172.30.0.3/24",), ()])
def test_the_same_id_with_another_description_is_refused(change: tuple[str, ...]) -> None:
    state = create(state_of(LAN), "web", "172.30.0.2/24")
    with pytest.raises(Conflict, match=docker_id("web")):
        create(state, "web", *change, alive=nobody)
    with pytest.raises(Conflict, match=docker_id("web")):
        create(state, "web", "172.30.0.2/24", mac="02:00:00:00:00:09")


@pytest.mark.parametrize("address", ["172.31.0.2/24", "fd01::2/64"])
def test_an_address_outside_the_network_is_refused(address: str) -> None:
    with pytest.raises(InvalidRequest, match=f"{IPNetwork(address).ip} is in no subnet"):
        create(state_of(LAN), "web", address)


@pytest.mark.parametrize("address", ["172.30.0.1/24", "fd00::1/64"])
def test_the_gateways_address_is_refused(address: str) -> None:
    with pytest.raises(Conflict, match="gateway"):
        create(state_of(LAN), "web", address, alive=nobody)


@pytest.mark.parametrize("address", ["172.30.0.2/24", "fd00::2/64"])
def test_an_address_of_a_living_endpoint_is_refused(address: str) -> None:
    with pytest.raises(Conflict, match=f"{IPNetwork(address).ip} .* endpoint {WEB.id[:12]}"):
        create(state_of(LAN, WEB), "db", address)


def test_a_dead_endpoint_gives_way_with_its_ports() -> None:
    state = create(state_of(LAN, WEB, PORTS), "db", "172.30.0.2/24", alive=nobody)
    assert {record.id for record in records_of(state)} == {LAN.id, docker_id("db")}
    assert state.touched == {
        ("endpoint", WEB.id),
        ("publication", WEB.id),
        ("endpoint", docker_id("db")),
    }


def test_the_dead_with_another_address_are_not_looked_at() -> None:
    state = create(state_of(LAN, WEB), "db", "172.30.0.3/24", alive=nobody)
    assert len(list(state.all(Endpoint))) == 2


def test_the_same_address_in_another_network_is_no_conflict() -> None:
    other = network("other", "10.0.0.0/24")
    elsewhere = replace(WEB, id=docker_id("elsewhere"), network=other.id)
    state = create(state_of(LAN, other, elsewhere), "db", "172.30.0.2/24")
    assert len(list(state.all(Endpoint))) == 2


def test_an_unknown_network_is_refused() -> None:
    with pytest.raises(NotFound, match=LAN.id):
        create(State(), "web")


def test_join_and_leave_note_where_the_container_is_and_when() -> None:
    state = endpoints.join(state_of(LAN, WEB), identifier=WEB.id, sandbox="/run/x", now=5.0)
    assert state.require(Endpoint, WEB.id) == replace(WEB, sandbox="/run/x", since=5.0)
    assert endpoints.join(state, identifier=WEB.id, sandbox="/run/x", now=6.0) is state
    state = endpoints.leave(state, identifier=WEB.id, now=7.0)
    assert state.require(Endpoint, WEB.id) == replace(WEB, sandbox="", since=7.0)


def test_a_container_that_leaves_gives_up_its_ports() -> None:
    state = endpoints.leave(state_of(LAN, WEB, PORTS), identifier=WEB.id, now=0.0)
    assert {record.kind for record in records_of(state)} == {"network", "endpoint"}


def test_who_is_unknown_cannot_join_but_may_leave_and_be_deleted() -> None:
    state = state_of(LAN)
    with pytest.raises(NotFound, match=WEB.id):
        endpoints.join(state, identifier=WEB.id, sandbox="", now=0.0)
    assert endpoints.leave(state, identifier=WEB.id, now=0.0) is state
    assert endpoints.delete_endpoint(state, WEB.id) is state


def test_the_dead_are_dropped_and_the_living_stay() -> None:
    db = endpoint("db", LAN, "172.30.0.3/24")
    state = endpoints.drop_dead(state_of(LAN, WEB, PORTS, db), lambda e: e.id == db.id)
    assert records_of(state) == {LAN, db}
