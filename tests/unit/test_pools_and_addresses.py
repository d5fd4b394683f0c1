"""Any sequence of requests and releases, against a model made of plain sets."""

import os
import random
from itertools import combinations, pairwise

import pytest
from netaddr import IPAddress, IPNetwork

from pyflat.addressing import AddressBlock, InterfaceAddress, Pool
from pyflat.errors import Conflict, Exhausted, InvalidRequest, NotFound, PyflatError
from pyflat.ipam.addresses import given_out, release_address, request_address
from pyflat.ipam.pools import (
    Lease,
    Source,
    free_subnet,
    read_lease,
    release_pool,
    request_pool,
)
from pyflat.state import State

SEQUENCES = int(os.environ.get("PYFLAT_TEST_SEQUENCES", "300"))
SOURCES = (
    Source(block=IPNetwork("172.16.0.0/12"), length=16),
    Source(block=IPNetwork("192.168.0.0/16"), length=24),
    Source(block=IPNetwork("10.0.0.0/8"), length=24),
    Source(block=IPNetwork("fd00:7::/48"), length=64),
)
SUBNETS = ("10.0.0.0/29", "10.0.0.8/30", "10.0.1.0/31", "10.0.1.2/32", "fd00::/125", "fd00:1::/64")


def lease_of(cidr: str, part: str = "") -> tuple[State, Lease]:
    return request_pool(
        State(), space="L", cidr=IPNetwork(cidr), part=IPNetwork(part) if part else None
    )


def usable(cidr: IPNetwork) -> list[IPAddress]:
    every = [IPAddress(cidr.first + i, cidr.version) for i in range(min(cidr.size, 40))]
    if cidr.size <= 2:
        return every
    return every[1:-1] if cidr.version == 4 and cidr.size <= 40 else every[1:]


