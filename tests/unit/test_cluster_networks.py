"""Networks of many hosts: what they need of the cluster, as changes of State."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from netaddr import IPAddress, IPNetwork
from tests.support.dockerd import docker_id, swarm_id
from tests.support.fake_kernel import FakeKernel
from tests.support.host import records_of
from tests.support.records import endpoint, network, pool, state_of

from pyflat.addressing import InterfaceAddress
from pyflat.driver.endpoints import create_endpoint
from pyflat.driver.networks import create_network, delete_network
from pyflat.errors import Conflict, InvalidRequest
from pyflat.ipam.shared import cluster_network
from pyflat.model import Network, NetworkOptions, Record, Subnet
from pyflat.peers import Claim, Overlay, Remote, Segment
from pyflat.site import Site
from pyflat.state import State
from pyflat.wants import AddressesWant, SegmentWant, Unclaimed, Want

OURS = "--subnet 10.42.0.0/16 --ipam-driver pyflat --gateway 10.42.0.1"
FOREIGN = "--subnet 10.42.0.0/16"
POOL = pool("10.42.0.0/16")
SUBNET = Subnet(
    cidr=IPNetwork("10.42.0.0/16"), gateway=InterfaceAddress("10.42.0.1/16"), space="PyflatLocal"
)
DOCKERS = replace(SUBNET, space="LocalDefault")
BLUE = network("blue", "10.42.0.0/16", options=NetworkOptions(overlay=Overlay(vni=42)))


def create(state: State, *subnets: Subnet, name: str = "blue", **labels: str) -> State:
    return create_network(
        state,
        identifier=docker_id(name),
        subnets=subnets or [SUBNET],
        internal=False,
        labels=labels,
        alive=lambda _: True,
        site=Site(FakeKernel(), lambda: (IPAddress("192.0.2.1"),)),
    )


def connect(state: State, *addresses: str, within: Network = BLUE, leased: bool = True) -> State:
    return create_endpoint(
        state,
        network_id=within.id,
        identifier=docker_id("web"),
        addresses=[InterfaceAddress(address) for address in addresses],
        mac="",
        now=0.0,
        alive=lambda _: True,
        leased=leased,
    )


def want_of(change: Callable[[], State]) -> Want:
    with pytest.raises(Unclaimed) as unclaimed:
        change()
    return unclaimed.value.want


def test_managers_of_a_swarm_give_out_addresses_for_all_hosts_of_a_cluster() -> None:
    """Each is claimed by itself, as one that another address manager has chosen."""
    green = replace(BLUE, id=swarm_id("green"), subnets=(SUBNET,))
    state = state_of(POOL, green, segment(OURS))
    want = want_of(lambda: connect(state, "10.42.0.9/16", within=green))
    assert want == AddressesWant(vni=42, addresses=(IPAddress("10.42.0.9"),))
    assert cluster_network(state, POOL.id) is None
    assert cluster_network(state.put(replace(BLUE, subnets=(SUBNET,))), POOL.id)


def segment(*parts: str, vni: int = 42, auto: bool = False) -> Segment:
    return Segment(vni=vni, parts=parts, auto=auto)


def address_claim(address: str, lost: str = "") -> Claim:
    return Claim(pool="vni|42", cidr=IPNetwork(address), lost=lost)


def remote(address: str) -> Remote:
    return Remote(
        id="r",
        vni=42,
        host="h2",
        vtep=IPAddress("192.0.2.12"),
        mac="02:00:00:00:00:01",
        addresses=(IPAddress(address),),
    )


def test_a_network_is_made_when_its_vni_is_claimed_for_just_that() -> None:
    state = state_of(POOL)
    expected = SegmentWant(vni=42, parts=(OURS,))
    assert want_of(lambda: create(state, vni="42")) == expected
    assert want_of(lambda: create(state.put(segment(FOREIGN)), vni="42")) == expected
    made = create(state.put(segment(OURS)), vni="42")
    assert made.require(Network, docker_id("blue")).vni == 42


def test_the_same_network_once_more_asks_nobody() -> None:
    state = create(state_of(POOL, segment(OURS)), vni="42")
    assert create(state.drop(Segment, "42").settled(), vni="42").touched == frozenset()


def test_a_drawn_vni_becomes_the_networks_and_stays_it() -> None:
    state = state_of(POOL, segment(OURS, vni=7))
    assert want_of(lambda: create(state, vni="auto")) == SegmentWant(vni=0, parts=(OURS,))
    state = create(state.put(segment(OURS, vni=4096, auto=True)), vni="auto")
    assert state.require(Network, docker_id("blue")).vni == 4096
    assert create(state.drop(Segment, "4096").settled(), vni="auto").touched == frozenset()


@pytest.mark.parametrize(
    ("subnets", "labels", "words"),
    [
        (
            [SUBNET],
            {"vni": "42"},
            "subnet 10.42.0.0/16 was chosen by this host alone; hosts of one overlay agree on "
            "theirs: --subnet 10.42.0.0/16",
        ),
        (
            [Subnet(cidr=IPNetwork("0.0.0.0/0"))],
            {"vni": "auto"},
            "option vni='auto': only a network with a --subnet is given one",
        ),
    ],
)
def test_what_cannot_be_the_same_on_every_host_is_refused_with_the_remedy(
    subnets: list[Subnet], labels: dict[str, str], words: str
) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        create(state_of(replace(POOL, automatic=True)), *subnets, **labels)
    assert str(refusal.value) == words


def test_a_chosen_subnet_will_do_for_a_network_that_the_cluster_does_not_know() -> None:
    state = create(state_of(replace(POOL, automatic=True)), vni="42", peers="192.0.2.12")
    assert state.require(Network, docker_id("blue")).vni == 42


def test_a_vni_is_that_of_one_network_of_this_host() -> None:
    state = create(state_of(POOL), vni="42", peers="192.0.2.12")
    green = replace(SUBNET, cidr=IPNetwork("10.43.0.0/16"), gateway=None)
    drawn = segment("--subnet 10.43.0.0/16 --ipam-driver pyflat", auto=True)
    for vni in ("42", "auto"):
        with pytest.raises(Conflict) as refusal:
            create(state.put(drawn), green, name="green", vni=vni)
        words = f"vni 42 is already that of network {docker_id('blue')[:12]}"
        assert str(refusal.value) == words


def test_a_network_is_described_by_what_hosts_must_agree_on() -> None:
    given = replace(SUBNET, auxiliary=(IPAddress("10.42.0.5"),))
    dual = replace(DOCKERS, cidr=IPNetwork("fd00::/64"), gateway=None)
    for subnets, parts in (
        ([given], (f"{OURS} --aux-address 10.42.0.5",)),
        ([DOCKERS], (FOREIGN,)),
        ([dual, DOCKERS], (FOREIGN, "--subnet fd00::/64")),
    ):
        want = want_of(partial(create, State(), *subnets, vni="42"))
        assert want == SegmentWant(vni=42, parts=parts)


def test_an_address_of_another_manager_is_claimed_for_this_host() -> None:
    state = state_of(BLUE)
    expected = AddressesWant(vni=42, addresses=(IPAddress("10.42.0.9"),))
    assert want_of(lambda: connect(state, "10.42.0.9/16")) == expected
    claimed = state.put(address_claim("10.42.0.9"))
    assert any(connect(claimed, "10.42.0.9/16").ids("address", BLUE.id, "10.42.0.9"))
    assert want_of(lambda: connect(claimed, "10.42.0.9/16", leased=False)) == expected


def test_an_address_of_our_own_pools_is_not_claimed_once_more() -> None:
    own = network("blue", "10.42.0.0/16", options=BLUE.options, space="PyflatLocal")
    state = connect(state_of(own), "10.42.0.9/16", within=own, leased=False)
    assert any(state.ids("address", own.id, "10.42.0.9"))


@pytest.mark.parametrize("record", [remote("10.42.0.9"), address_claim("10.42.0.9", lost="h2")])
def test_an_address_that_is_in_use_on_another_host_is_refused_with_its_name(
    record: Record,
) -> None:
    with pytest.raises(Conflict) as refusal:
        connect(state_of(BLUE, record), "10.42.0.9/16")
    assert str(refusal.value) == "address 10.42.0.9 of vni 42 is in use on host h2"


def test_a_network_that_the_cluster_does_not_know_needs_nothing_of_it() -> None:
    options = NetworkOptions(overlay=Overlay(vni=42, peers=(IPAddress("192.0.2.12"),)))
    named = replace(remote("10.42.0.9"), vtep=None)
    for alone in (NetworkOptions(), options):
        lan = network("blue", "10.42.0.0/16", options=alone)
        state = state_of(lan, named)
        assert any(connect(state, "10.42.0.9/16", within=lan, leased=False).touched)


def test_the_claims_of_a_removed_network_stay_until_they_are_given_back() -> None:
    web = endpoint("web", BLUE, "10.42.0.9/16")
    state = state_of(BLUE, web, segment(OURS), address_claim("10.42.0.9"))
    kept = records_of(delete_network(state, BLUE.id))
    assert kept == {segment(OURS), address_claim("10.42.0.9")}
