"""What Docker's lists make of what is known of a swarm."""

from dataclasses import replace

import pytest
from netaddr import IPAddress
from tests.support.dockerd import docker_id, swarm_id
from tests.support.fake_kernel import FakeKernel
from tests.support.host import records_of
from tests.support.records import endpoint, network, pool, state_of

from pyflat import docker_api
from pyflat.addressing import Pool
from pyflat.docker_api import Membership
from pyflat.driver import swarm
from pyflat.engine import Engine
from pyflat.model import Network, NetworkOptions
from pyflat.overlay.swarm import Nodes
from pyflat.peers import Allocation, Node, Overlay
from pyflat.state import State
from pyflat.store.memory import MemoryStore

OWN, SECOND, THIRD = (IPAddress(f"192.0.2.{number}") for number in (11, 12, 13))
BLUE = Network(id=swarm_id("blue"), bridge="pf-blue")


def known(*addresses: IPAddress) -> State:
    return state_of(Node(address=OWN, own=True), *(Node(address=a) for a in addresses))


def nodes(state: State) -> dict[IPAddress, float]:
    return {node.address: node.gone for node in state.all(Node) if not node.own}


def settle(state: State, *others: IPAddress, whole: bool = True, now: float = 1000.0) -> State:
    return swarm.settle_nodes(state, OWN, frozenset(others), whole=whole, now=now)


def test_nodes_of_the_list_are_there_and_others_are_gone() -> None:
    assert nodes(settle(known(SECOND), THIRD)) == {SECOND: 1000.0, THIRD: 0.0}


def test_a_part_of_the_list_takes_nobody_away() -> None:
    assert nodes(settle(known(SECOND), THIRD, whole=False)) == {SECOND: 0.0, THIRD: 0.0}


def test_who_is_gone_is_forgotten_after_a_while_and_back_at_once() -> None:
    gone = swarm.miss(known(SECOND), SECOND, now=1000.0)
    soon, late = 1000.0 + swarm.GRACE, 1001.0 + swarm.GRACE
    for whole in (True, False):
        assert nodes(settle(gone, whole=whole, now=soon)) == {SECOND: 1000.0}
        assert nodes(settle(gone, whole=whole, now=late)) == {}
        assert nodes(settle(gone, SECOND, whole=whole, now=late)) == {SECOND: 0.0}


def test_what_is_so_already_is_no_change() -> None:
    state = known(SECOND)
    assert settle(state, SECOND) is state


def test_this_node_has_the_address_that_docker_says() -> None:
    state = swarm.settle_nodes(known(), THIRD, frozenset(), whole=True, now=0.0)
    assert {node.address for node in state.all(Node) if node.own} == {THIRD}


def test_who_leaves_the_swarm_knows_no_nodes() -> None:
    assert not any(swarm.leave(known(SECOND)).all(Node))


def test_allocations_that_the_swarm_has_no_network_for_go_with_their_pools() -> None:
    ten = pool("10.44.0.0/24", "PyflatGlobal")
    blue = Allocation(id=swarm_id("blue"), vni=1024, subnets=(ten.cidr,))
    red = Allocation(id=swarm_id("red"), vni=1025)
    state = state_of(ten, blue, red)
    asked = [blue.id]
    assert swarm.keep_allocations(state, asked, {blue.id}) is state
    state = swarm.keep_allocations(state, asked, set())
    assert [*state.all(Allocation)] == [red]
    assert not any(state.all(Pool))


def test_a_forgotten_network_goes_with_its_pool_unless_a_container_lives() -> None:
    ten = pool("10.44.0.0/24")
    lan = network("lan", "10.44.0.0/24", space="PyflatLocal")
    state = state_of(ten, lan, endpoint("web", lan, "10.44.0.2/24"))
    assert swarm.drop_network(state, lan.id, lambda _: True) is state
    assert records_of(swarm.drop_network(state, lan.id, lambda _: False)) == set()


class Looking:
    """Looks at what Docker is made to say, at moments of a clock of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, scope: str = "global") -> None:
        self.says: Membership | None = None
        self.clock = 0.0
        self.engine = Engine(MemoryStore(), FakeKernel(), scope=scope)
        self.engine.start()
        self.nodes = Nodes(self.engine)
        monkeypatch.setattr(docker_api, "membership", lambda _: self.says)
        monkeypatch.setattr("time.monotonic", lambda: self.clock)

    def put(self, record: Network | Node | Allocation) -> None:
        self.engine.update(lambda state: (state.put(record), None))

    def look(self, *others: IPAddress, here: str = "", networks: str | None = None) -> State:
        self.says = Membership(
            own=OWN,
            others=frozenset(others),
            here=frozenset({here}),
            networks=None if networks is None else frozenset({networks}),
        )
        self.nodes.look()
        return self.engine.state


@pytest.fixture
def looking(monkeypatch: pytest.MonkeyPatch) -> Looking:
    return Looking(monkeypatch)


def test_a_worker_doubts_what_it_knew_only_after_a_start(looking: Looking) -> None:
    looking.put(Node(address=SECOND))
    assert nodes(looking.look())[SECOND] > 0
    looking.put(Node(address=THIRD))
    assert nodes(looking.look())[THIRD] == 0


def test_a_manager_doubts_it_always(looking: Looking) -> None:
    looking.put(Node(address=SECOND))
    looking.look(SECOND, networks="")
    assert nodes(looking.look(networks=""))[SECOND] > 0


def test_docker_is_not_asked_where_nothing_is_of_a_swarm(looking: Looking) -> None:
    looking.put(Network(id=docker_id("lan"), bridge="pf-lan"))
    assert nodes(looking.look(SECOND)) == {}


def test_a_network_that_docker_lacks_for_long_was_forgotten(looking: Looking) -> None:
    looking.put(BLUE)
    looking.look()
    looking.clock = 4.0
    looking.look()
    looking.look(here=BLUE.id)
    looking.clock = 8.0
    assert looking.look().get(Network, BLUE.id)
    looking.clock = 13.0
    assert not looking.look().get(Network, BLUE.id)


def test_a_tunnel_moves_to_the_address_that_others_know_this_node_by(looking: Looking) -> None:
    looking.put(Node(address=THIRD, own=True))
    tunnel = replace(FakeKernel().underlay, address=THIRD)
    overlay = Overlay(vni=1024, swarm=True)
    looking.put(replace(BLUE, tunnel=tunnel, options=NetworkOptions(overlay=overlay)))
    moved = looking.look(SECOND, here=BLUE.id).require(Network, BLUE.id).tunnel
    assert moved is not None
    assert moved.address == OWN


def test_only_managers_know_which_networks_the_swarm_has(looking: Looking) -> None:
    looking.put(Allocation(id=swarm_id("red"), vni=1024))
    assert any(looking.look().all(Allocation))
    assert not any(looking.look(networks="other").all(Allocation))


def test_nodes_count_in_scope_global_only(monkeypatch: pytest.MonkeyPatch) -> None:
    looking = Looking(monkeypatch, scope="local")
    looking.put(Node(address=SECOND))
    assert nodes(looking.look(THIRD)) == {}


def test_who_is_in_no_swarm_any_more_has_no_nodes_and_no_networks_of_it(looking: Looking) -> None:
    looking.put(Node(address=SECOND))
    looking.put(BLUE)
    looking.nodes.look()
    looking.clock = 5.0
    looking.nodes.look()
    assert looking.engine.state.get(Network, BLUE.id) is None
    assert not any(looking.engine.state.all(Node))
