"""Addresses of a pool that a cluster shares, as changes of State."""

import pytest
from netaddr import IPAddress, IPNetwork
from tests.support.dockerd import docker_id
from tests.support.records import network, pool, state_of

from pyflat.errors import Conflict, Exhausted, InvalidRequest
from pyflat.ipam import shared
from pyflat.ipam.addresses import release_address, request_address
from pyflat.ipam.pools import Lease
from pyflat.model import NetworkOptions, Record
from pyflat.peers import Claim, Overlay, Peer, Remote
from pyflat.state import State
from pyflat.wants import BlockWant, Unclaimed

POOL = pool("10.42.0.0/24")
BLUE = network(
    "blue",
    "10.42.0.0/24",
    options=NetworkOptions(overlay=Overlay(vni=42)),
    space=POOL.space,
    auxiliary=("10.42.0.5",),
)
LEASE = Lease(pool=POOL.id)


def claim(cidr: str, lost: str = "") -> Claim:
    return Claim(pool=POOL.id, cidr=IPNetwork(cidr), lost=lost)


def remote(address: str, host: str = "h2") -> Remote:
    return Remote(
        id=docker_id(address),
        vni=42,
        host=host,
        vtep=IPAddress("192.0.2.12"),
        mac="02:00:00:00:00:01",
        addresses=(IPAddress(address),),
    )


def peer(*blocks: str) -> Peer:
    cidrs = tuple(map(IPNetwork, blocks))
    return Peer(vni=42, host="h2", vtep=IPAddress("192.0.2.12"), blocks=cidrs)


def known(*records: Record) -> State:
    """Give a State with the network, its gateway and its auxiliary address given out."""
    state = state_of(POOL)
    for kept in ("10.42.0.1", "10.42.0.5"):
        state, _ = request_address(state, LEASE, wanted=IPAddress(kept))
    for record in (BLUE, *records):
        state = state.put(record)
    return state.settled()


def ask(
    state: State, wanted: str = "", *, part: str = "", leased: bool = True
) -> tuple[State, str]:
    lease = Lease(pool=POOL.id, part=IPNetwork(part) if part else None)
    address = IPAddress(wanted) if wanted else None
    state, found = shared.request_shared_address(state, lease, BLUE, wanted=address, leased=leased)
    return state, str(found)


def want_of(state: State, wanted: str = "", *, part: str = "") -> BlockWant:
    with pytest.raises(Unclaimed) as unclaimed:
        ask(state, wanted, part=part)
    assert isinstance(unclaimed.value.want, BlockWant)
    return unclaimed.value.want


def choose(state: State, held: dict[str, str], address: str = "", part: str = "") -> str:
    want = BlockWant(
        pool=POOL.id,
        part=IPNetwork(part) if part else POOL.cidr,
        address=IPAddress(address) if address else None,
    )
    blocks = {IPNetwork(block): host for block, host in held.items()}
    return str(shared.choose_block(state, BLUE, want, blocks, "h1"))


def test_only_a_network_of_a_cluster_makes_its_pool_the_clusters() -> None:
    assert shared.cluster_network(known(), POOL.id) == BLUE
    options = NetworkOptions(overlay=Overlay(vni=42, peers=(IPAddress("192.0.2.12"),)))
    for alone in (NetworkOptions(), options):
        local = network("blue", "10.42.0.0/24", options=alone, space=POOL.space)
        assert shared.cluster_network(state_of(POOL, local), POOL.id) is None


def test_the_lowest_free_address_of_the_own_blocks_is_given_out() -> None:
    state = known(claim("10.42.0.32/30"), claim("10.42.0.0/29"))
    given = []
    for _ in range(9):
        state, address = ask(state)
        given.append(address.removesuffix("/24"))
    expected = (2, 3, 4, 6, 7, 32, 33, 34, 35)  # not the subnet's own, the gateway, the auxiliary
    assert given == [f"10.42.0.{number}" for number in expected]
    assert want_of(state) == BlockWant(pool=POOL.id, part=POOL.cidr)


