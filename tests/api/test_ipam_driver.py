"""IpamDriver.*: answers to requests spelled as the engines spell them."""

import pytest
from tests.support import dockerd
from tests.support.dockerd import call
from tests.support.plugin import Plugin

GATEWAY = {"RequestAddressType": "com.docker.network.gateway"}


def pool_of(plugin: Plugin, pool: str = "172.30.0.0/24", part: str = "") -> str:
    identifier: str = plugin.ok(dockerd.request_pool(pool, part, ipv6=":" in pool))["PoolID"]
    return identifier


def test_capabilities() -> None:
    assert Plugin().ask("IpamDriver.GetCapabilities") == {
        "RequiresMACAddress": False,
        "RequiresRequestReplay": False,
    }


def test_the_two_address_spaces_differ() -> None:
    spaces = Plugin().ask("IpamDriver.GetDefaultAddressSpaces")
    assert set(spaces) == {"LocalDefaultAddressSpace", "GlobalDefaultAddressSpace"}
    assert len(set(spaces.values())) == 2


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("172.30.0.0/16", "172.30.0.0/16"),
        ("172.30.1.2/16", "172.30.0.0/16"),
        ("FD00:0::/64", "fd00::/64"),
    ],
)
def test_a_pool_is_given_in_its_canonical_form(asked: str, given: str) -> None:
    answer = Plugin().ok(dockerd.request_pool(asked, ipv6=":" in asked))
    assert answer["Pool"] == given
    assert set(answer) == {"PoolID", "Pool", "Data"}
    assert answer["Data"] == {}


@pytest.mark.parametrize("ipv6", [False, True])
def test_no_two_automatic_pools_are_the_same(ipv6: bool) -> None:
    # dockerd asks again as long as the answer overlaps a route of the host, and keeps the others.
    plugin = Plugin()
    answers = [plugin.ok(dockerd.request_pool(ipv6=ipv6)) for _ in range(5)]
    assert len({answer["Pool"] for answer in answers}) == 5
    assert len({answer["PoolID"] for answer in answers}) == 5


def test_a_pool_asked_for_again_is_the_same_until_it_is_released_as_often() -> None:
    plugin = Plugin()
    identifier = pool_of(plugin)
    assert pool_of(plugin) == identifier
    plugin.ok(dockerd.request_address(identifier, "172.30.0.1"))
    plugin.ok(dockerd.release_pool(identifier))
    plugin.error(dockerd.request_address(identifier, "172.30.0.1"))
    plugin.ok(dockerd.release_pool(identifier))
    assert "not known" in plugin.error(dockerd.request_address(identifier))


def test_the_two_spaces_do_not_see_each_other() -> None:
    plugin = Plugin()
    for space in ("PyflatLocal", "PyflatGlobal"):
        answer = plugin.ask(
            "IpamDriver.RequestPool", AddressSpace=space, Pool="172.30.0.0/24", Options={}, V6=False
        )
        request = dockerd.request_address(answer["PoolID"], "172.30.0.1")
        assert plugin.ok(request)["Address"] == "172.30.0.1/24"


def test_addresses_carry_the_mask_of_the_pool_and_are_the_lowest_free() -> None:
    plugin = Plugin()
    pool = pool_of(plugin, "172.30.0.0/16", "172.30.5.0/24")
    gateway = plugin.ok(dockerd.request_address(pool, "172.30.0.1", GATEWAY))
    assert gateway == {"Address": "172.30.0.1/16", "Data": {}}
    name = {"com.docker.network.endpoint.name": "web"}
    assert plugin.ok(dockerd.request_address(pool, "", name))["Address"] == "172.30.5.0/16"
    assert plugin.ok(dockerd.request_address(pool))["Address"] == "172.30.5.1/16"
    plugin.ok(dockerd.release_address(pool, "172.30.5.0"))
    assert plugin.ok(dockerd.request_address(pool))["Address"] == "172.30.5.0/16"


def test_an_auxiliary_address_may_lie_outside_the_range() -> None:
    plugin = Plugin()
    pool = pool_of(plugin, "172.30.0.0/16", "172.30.5.0/24")
    assert plugin.ok(dockerd.request_address(pool, "172.30.9.9"))["Address"] == "172.30.9.9/16"


def test_missing_keys_stand_for_empty_ones() -> None:
    plugin = Plugin()
    pool = plugin.ask("IpamDriver.RequestPool", AddressSpace="PyflatLocal")["PoolID"]
    assert plugin.ask("IpamDriver.RequestAddress", PoolID=pool)["Address"]


def test_what_is_not_known_is_released_successfully() -> None:
    plugin = Plugin()
    assert plugin.ok(dockerd.release_pool("PyflatLocal|10.0.0.0/8")) == {}
    assert plugin.ok(dockerd.release_address("PyflatLocal|10.0.0.0/8", "10.0.0.1")) == {}


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (dockerd.request_pool("172.30.0.0"), "Pool '172.30.0.0'"),
        (dockerd.request_pool("172.30.0.0/33"), "Pool '172.30.0.0/33'"),
        (dockerd.request_pool("fd00::/64"), "IPv4"),
        (dockerd.request_pool("172.30.0.0/24", "172.31.0.0/24"), "172.31.0.0/24"),
        (dockerd.request_pool("172.30.0.0/24", "wide"), "SubPool 'wide'"),
        (dockerd.request_address("no pool"), "no pool"),
        (dockerd.release_address("pool", "here"), "Address 'here'"),
        (call("IpamDriver.RequestPool", AddressSpace=None), "AddressSpace"),
        (call("IpamDriver.ReleasePool", Pool="10.0.0.0/8"), "PoolID"),
    ],
    ids=repr,
)
def test_bad_requests_are_refused_with_the_field_and_the_value(
    request_: dockerd.Call, words: str
) -> None:
    assert words in Plugin().error(request_)


def test_addresses_outside_the_pool_or_given_out_are_refused() -> None:
    plugin = Plugin()
    pool = pool_of(plugin)
    assert "172.31.0.1" in plugin.error(dockerd.request_address(pool, "172.31.0.1"))
    plugin.ok(dockerd.request_address(pool, "172.30.0.1"))
    assert "172.30.0.1" in plugin.error(dockerd.request_address(pool, "172.30.0.1"))


def test_a_full_pool_says_so() -> None:
    plugin = Plugin()
    pool = pool_of(plugin, "172.30.0.0/30")
    plugin.ok(dockerd.request_address(pool))
    plugin.ok(dockerd.request_address(pool))
    assert "no address is left" in plugin.error(dockerd.request_address(pool))


def test_a_pool_that_overlaps_another_is_refused() -> None:
    plugin = Plugin()
    pool_of(plugin, "172.30.0.0/16")
    assert "overlaps" in plugin.error(dockerd.request_pool("172.30.5.0/24"))
