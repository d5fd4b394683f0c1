"""Whole command lines of docker as the requests that each engine makes of them."""

from collections.abc import Callable

import pytest
from tests.support import dockerd
from tests.support.dockerd import Call, docker_id
from tests.support.host import records_of
from tests.support.plugin import Plugin

from pyflat.dataplane.objects import Bridge, HostPort, Veth

LAN, DMZ = docker_id("lan"), docker_id("dmz")
WEB, WEB_AGAIN = docker_id("web"), docker_id("web again")
GATEWAY = {"RequestAddressType": "com.docker.network.gateway"}


def create_network(plugin: Plugin, release: str) -> str:
    """``docker network create -d pyflat --ipam-driver pyflat``; gives the pool's id."""
    plugin.ask("Plugin.Activate")
    plugin.ask("NetworkDriver.GetCapabilities")
    plugin.ask("IpamDriver.GetCapabilities")
    if release >= "28":
        request = dockerd.call("NetworkDriver.GwAllocCheck", Options=dockerd.network_options({}))
        plugin.ok(request)
    plugin.ask("IpamDriver.GetDefaultAddressSpaces")
    if release >= "28":
        plugin.ask("IpamDriver.GetDefaultAddressSpaces")
    pool = plugin.ok(dockerd.request_pool())
    gateway = plugin.ok(dockerd.request_address(pool["PoolID"], "", GATEWAY))["Address"]
    plugin.ok(
        dockerd.call(
            "NetworkDriver.CreateNetwork",
            NetworkID=LAN,
            Options=dockerd.network_options({}),
            IPv4Data=[{"AddressSpace": "PyflatLocal", "Pool": pool["Pool"], "Gateway": gateway}],
            IPv6Data=[],
        )
    )
    identifier: str = pool["PoolID"]
    return identifier


def run(plugin: Plugin, release: str, pool: str, endpoint: str, *ports: str) -> str:
    """``docker run -p``; gives the address."""
    options = {"com.docker.network.endpoint.name": "web"} if release == "29" else None
    address: str = plugin.ok(dockerd.request_address(pool, "", options))["Address"]
    plugin.ok(dockerd.create_endpoint(LAN, endpoint, address))
    plugin.ok(dockerd.join(LAN, endpoint, *ports))
    if release < "28":
        plugin.ok(dockerd.endpoint_info(LAN, endpoint))
    plugin.ok(dockerd.program(LAN, endpoint, *ports))
    plugin.ok(dockerd.endpoint_info(LAN, endpoint))
    return address


def stop(plugin: Plugin, pool: str, endpoint: str, address: str) -> None:
    """``docker stop``."""
    for request in dockerd.stop(LAN, endpoint):
        plugin.ok(request)
    plugin.ok(dockerd.release_address(pool, address.partition("/")[0]))


def remove_network(plugin: Plugin, pool: str, gateway: str) -> None:
    """``docker network rm``."""
    plugin.ok(dockerd.release_address(pool, gateway))
    plugin.ok(dockerd.release_pool(pool))
    plugin.ok(dockerd.delete_network(LAN))


@pytest.mark.parametrize("release", ["20.10", "28", "29"])
def test_a_networks_life_leaves_nothing_behind(release: str) -> None:
    plugin = Plugin()
    before = plugin.host.picture()
    pool = create_network(plugin, release)
    address = run(plugin, release, pool, WEB, "8080:80")
    assert address == "172.16.0.2/16"
    assert len(plugin.host.mappings()) == 1
    stop(plugin, pool, WEB, address)
    assert run(plugin, release, pool, WEB_AGAIN, "8080:80") == address
    stop(plugin, pool, WEB_AGAIN, address)
    remove_network(plugin, pool, "172.16.0.1")
    assert plugin.host.picture() == before


def test_a_refused_join_is_taken_down_twice_by_engine_29() -> None:
    plugin = Plugin(dockerd.create_network(LAN, "172.30.0.0/24"))
    before = plugin.host.picture()
    plugin.ok(dockerd.create_endpoint(LAN, WEB, "172.30.0.2/24"))
    for request in (
        dockerd.leave(LAN, WEB),
        dockerd.leave(LAN, WEB),
        dockerd.delete_endpoint(LAN, WEB),
    ):
        plugin.ok(request)
    assert plugin.host.picture() == before


def test_engine_29_programs_again_without_a_revoke() -> None:
    plugin = Plugin(
        dockerd.create_network(LAN, "172.30.0.0/24"),
        *dockerd.run(LAN, WEB, "172.30.0.2/24", "8080:80", "9000-9001:90", "70"),
    )
    before = plugin.host.picture()
    plugin.ok(dockerd.program(LAN, WEB, "8080:80", "9000-9001:90", "70"))
    assert plugin.host.picture() == before
    plugin.ok(dockerd.program(LAN, WEB, "8081:80"))
    assert {element.match for element in plugin.host.mappings()} == {("tcp", "8081")}