def test_without_a_block_one_is_wanted_that_lies_in_the_range() -> None:
    assert want_of(known()) == BlockWant(pool=POOL.id, part=POOL.cidr)
    part = "10.42.0.128/25"
    state = known(claim("10.42.0.0/28"))
    assert want_of(state, part=part) == BlockWant(pool=POOL.id, part=IPNetwork(part))
    _, address = ask(state.put(claim("10.42.0.0/24")), part=part)
    assert address == "10.42.0.128/24"


def test_an_address_that_is_asked_for_needs_the_block_that_holds_it() -> None:
    state = known(claim("10.42.0.0/28"))
    assert ask(state, "10.42.0.9")[1] == "10.42.0.9/24"
    wanted = IPAddress("10.42.0.16")
    assert want_of(state, "10.42.0.16") == BlockWant(pool=POOL.id, part=POOL.cidr, address=wanted)
    # Outside the range of this host, too.
    assert want_of(state, "10.42.0.16", part="10.42.0.64/26").part == POOL.cidr


@pytest.mark.parametrize(
    ("wanted", "error", "words"),
    [
        ("10.43.0.2", InvalidRequest, "address 10.43.0.2 is not in pool 10.42.0.0/24"),
        ("10.42.0.1", Conflict, "address 10.42.0.1 of pool 10.42.0.0/24 is already given out"),
        ("10.42.0.5", Conflict, "address 10.42.0.5 of pool 10.42.0.0/24 is already given out"),
        ("10.42.0.7", Conflict, "address 10.42.0.7 of pool 10.42.0.0/24 is in use on host h2"),
    ],
)
def test_what_nobody_may_have_is_refused_before_anything_is_claimed(
    wanted: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error) as refusal:
        ask(known(remote("10.42.0.7")), wanted)
    assert str(refusal.value) == words


def test_an_address_that_another_host_uses_is_passed_over() -> None:
    state = known(claim("10.42.0.0/28"), remote("10.42.0.2"), remote("10.42.0.3"))
    assert ask(state)[1] == "10.42.0.4/24"


def test_a_lost_block_gives_out_nothing_but_takes_back() -> None:
    state, _ = ask(known(claim("10.42.0.0/28")))
    state = state.put(claim("10.42.0.0/28", lost="h2"))
    assert want_of(state).address is None
    assert want_of(state, "10.42.0.9").address == IPAddress("10.42.0.9")
    with pytest.raises(Conflict, match=r"is in block 10\.42\.0\.0/28 of host h2"):
        choose(state, {"10.42.0.0/28": "h2"}, "10.42.0.9")
    state = release_address(state, POOL.id, IPAddress("10.42.0.2"))
    assert shared.is_idle(state, claim("10.42.0.0/28"))


def test_a_host_without_a_lease_gives_out_nothing_of_what_it_holds() -> None:
    state = known(claim("10.42.0.0/28"))
    for wanted in ("", "10.42.0.9"):
        with pytest.raises(Unclaimed):
            ask(state, wanted, leased=False)


def test_what_a_want_is_about_is_looked_for_in_the_own_blocks() -> None:
    anything = BlockWant(pool=POOL.id, part=POOL.cidr)
    there = BlockWant(pool=POOL.id, part=POOL.cidr, address=IPAddress("10.42.0.9"))
    for want in (anything, there):
        assert not shared.is_held(known(), want)
        assert shared.is_held(known(claim("10.42.0.0/28")), want)
    assert shared.is_held(known(claim("10.42.0.16/28")), anything)
    assert not shared.is_held(known(claim("10.42.0.16/28")), there)
    assert shared.is_held(State(), anything)  # the network is gone


