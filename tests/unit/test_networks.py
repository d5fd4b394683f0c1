"""CreateNetwork and DeleteNetwork as changes of State."""

from collections.abc import Mapping

import pytest
from netaddr import IPNetwork
from tests.support.dockerd import docker_id
from tests.support.fake_kernel import FakeKernel
from tests.support.host import records_of
from tests.support.records import binding, endpoint, network, publication, state_of

from pyflat.addressing import InterfaceAddress
from pyflat.driver.networks import create_network, delete_network
from pyflat.errors import Conflict, InvalidRequest
from pyflat.model import Network, Subnet
from pyflat.site import Site
from pyflat.state import State

LAN = network("lan", "172.30.0.0/24")
WEB = endpoint("web", LAN, "172.30.0.2/24")
BRIDGE_NAME = "com.docker.network.bridge.name"
MTU = "com.docker.network.driver.mtu"


def subnet(pool: str, gateway: str = "", space: str = "") -> Subnet:
    return Subnet(
        cidr=IPNetwork(pool),
        gateway=InterfaceAddress(gateway) if gateway else None,
        space=space,
    )


def create(
    state: State,
    name: str,
    *subnets: Subnet,
    internal: bool = False,
    labels: Mapping[str, str] | None = None,
    alive: bool = True,
    possible: bool = False,
) -> State:
    kernel = FakeKernel()
    kernel.has_inside = possible
    return create_network(
        state,
        identifier=docker_id(name),
        subnets=subnets,
        internal=internal,
        labels=labels or {},
        alive=lambda _: alive,
        site=Site(kernel),
    )


def test_a_network_is_kept_as_described() -> None:
    state = create(State(), "lan", subnet("172.30.0.0/24", "172.30.0.1/24"))
    assert records_of(state) == {LAN}


def test_the_same_network_once_more_is_no_change() -> None:
    state = state_of(LAN)
    assert create(state, "lan", subnet("172.30.0.0/24", "172.30.0.1/24")) is state


@pytest.mark.parametrize(
    ("pool", "internal", "labels"),
    [
        ("172.31.0.0/24", False, {}),
        ("172.30.0.0/24", True, {}),
        ("172.30.0.0/24", False, {MTU: "1400"}),
        ("172.30.0.0/24", False, {BRIDGE_NAME: "br-lan"}),
    ],
)
def test_the_same_id_with_another_description_is_refused(
    pool: str, internal: bool, labels: dict[str, str]
) -> None:
    gateway = f"{IPNetwork(pool)[1]}/24"
    with pytest.raises(Conflict, match=LAN.id):
        create(state_of(LAN), "lan", subnet(pool, gateway), internal=internal, labels=labels)


@pytest.mark.parametrize("pool", ["172.30.0.0/24", "172.30.0.128/25", "172.16.0.0/12"])
def test_a_subnet_that_overlaps_another_networks_is_refused(pool: str) -> None:
    with pytest.raises(Conflict, match=f"{pool} overlaps 172.30.0.0/24 of network {LAN.id[:12]}"):
        create(state_of(LAN), "dmz", subnet(pool))


@pytest.mark.parametrize("pools", [("10.0.0.0/8", "10.1.0.0/16"), ("fd00::/64", "fd00::/64")])
def test_subnets_of_one_network_that_overlap_are_refused(pools: tuple[str, str]) -> None:
    with pytest.raises(Conflict, match="overlap"):
        create(State(), "lan", *map(subnet, pools))


def test_neighbouring_subnets_do_not_overlap() -> None:
    state = create(state_of(LAN), "dmz", subnet("172.30.1.0/24"), subnet("172.29.255.0/24"))
    assert len(records_of(state)) == 2


def test_a_bridge_name_in_use_is_refused() -> None:
    labels = {BRIDGE_NAME: LAN.bridge}
    with pytest.raises(Conflict, match=LAN.bridge):
        create(state_of(LAN), "dmz", labels=labels)


def test_a_bridge_name_is_free_again_after_its_network() -> None:
    state = create(State(), "lan", labels={BRIDGE_NAME: "br-lan"})
    state = delete_network(state, docker_id("lan"))
    state = create(state, "dmz", labels={BRIDGE_NAME: "br-lan"})
    assert state.require(Network, docker_id("dmz")).bridge == "br-lan"