def test_ports_go_with_leave_alone_when_engine_29_forgets_to_revoke() -> None:
    plugin = Plugin(
        dockerd.create_network(LAN, "172.30.0.0/24"),
        *dockerd.run(LAN, WEB, "172.30.0.2/24", "8080:80"),
    )
    plugin.ok(dockerd.leave(LAN, WEB))
    assert not plugin.host.mappings()
    assert not any(isinstance(o, HostPort) for o in plugin.host.kernel.objects)


def test_the_pair_stays_from_leave_to_the_end_of_the_endpoint() -> None:
    plugin = Plugin(
        dockerd.create_network(LAN, "172.30.0.0/24"),
        *dockerd.run(LAN, WEB, "172.30.0.2/24"),
    )
    plugin.ok(dockerd.leave(LAN, WEB))
    assert any(isinstance(o, Veth) for o in plugin.host.kernel.objects)
    plugin.ok(dockerd.delete_endpoint(LAN, WEB))
    assert not any(isinstance(o, Veth) for o in plugin.host.kernel.objects)


def test_ports_move_to_the_network_that_becomes_the_gateway() -> None:
    plugin = Plugin(
        dockerd.create_network(LAN, "172.30.0.0/24"),
        dockerd.create_network(DMZ, "172.31.0.0/24"),
        *dockerd.run(LAN, WEB, "172.30.0.2/24", "8080:80"),
        dockerd.create_endpoint(DMZ, WEB_AGAIN, "172.31.0.2/24"),
        dockerd.join(DMZ, WEB_AGAIN, "8080:80"),
        dockerd.revoke(LAN, WEB),
        dockerd.program(DMZ, WEB_AGAIN, "8080:80"),
    )
    assert {element.data for element in plugin.host.mappings()} == {("172.31.0.2", "80")}


def forgotten_by_docker(plugin: Plugin) -> None:
    plugin.host.kernel.vanish(f"pv-{WEB[:12]}")


def back_at_home(plugin: Plugin) -> None:
    plugin.host.kernel.give_back(f"pv-{WEB[:12]}")


@pytest.mark.parametrize("end", [forgotten_by_docker, back_at_home])
def test_a_killed_dockerd_gets_address_and_ports_again_under_a_new_id(
    end: Callable[[Plugin], None],
) -> None:
    plugin = Plugin(
        dockerd.create_network(LAN, "172.30.0.0/24"),
        *dockerd.run(LAN, WEB, "172.30.0.2/24", "8080:80"),
    )
    end(plugin)
    for request in dockerd.run(LAN, WEB_AGAIN, "172.30.0.2/24", "8080:80"):
        plugin.ok(request)
    assert {r.id for r in records_of(plugin.host.state)} == {LAN, WEB_AGAIN}
    assert plugin.host.present() == plugin.host.wanted()


def test_what_dockerd_says_late_of_the_dead_does_not_hurt_the_living() -> None:
    plugin = Plugin(
        dockerd.create_network(LAN, "172.30.0.0/24"),
        *dockerd.run(LAN, WEB, "172.30.0.2/24", "8080:80"),
    )
    forgotten_by_docker(plugin)
    for request in dockerd.run(LAN, WEB_AGAIN, "172.30.0.2/24", "8080:80"):
        plugin.ok(request)
    before = plugin.host.picture()
    for request in dockerd.stop(LAN, WEB):
        plugin.ok(request)
    assert plugin.host.picture() == before


def test_a_living_container_keeps_its_address_and_its_ports() -> None:
    plugin = Plugin(
        dockerd.create_network(LAN, "172.30.0.0/24"),
        *dockerd.run(LAN, WEB, "172.30.0.2/24", "8080:80"),
    )
    message = plugin.error(dockerd.create_endpoint(LAN, WEB_AGAIN, "172.30.0.2/24"))
    assert "172.30.0.2" in message
    assert WEB[:12] in message
    plugin.ok(dockerd.create_endpoint(LAN, WEB_AGAIN, "172.30.0.3/24"))
    plugin.ok(dockerd.join(LAN, WEB_AGAIN))
    message = plugin.error(dockerd.program(LAN, WEB_AGAIN, "8080:80"))
    assert "8080/tcp" in message
    assert WEB[:12] in message


def test_a_network_that_is_deleted_with_endpoints_left_takes_them_along() -> None:
    plugin = Plugin()
    before = plugin.host.picture()
    create: tuple[Call, ...] = (
        dockerd.create_network(LAN, "172.30.0.0/24"),
        *dockerd.run(LAN, WEB, "172.30.0.2/24", "8080:80"),
    )
    for request in create:
        plugin.ok(request)
    plugin.ok(dockerd.delete_network(LAN))
    assert plugin.host.picture() == before
    assert not any(isinstance(o, Bridge | Veth) for o in plugin.host.kernel.objects)
