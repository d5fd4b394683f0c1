"""What a swarm's managers and nodes ask, answered by plugins of scope global."""

import json
from typing import Any

import pytest
from tests.support import dockerd
from tests.support.dockerd import call, docker_id, swarm_id
from tests.support.plugin import Plugin

from pyflat.dataplane.overlay_objects import Flood, Vxlan
from pyflat.driver import swarm
from pyflat.peers import Allocation, Node, Peer

BLUE, RED, WEB = swarm_id("blue"), swarm_id("red"), docker_id("web")
OWN, SECOND, THIRD = "192.0.2.14", "192.0.2.12", "192.0.2.13"
POOL = "10.44.0.0/24"
GATEWAY = {"RequestAddressType": "com.docker.network.gateway"}
CREATE = dockerd.create_network(BLUE, POOL, labels={"vni": "1024"})


def manager(*calls: dockerd.Call) -> Plugin:
    return Plugin(*calls, scope="global")


def options(plugin: Plugin, network: str, *pools: str, **labels: str) -> dict[str, Any]:
    answer = plugin.ok(dockerd.allocate_network(network, *(pools or (POOL,)), **labels))
    found: dict[str, Any] = answer["Options"]
    return found


def flooded(plugin: Plugin) -> set[str]:
    return {str(o.vtep) for o in plugin.host.present() if isinstance(o, Flood)}


def request_global(pool: str = "") -> dockerd.Call:
    return dockerd.request_pool(pool, space="PyflatGlobal")


def test_docker_is_told_that_networks_are_the_swarms() -> None:
    assert manager().ask("NetworkDriver.GetCapabilities") == {
        "Scope": "global",
        "ConnectivityScope": "global",
        "GwAllocChecker": True,
    }


def test_every_option_comes_back_and_a_vni_of_the_networks_own() -> None:
    plugin = manager()
    labels = {"com.docker.network.driver.mtu": "1400", "antispoof": "true"}
    assert options(plugin, BLUE, **labels) == labels | {"vni": "1024"}
    assert options(plugin, RED, "10.45.0.0/24", vni="auto") == {"vni": "1025"}


def test_the_same_request_has_the_same_answer_also_after_a_restart() -> None:
    plugin = manager()
    first = options(plugin, BLUE, antispoof="true")
    plugin.host.restart()
    assert options(plugin, BLUE, antispoof="true") == first


def test_a_new_leader_keeps_what_the_last_one_has_answered() -> None:
    first, second = manager(), manager()
    options(first, RED, "10.45.0.0/24")
    answer = options(first, BLUE)
    assert answer == {"vni": "1025"}
    assert options(second, BLUE, **answer) == answer
    assert options(second, RED, "10.45.0.0/24") == {"vni": "1024"}
    assert options(second, swarm_id("green"), "10.46.0.0/24") == {"vni": "1026"}


def test_a_vni_that_was_asked_for_is_kept_and_no_other_networks() -> None:
    plugin = manager()
    assert options(plugin, BLUE, vni="42")["vni"] == "42"
    message = plugin.error(dockerd.allocate_network(RED, "10.45.0.0/24", vni="42"))
    assert message == f"vni 42 is already that of network {BLUE[:12]}"


def test_a_network_that_is_gone_leaves_its_vni_and_its_subnet() -> None:
    plugin = manager()
    options(plugin, BLUE)
    plugin.ok(dockerd.free_network(BLUE))
    assert not any(plugin.host.state.all(Allocation))
    assert options(plugin, RED) == {"vni": "1024"}


def test_hosts_may_be_listed_as_they_are_without_a_swarm() -> None:
    answer = options(manager(), BLUE, peers="192.0.2.12,192.0.2.13")
    assert answer == {"peers": "192.0.2.12,192.0.2.13", "vni": "1024"}


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"mtux": "1"}, "option mtux is not known"),
        ({"vni": "16777216"}, "option vni='16777216': must be a number from 1"),
        ({"dstport": "x"}, "option dstport='x': must be a number from 1 to 65535"),
        ({"direct": "true"}, "option direct: only a cluster"),
    ],
)
def test_a_manager_refuses_what_no_node_could_make(labels: dict[str, str], words: str) -> None:
    assert words in manager().error(dockerd.allocate_network(BLUE, POOL, **labels))