class Pools:
    """The model: which addresses of which pool are out, and which were asked for by name."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.state = State()
        self.out: dict[str, set[IPAddress]] = {}
        self.asked: dict[str, set[IPAddress]] = {}
        self.leases: list[Lease] = []

    def step(self) -> None:
        actions = (self.pool, self.take, self.take, self.take, self.ask, self.give, self.drop)
        self.random.choice(actions)()
        self.check()

    def pool(self) -> None:
        cidr = IPNetwork(self.random.choice(SUBNETS))
        self.state, lease = request_pool(self.state, space="L", cidr=cidr, part=None)
        self.leases.append(lease)
        self.out.setdefault(lease.pool, set())
        self.asked.setdefault(lease.pool, set())

    def take(self) -> None:
        if self.leases:
            lease = self.random.choice(self.leases)
            cidr = self.state.require(Pool, lease.pool).cidr
            out, asked = self.out[lease.pool], self.asked[lease.pool]
            free = [a for a in usable(cidr) if a not in out]
            best = [a for a in free if a not in asked] or free
            try:
                self.state, address = request_address(self.state, lease)
            except Exhausted:
                assert best == []
            else:
                assert address.ip == best[0]
                out.add(address.ip)

    def ask(self) -> None:
        if self.leases:
            lease = self.random.choice(self.leases)
            cidr = self.state.require(Pool, lease.pool).cidr
            wanted = IPAddress(cidr.first + self.random.randrange(9), cidr.version)
            out = self.out[lease.pool]
            refusal = Conflict if wanted in out else None if wanted in cidr else InvalidRequest
            if refusal:
                with pytest.raises(refusal):
                    request_address(self.state, lease, wanted=wanted)
                return
            self.state, address = request_address(self.state, lease, wanted=wanted)
            assert wanted == address.ip
            out.add(wanted)
            self.asked[lease.pool].add(wanted)

    def give(self) -> None:
        if self.leases:
            lease = self.random.choice(self.leases)
            cidr = self.state.require(Pool, lease.pool).cidr
            address = IPAddress(cidr.first + self.random.randrange(9), cidr.version)
            self.state = release_address(self.state, lease.pool, address)
            self.out[lease.pool].discard(address)

    def drop(self) -> None:
        if self.leases:
            lease = self.leases.pop(self.random.randrange(len(self.leases)))
            self.state = release_pool(self.state, str(lease))
            if lease not in self.leases:
                del self.out[lease.pool], self.asked[lease.pool]

    def check(self) -> None:
        assert {pool.id for pool in self.state.all(Pool)} == set(self.out)
        for pool in self.state.all(Pool):
            for address in usable(pool.cidr):
                assert given_out(self.state, pool.id, address) == (address in self.out[pool.id])
        assert {block.pool for block in self.state.all(AddressBlock)} <= set(self.out)


def test_any_sequence_of_requests_and_releases_is_as_in_the_model() -> None:
    for seed in range(SEQUENCES):
        pools = Pools(seed)
        for _ in range(25):
            pools.step()


def test_a_thousand_automatic_pools_overlap_neither_each_other_nor_the_host() -> None:
    host = [IPNetwork("172.16.0.0/14"), IPNetwork("192.168.7.0/24"), IPNetwork("10.0.0.53/32")]
    state, given = State(), list(host)
    for _ in range(1000):
        cidr = free_subnet(state, space="L", version=4, sources=SOURCES, occupied=host)
        state, _ = request_pool(state.settled(), space="L", cidr=cidr, part=None)
        given.append(cidr)
    spans = sorted((cidr.first, cidr.last) for cidr in given)
    assert all(one[1] < other[0] for one, other in pairwise(spans))


def test_automatic_pools_come_in_the_order_of_their_sources_until_none_is_left() -> None:
    sources = (
        Source(block=IPNetwork("10.0.0.0/23"), length=24),
        Source(block=IPNetwork("10.1.0.0/24"), length=24),
    )
    state = State()
    for expected in ("10.0.0.0/24", "10.0.1.0/24", "10.1.0.0/24"):
        cidr = free_subnet(state, space="L", version=4, sources=sources, occupied=())
        assert str(cidr) == expected
        state, _ = request_pool(state, space="L", cidr=cidr, part=None)
    with pytest.raises(Exhausted, match="no automatic IPv4 pool is left in address space L"):
        free_subnet(state, space="L", version=4, sources=sources, occupied=())


def test_the_address_spaces_do_not_know_of_each_other() -> None:
    state, one = request_pool(State(), space="L", cidr=IPNetwork("10.0.0.0/24"), part=None)
    state, other = request_pool(state, space="G", cidr=IPNetwork("10.0.0.0/25"), part=None)
    wanted = IPAddress("10.0.0.9")
    state, _ = request_address(state, one, wanted=wanted)
    state, _ = request_address(state, other, wanted=wanted)
    assert given_out(state, one.pool, wanted)
    assert given_out(state, other.pool, wanted)


@pytest.mark.parametrize(
    ("cidr", "count"),
    [
        ("10.0.0.0/30", 2),
        ("10.0.0.0/31", 2),
        ("10.0.0.0/32", 1),
        ("fd00::/126", 3),
        ("fd00::/127", 2),
    ],
)
def test_a_pool_gives_each_of_its_addresses_once(cidr: str, count: int) -> None:
    state, lease = lease_of(cidr)
    given = set()
    for _ in range(count):
        state, address = request_address(state, lease)
        given.add(str(address))
    assert len(given) == count
    with pytest.raises(Exhausted, match=f"no address is left in {cidr} of pool {cidr}"):
        request_address(state, lease)


def test_a_block_boundary_is_passed_over() -> None:
    state, lease = lease_of("10.0.0.0/12")
    full = AddressBlock(pool=lease.pool, number=0, taken=b"\xff" * 2048, asked=b"")
    state, address = request_address(state.put(full), lease)
    assert str(address) == "10.0.64.0/12"
    state = release_address(state, lease.pool, IPAddress("10.0.63.255"))
    assert str(request_address(state, lease)[1]) == "10.0.63.255/12"


def test_a_range_limits_what_is_chosen_but_neither_gateway_nor_what_is_asked_for() -> None:
    state, lease = lease_of("10.0.0.0/24", "10.0.0.128/25")
    state, gateway = request_address(state, lease, gateway=True)
    state, chosen = request_address(state, lease)
    state, asked = request_address(state, lease, wanted=IPAddress("10.0.0.5"))
    assert [str(a) for a in (gateway, chosen, asked)] == [
        "10.0.0.1/24",
        "10.0.0.128/24",
        "10.0.0.5/24",
    ]


def test_a_pool_lives_until_it_is_released_as_often_as_requested() -> None:
    state, lease = lease_of("10.0.0.0/24")
    state, again = request_pool(state, space="L", cidr=IPNetwork("10.0.0.0/24"), part=None)
    state, _ = request_address(state, lease)
    state = release_pool(state, str(again))
    assert given_out(state, lease.pool, IPAddress("10.0.0.1"))
    state = release_pool(state, str(lease))
    assert not [*state.all(AddressBlock), *state.all(Pool)]
    assert release_pool(state, str(lease)) == state


@pytest.mark.parametrize(
    ("error", "text", "wanted"),
    [
        (InvalidRequest, "address 10.0.1.1 is not in pool 10.0.0.0/24", "10.0.1.1"),
        (Conflict, "address 10.0.0.1 of pool 10.0.0.0/24 is already given out", "10.0.0.1"),
    ],
)
def test_a_refusal_names_pool_and_address(error: type[PyflatError], text: str, wanted: str) -> None:
    state, lease = lease_of("10.0.0.0/24")
    state, _ = request_address(state, lease)
    with pytest.raises(error) as refusal:
        request_address(state, lease, wanted=IPAddress(wanted))
    assert str(refusal.value) == text


@pytest.mark.parametrize("identifier", ["", "L", "L|10.0.0.0/24|nonsense", "a|b|c|d"])
def test_what_is_no_pool_id_is_not_known(identifier: str) -> None:
    with pytest.raises(NotFound):
        read_lease(identifier)


def test_interface_addresses_are_equal_only_to_themselves() -> None:
    texts = ("10.0.0.1/24", "10.0.0.2/24", "10.0.0.1/25", "::a00:1/120")
    for one, other in combinations(map(InterfaceAddress, texts), 2):
        assert one != other
    assert len({InterfaceAddress("10.0.0.1/24"), InterfaceAddress("10.0.0.1/24")}) == 1