def test_the_block_that_is_claimed_next_overlaps_nobodys() -> None:
    assert choose(known(), {}) == "10.42.0.0/28"
    assert choose(known(), {"10.42.0.0/30": "h2", "10.42.0.16/28": "h3"}) == "10.42.0.32/28"
    assert choose(known(claim("10.42.0.0/28")), {}) == "10.42.0.16/28"
    assert choose(known(), {}, part="10.42.0.64/26") == "10.42.0.64/30"
    assert choose(known(), {"10.42.0.64/30": "h2"}, address="10.42.0.70") == "10.42.0.68/30"


def test_what_a_host_was_known_to_hold_is_left_to_it_if_the_cluster_forgets() -> None:
    assert choose(known(peer("10.42.0.0/28")), {}) == "10.42.0.16/28"
    with pytest.raises(Conflict, match="of host h2"):
        choose(known(peer("10.42.0.0/28")), {}, address="10.42.0.9")


def test_a_block_whose_claim_was_cut_off_is_taken_up_again() -> None:
    assert choose(known(), {"10.42.0.32/28": "h1"}) == "10.42.0.32/28"
    assert choose(known(claim("10.42.0.32/28")), {"10.42.0.32/28": "h1"}) == "10.42.0.0/28"
    assert choose(known(), {"10.42.0.32/28": "h1"}, address="10.42.0.40") == "10.42.0.32/28"
    assert choose(known(), {"10.42.0.32/28": "h1"}, address="10.42.0.70") == "10.42.0.64/28"
    assert choose(known(), {"10.42.0.32/28": "h1"}, part="10.42.0.64/26") == "10.42.0.64/30"


def test_a_full_pool_tells_who_has_it() -> None:
    with pytest.raises(Exhausted) as refusal:
        choose(known(), {"10.42.0.0/25": "h2", "10.42.0.128/26": "h3", "10.42.0.192/26": "h2"})
    assert str(refusal.value) == (
        "no block of addresses is left in 10.42.0.0/24 of pool 10.42.0.0/24: h2 has 2, h3 has 1"
    )


def test_more_is_claimed_when_less_than_a_quarter_is_free() -> None:
    state = known(claim("10.42.0.16/28"))
    assert not shared.runs_low(known(), POOL, BLUE)  # nobody has asked yet
    for number in range(16):
        assert shared.runs_low(state, POOL, BLUE) == (number > 12)
        state, _ = ask(state)
    state = state.put(claim("10.42.0.32/28"))
    assert not shared.runs_low(state, POOL, BLUE)


def test_the_gateway_and_what_is_kept_free_do_not_make_a_block_busy() -> None:
    state = known(claim("10.42.0.0/28"))
    assert list(shared.spare_claims(state)) == [claim("10.42.0.0/28")]
    taken, _ = ask(state)
    assert list(shared.spare_claims(taken)) == []
    released = release_address(taken, POOL.id, IPAddress("10.42.0.2"))
    assert list(shared.spare_claims(released)) == [claim("10.42.0.0/28")]


def test_an_address_that_may_be_asked_for_again_keeps_its_block() -> None:
    state, _ = ask(known(claim("10.42.0.0/28")), "10.42.0.9")
    state = release_address(state, POOL.id, IPAddress("10.42.0.9"))
    assert list(shared.spare_claims(state)) == []


def test_enough_stays_that_nothing_has_to_be_claimed_again_at_once() -> None:
    blocks = [claim(f"10.42.0.{first}/28") for first in (16, 32, 48, 64)]
    state = known(*blocks)
    for _ in range(9):
        state, _ = ask(state)
    # 9 of 16 are in use: one more block stays, so that half of what is held is free.
    assert [str(c.cidr) for c in shared.spare_claims(state)] == ["10.42.0.64/28", "10.42.0.48/28"]


def test_nothing_of_a_released_pool_is_kept() -> None:
    state = known(claim("10.42.0.0/28"))
    state, _ = ask(state)
    assert list(shared.spare_claims(state.drop(type(POOL), POOL.id))) == [claim("10.42.0.0/28")]