@pytest.mark.parametrize("pools", [(), ("fd46::/64",), (POOL, "fd46::/64"), (POOL, "10.45.0.0/24")])
def test_a_network_that_a_swarm_has_no_single_address_in_is_refused(pools: tuple[str, ...]) -> None:
    message = manager().error(dockerd.allocate_network(BLUE, *pools))
    assert "one --subnet, of IPv4" in message


def test_a_subnet_is_that_of_one_network() -> None:
    plugin = manager()
    options(plugin, BLUE)
    message = plugin.error(dockerd.allocate_network(RED, "10.44.0.128/25"))
    assert message == f"subnet 10.44.0.128/25 overlaps {POOL} of network {BLUE[:12]}"


def test_vnis_are_drawn_below_dockers_own_until_none_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert swarm.DRAWN[-1] < 4096
    monkeypatch.setattr(swarm, "DRAWN", range(1024, 1025))
    plugin = manager()
    options(plugin, BLUE)
    message = plugin.error(dockerd.allocate_network(RED, "10.45.0.0/24"))
    assert message == "no vni from 1024 to 1024 is left; say vni=NUMBER"


def test_nodes_are_peers_of_each_network_whichever_was_there_first() -> None:
    plugin = manager(dockerd.discover(OWN, own=True), dockerd.discover(SECOND), CREATE)
    assert flooded(plugin) == {SECOND}
    plugin.ok(dockerd.discover(THIRD))
    assert flooded(plugin) == {SECOND, THIRD}
    (tunnel,) = (o for o in plugin.host.present() if isinstance(o, Vxlan))
    assert (tunnel.vni, tunnel.learning, str(tunnel.local)) == (1024, True, OWN)
    plugin.ok(dockerd.delete_network(BLUE))
    assert not any(plugin.host.state.all(Peer))


def test_this_node_is_no_peer_whatever_address_it_is_known_by() -> None:
    plugin = manager(CREATE, dockerd.discover(SECOND), dockerd.discover("198.51.100.7", own=True))
    plugin.ok(dockerd.discover("198.51.100.7"))
    plugin.ok(dockerd.discover("198.51.100.7", gone=True))
    assert flooded(plugin) == {SECOND}
    plugin.ok(dockerd.discover(OWN, own=True))
    nodes = plugin.host.state.all(Node)
    assert {(str(node.address), node.own) for node in nodes} == {(OWN, True), (SECOND, False)}


def test_a_node_that_is_gone_is_noted_and_stays_for_a_while() -> None:
    plugin = manager(CREATE, dockerd.discover(SECOND))
    plugin.ok(dockerd.discover(SECOND, gone=True))
    plugin.ok(dockerd.discover(THIRD, gone=True))
    (node,) = plugin.host.state.all(Node)
    assert node.gone > 0
    assert flooded(plugin) == {SECOND}
    plugin.ok(dockerd.discover(SECOND))
    (node,) = plugin.host.state.all(Node)
    assert node.gone == 0


@pytest.mark.parametrize("scope", ["local", "global"])
def test_only_news_of_nodes_count_and_only_in_scope_global(scope: str) -> None:
    request = dockerd.discover(SECOND)
    kind = 1 if scope == "local" else 2
    other = call(
        "NetworkDriver.DiscoverNew", **(json.loads(request.body) | {"DiscoveryType": kind})
    )
    plugin = Plugin(other, scope=scope)
    assert not any(plugin.host.state.all(Node))


def test_an_overlay_that_no_manager_allocated_says_its_vni() -> None:
    plugin = manager()
    message = plugin.error(dockerd.create_network(BLUE, POOL, labels={"vni": "auto"}))
    assert "only a manager of a swarm draws it" in message


def test_a_manager_that_runs_tasks_has_the_subnet_in_both_spaces() -> None:
    plugin = manager()
    pool = plugin.ok(request_global())
    plugin.ok(dockerd.request_address(pool["PoolID"], "", GATEWAY))
    task = plugin.ok(dockerd.request_address(pool["PoolID"]))["Address"]
    options(plugin, BLUE, pool["Pool"])
    local = plugin.ok(dockerd.request_pool(pool["Pool"]))["PoolID"]
    gateway = str(plugin.ok(dockerd.request_address(local, "172.16.0.1", GATEWAY))["Address"])
    plugin.ok(dockerd.create_network(BLUE, pool["Pool"], labels={"vni": "1024"}))
    address = task.partition("/")[0]
    assert plugin.ok(dockerd.request_address(local, address))["Address"] == task
    plugin.ok(dockerd.create_endpoint(BLUE, WEB, task))
    assert gateway == "172.16.0.1/16"


