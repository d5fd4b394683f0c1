"""The blocks that hosts take of a pool, whatever ranges they have."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netaddr import IPAddress, IPNetwork

from pyflat.addressing import overlap
from pyflat.errors import Conflict
from pyflat.ipam.addresses import useless
from pyflat.ipam.blocks import block_around, block_length, free_block


def parts_of(text: str) -> st.SearchStrategy[IPNetwork]:
    """Give a pool or a range of it, of any size."""
    pool = IPNetwork(text)
    width = 32 if pool.version == 4 else 128
    bits = st.integers(0, width - pool.prefixlen)
    return bits.flatmap(
        lambda more: st.integers(0, (1 << more) - 1).map(
            lambda n: IPNetwork(
                (pool.first + (n << (width - pool.prefixlen - more)), pool.prefixlen + more),
                version=pool.version,
            )
        )
    )


@pytest.mark.parametrize(
    ("pool", "length"),
    [
        ("10.0.0.0/8", 16),
        ("10.42.0.0/16", 24),
        ("10.42.0.0/20", 26),
        ("10.42.0.0/22", 26),
        ("10.42.0.0/24", 28),
        ("10.42.0.0/29", 32),
        ("10.42.0.0/32", 32),
        ("fd00:42::/48", 56),
        ("fd00:42::/64", 72),
        ("fd00:42::/116", 122),
        ("fd00:42::/120", 124),
        ("fd00:42::/126", 128),
    ],
)
def test_a_pool_has_blocks_for_many_hosts_that_are_not_too_small(pool: str, length: int) -> None:
    assert block_length(IPNetwork(pool)) == length


def test_blocks_are_taken_from_the_lowest_on() -> None:
    pool, taken = IPNetwork("10.42.0.0/24"), list[IPNetwork]()
    for _ in range(3):
        block = free_block(pool, taken, useless(pool))
        assert block is not None
        taken.append(block)
    assert list(map(str, taken)) == ["10.42.0.0/28", "10.42.0.16/28", "10.42.0.32/28"]


@pytest.mark.parametrize("pool", ["10.42.0.0/24", "10.42.0.0/29", "10.42.0.0/31", "fd00::/122"])
def test_a_host_alone_can_take_the_whole_pool_but_for_what_is_useless(pool: str) -> None:
    cidr, taken = IPNetwork(pool), list[IPNetwork]()
    while block := free_block(cidr, taken, useless(cidr)):
        taken.append(block)
    left = [address for address in cidr if not any(address in block for block in taken)]
    assert set(left) <= useless(cidr)


@given(st.lists(parts_of("10.42.0.0/22"), max_size=30))
def test_hosts_with_any_ranges_take_blocks_that_do_not_overlap(ranges: list[IPNetwork]) -> None:
    taken: list[IPNetwork] = []
    no_use = useless(IPNetwork("10.42.0.0/22"))
    for part in ranges:
        block = free_block(part, taken, no_use)
        if block is None:
            assert all(a in no_use or any(a in b for b in taken) for a in part)
            continue
        assert block in part
        assert not set(block) <= no_use
        taken.append(block)
    assert not any(overlap(one, other) for one, other in combinations(taken, 2))


@given(st.lists(st.tuples(parts_of("10.42.0.0/22"), st.integers(0, 1023)), max_size=30))
def test_a_block_around_an_address_is_the_largest_that_is_free(
    wishes: list[tuple[IPNetwork, int]],
) -> None:
    held: dict[IPNetwork, str] = {}
    for part, offset in wishes:
        address = IPAddress(part.first + offset % part.size)
        if any(address in block for block in held):
            with pytest.raises(Conflict, match="of host h"):
                block_around(part, address, held)
            continue
        block = block_around(part, address, held)
        assert address in block
        assert block in part
        assert not any(overlap(block, other) for other in held)
        if block.prefixlen > block_length(part):
            assert any(overlap(block.supernet(block.prefixlen - 1)[0], other) for other in held)
        held[block] = f"h{len(held)}"


def test_a_refused_address_names_the_host_that_gives_out_its_block() -> None:
    pool, held = IPNetwork("10.42.0.0/24"), {IPNetwork("10.42.0.16/28"): "h2"}
    with pytest.raises(Conflict) as refusal:
        block_around(pool, IPAddress("10.42.0.20"), held)
    assert str(refusal.value) == "address 10.42.0.20 is in block 10.42.0.16/28 of host h2"
