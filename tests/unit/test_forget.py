"""Records that an administrator drops; what lives is refused."""

from dataclasses import replace

import pytest
from netaddr import IPAddress
from tests.support.dockerd import docker_id
from tests.support.records import binding, endpoint, network, pool, publication, state_of

from pyflat.addressing import Pool
from pyflat.driver.forget import forget
from pyflat.errors import Conflict, InvalidRequest, NotFound
from pyflat.ipam.addresses import given_out, request_address
from pyflat.ipam.pools import request_pool
from pyflat.model import Endpoint, Publication
from pyflat.state import State

LAN = network("lan", "172.30.0.0/24")
WEB = endpoint("web", LAN, "172.30.0.2/24")
DB = endpoint("db", LAN, "172.30.0.3/24")
PORTS = publication(WEB, binding("0.0.0.0", 8080, "172.30.0.2"))
STATE = state_of(LAN, WEB, DB, PORTS)
POOL = pool("10.7.0.0/24")


def dropped(state: State, kind: str, name: str, alive: bool = False) -> State:
    return forget(state, kind=kind, name=name, alive=lambda _: alive)


@pytest.mark.parametrize("length", [4, 12, 64])
def test_an_endpoint_goes_with_its_ports(length: int) -> None:
    state = dropped(STATE, "endpoint", WEB.id[:length])
    assert state.get(Endpoint, WEB.id) is None
    assert state.get(Publication, WEB.id) is None
    assert state.get(Endpoint, DB.id) == DB


def test_a_network_goes_with_its_endpoints() -> None:
    state = dropped(STATE, "network", LAN.id[:12])
    assert not any(state.tables.values())


@pytest.mark.parametrize("kind", ["network", "endpoint"])
def test_what_has_a_living_container_stays(kind: str) -> None:
    with pytest.raises(Conflict, match=r"living container: docker network disconnect"):
        dropped(STATE, kind, (LAN if kind == "network" else WEB).id, alive=True)


def leased() -> State:
    """A pool that was asked for twice, with an address given out."""
    state, lease = request_pool(State(), space="PyflatLocal", cidr=POOL.cidr, part=None)
    state, _ = request_pool(state, space="PyflatLocal", cidr=POOL.cidr, part=None)
    state, _ = request_address(state, lease, wanted=IPAddress("10.7.0.9"))
    return state


def test_a_pool_goes_with_its_addresses_however_often_it_was_asked_for() -> None:
    state = dropped(leased(), "pool", "10.7.0.0/24")
    assert not any(state.tables.values())


OWN = network("own", "10.7.0.0/24")
OWN = replace(OWN, subnets=(replace(OWN.subnets[0], space="PyflatLocal"),))


def test_a_pool_of_a_network_stays() -> None:
    with pytest.raises(Conflict, match=OWN.id[:12]):
        dropped(leased().put(OWN), "pool", "10.7.0.0/24")


def test_an_address_is_free_again() -> None:
    state = dropped(leased(), "address", "10.7.0.9")
    assert not given_out(state, POOL.id, IPAddress("10.7.0.9"))
    assert state.get(Pool, POOL.id) is not None


def test_an_address_of_an_endpoint_stays() -> None:
    state = leased().put(OWN).put(endpoint("web", OWN, "10.7.0.9/24"))
    with pytest.raises(Conflict, match=r"address 10\.7\.0\.9 is that of an endpoint"):
        dropped(state, "address", "10.7.0.9")


@pytest.mark.parametrize(
    ("kind", "name", "error"),
    [
        ("endpoint", docker_id("other"), NotFound),
        ("endpoint", WEB.id[:3], NotFound),
        ("endpoint", "", NotFound),
        ("network", WEB.id, NotFound),
        ("pool", "10.8.0.0/24", NotFound),
        ("address", "10.7.0.8", NotFound),
        ("address", "web", InvalidRequest),
        ("container", WEB.id, InvalidRequest),
    ],
)
def test_what_is_not_there_is_refused(kind: str, name: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        dropped(leased().put(LAN).put(WEB), kind, name)


def test_a_name_that_may_be_two_is_refused() -> None:
    one, other = (endpoint("x", LAN), endpoint("y", LAN))
    twins = [replace(each, id="abcd" + each.id[4:]) for each in (one, other)]
    with pytest.raises(InvalidRequest, match="may be one of 2"):
        dropped(state_of(LAN, *twins), "endpoint", "abcd")