def test_automatic_pools_of_a_swarm_and_of_the_host_keep_apart() -> None:
    plugin = manager()
    pools = [plugin.ok(request)["Pool"] for request in (request_global(), dockerd.request_pool())]
    assert len(set(pools)) == 2


def test_a_swarm_says_of_no_pool_that_it_is_ipv6() -> None:
    assert manager().ok(request_global("fd46::/64"))["Pool"] == "fd46::/64"


def test_the_second_pool_of_a_network_may_be_asked_for_with_an_address_type() -> None:
    request = dockerd.call(
        *("IpamDriver.RequestPool",), AddressSpace="PyflatGlobal", Pool=POOL, Options=GATEWAY
    )
    assert manager().ok(request)["Pool"] == POOL


def test_a_new_leader_gives_each_address_to_who_has_it_and_others_to_who_asks_for_any() -> None:
    plugin = manager()
    pool = plugin.ok(request_global("10.44.0.0/29"))["PoolID"]
    for _ in range(3):
        plugin.ok(dockerd.request_address(pool))
    assert plugin.ok(request_global("10.44.0.0/29"))["PoolID"] == pool
    for address in ("10.44.0.1", "10.44.0.2"):
        assert plugin.ok(dockerd.request_address(pool, address))["Address"] == f"{address}/29"
        assert "already given out" in plugin.error(dockerd.request_address(pool, address))
    given = [plugin.ok(dockerd.request_address(pool))["Address"] for _ in range(4)]
    # The third was released while another led: it is there when nothing else is left.
    assert given == [f"10.44.0.{n}/29" for n in (4, 5, 6, 3)]


def test_an_address_is_given_out_again_when_all_others_were() -> None:
    plugin = manager()
    pool = plugin.ok(request_global("10.44.0.0/30"))["PoolID"]
    for expected in ("10.44.0.1", "10.44.0.2", "10.44.0.1"):
        assert plugin.ok(dockerd.request_address(pool))["Address"] == f"{expected}/30"
        plugin.ok(dockerd.release_address(pool, expected))


def test_a_pool_is_released_at_once_however_many_leaders_asked_for_it() -> None:
    plugin = manager()
    for _ in range(3):
        pool = plugin.ok(request_global(POOL))["PoolID"]
        options(plugin, BLUE)
    plugin.ok(dockerd.free_network(BLUE))
    plugin.ok(dockerd.release_pool(pool))
    assert "not known" in plugin.error(dockerd.request_address(pool))


def test_who_is_refused_a_networks_subnet_does_not_release_it() -> None:
    plugin = manager()
    pool = plugin.ok(request_global(POOL))["PoolID"]
    options(plugin, BLUE)
    plugin.ok(request_global(POOL))
    plugin.error(dockerd.allocate_network(RED, POOL))
    plugin.ok(dockerd.release_pool(pool))
    assert plugin.ok(dockerd.request_address(pool))


def node(plugin: Plugin) -> str:
    """Give the pool of a node that is given a network, and a task in it."""
    pool: str = plugin.ok(dockerd.request_pool(POOL))["PoolID"]
    plugin.ok(dockerd.request_address(pool, "10.44.0.1", GATEWAY))
    plugin.ok(CREATE)
    plugin.ok(dockerd.request_address(pool, "10.44.0.2"))
    for request in dockerd.run(BLUE, WEB, "10.44.0.2/24"):
        plugin.ok(request)
    return pool


def test_a_docker_that_was_killed_gets_the_swarms_network_anew_and_nothing_is_left() -> None:
    plugin = manager()
    before = plugin.host.picture()
    node(plugin)
    plugin.host.kernel.vanish(f"pv-{WEB[:12]}")
    pool = node(plugin)
    for request in (*dockerd.stop(BLUE, WEB), dockerd.release_address(pool, "10.44.0.2")):
        plugin.ok(request)
    for request in (dockerd.release_pool(pool), dockerd.delete_network(BLUE)):
        plugin.ok(request)
    assert plugin.host.picture() == before


def test_a_network_of_a_swarm_with_a_living_container_is_kept() -> None:
    plugin = manager()
    pool = node(plugin)
    plugin.ok(dockerd.request_pool(POOL))
    assert "given out" in plugin.error(dockerd.request_address(pool, "10.44.0.1", GATEWAY))