@pytest.mark.parametrize("mtu", ["68", "1279"])
def test_ipv6_needs_its_least_mtu(mtu: str) -> None:
    with pytest.raises(InvalidRequest, match="1280"):
        create(State(), "lan", subnet("fd00::/64"), labels={MTU: mtu})
    create(State(), "lan", subnet("172.30.0.0/24"), labels={MTU: mtu})
    create(State(), "lan", subnet("fd00::/64"), labels={MTU: "1280"})


def test_a_gateway_outside_its_subnet_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"172\.31\.0\.1"):
        create(State(), "lan", subnet("172.30.0.0/24", "172.31.0.1/24"))


def test_a_pool_of_everything_means_no_addresses() -> None:
    state = create(State(), "lan", subnet("0.0.0.0/0"), subnet("::/0"))
    assert state.require(Network, docker_id("lan")).subnets == ()


def test_a_network_takes_its_endpoints_and_ports_along_but_nothing_else() -> None:
    dmz = network("dmz", "172.31.0.0/24")
    other = endpoint("other", dmz, "172.31.0.2/24")
    ports = publication(WEB, binding("0.0.0.0", 80, "172.30.0.2"))
    state = delete_network(state_of(LAN, WEB, ports, dmz, other), LAN.id)
    assert records_of(state) == {dmz, other}


def test_an_unknown_network_is_deleted_without_a_change() -> None:
    state = state_of(LAN)
    assert delete_network(state, docker_id("dmz")) is state


SPACE = "LocalDefault"
OLD = create(State(), "old", subnet("172.30.0.0/24", space=SPACE), subnet("fd00::/64")).settled()
IN_OLD = endpoint("web", network("old"), "172.30.0.2/24")


@pytest.mark.parametrize("pool", ["172.30.0.0/24", "172.30.0.0/16", "172.30.0.128/25"])
def test_a_network_that_docker_has_forgotten_gives_way(pool: str) -> None:
    for state in (OLD, OLD.put(IN_OLD)):
        after = create(state, "new", subnet(pool, space=SPACE), alive=False)
        assert [record.id for record in records_of(after)] == [docker_id("new")]


@pytest.mark.parametrize(
    ("state", "space"),
    [(OLD.put(IN_OLD), SPACE), (OLD, "PyflatLocal"), (OLD, "")],
    ids=["a container lives there", "of another address manager", "of none"],
)
def test_a_network_that_may_be_in_use_stays(state: State, space: str) -> None:
    with pytest.raises(Conflict, match=docker_id("old")[:12]):
        create(state, "new", subnet("172.30.0.0/24", space=space))


PEERS = {"vni": "42", "peers": "192.0.2.12"}


@pytest.mark.parametrize(
    ("labels", "possible", "inside"),
    [
        ({}, True, False),
        ({"namespace": "host"}, True, False),
        ({"namespace": "own"}, True, True),
        (PEERS, True, True),
        (PEERS, False, False),
        (PEERS | {"namespace": "host"}, True, False),
        (PEERS | {"namespace": "own"}, True, True),
    ],
)
def test_the_bridge_lies_where_it_is_asked_to(
    labels: Mapping[str, str], possible: bool, inside: bool
) -> None:
    state = create(State(), "lan", labels=labels, possible=possible)
    assert state.require(Network, docker_id("lan")).inside == inside


@pytest.mark.parametrize("labels", [{"namespace": "own"}, PEERS | {"namespace": "own"}])
def test_a_namespace_that_cannot_be_is_refused_with_what_it_takes(
    labels: Mapping[str, str],
) -> None:
    with pytest.raises(InvalidRequest, match=r"option namespace='own': .*PYFLAT_NAMESPACE.*host"):
        create(State(), "lan", labels=labels, possible=False)


@pytest.mark.parametrize("labels", [{"namespace": "own"}, PEERS])
def test_a_network_keeps_its_place_whatever_would_be_possible_now(
    labels: Mapping[str, str],
) -> None:
    state = create(State(), "lan", labels=labels, possible=True).settled()
    assert create(state, "lan", labels=labels, possible=False) is state
