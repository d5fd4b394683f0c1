"""Bridges, pairs and addresses in a real kernel; ``ip`` is the witness."""

import pytest
from tests.support import dockerd, witness
from tests.support.dockerd import docker_id, swarm_id
from tests.support.machine import Machine

from pyflat.dataplane.objects import Bridge, Veth
from pyflat.dataplane.plan import Step
from pyflat.errors import BackendError, Conflict

pytestmark = pytest.mark.quick

LAN, WEB, DB = docker_id("lan"), docker_id("web"), docker_id("db")
BRIDGE, HOST_END, CONTAINER_END = f"pf-{LAN[:12]}", f"pv-{WEB[:12]}", f"pe-{WEB[:12]}"
DUAL = dockerd.create_network(LAN, "172.30.0.0/24", "fd00::/64")
ENDPOINT = dockerd.create_endpoint(LAN, WEB, "172.30.0.2/24", "fd00::2/64")


def of_mtu(mtu: int) -> dockerd.Call:
    labels = {"com.docker.network.driver.mtu": str(mtu)}
    return dockerd.create_network(LAN, "172.30.0.0/24", labels=labels)


def test_a_networks_bridge_is_up_with_its_gateways_and_its_owner(machine: Machine) -> None:
    machine.send(DUAL)
    bridge = witness.links()[BRIDGE]
    assert bridge["linkinfo"]["info_kind"] == "bridge"
    assert bridge["ifalias"] == f"pyflat:network:{LAN}"
    assert bridge["address"] == "02:42:ac:1e:00:01"
    assert "UP" in bridge["flags"]
    assert set(witness.addresses(BRIDGE)) == {"172.30.0.1/24", "fd00::1/64"}


@pytest.mark.parametrize("identifier", [LAN, swarm_id("lan")])
def test_a_network_is_taken_down_without_a_trace(machine: Machine, identifier: str) -> None:
    before = witness.links(), witness.run("nft", "-j", "list", "ruleset")
    machine.send(
        dockerd.create_network(identifier, "172.30.0.0/24", "fd00::/64"),
        *dockerd.run(identifier, WEB, "172.30.0.2/24", "8080:80", v6="fd00::2/64"),
    )
    assert BRIDGE in witness.links() or identifier != LAN
    machine.send(*dockerd.stop(identifier, WEB), dockerd.delete_network(identifier))
    assert witness.eventually(lambda: witness.links() == before[0])
    assert witness.run("nft", "-j", "list", "ruleset") == before[1]


def test_ipv6_gateways_are_usable_at_once(machine: Machine) -> None:
    machine.send(DUAL)
    address = witness.addresses(BRIDGE)["fd00::1/64"]
    assert address["nodad"] is True
    assert not address.get("tentative")
    witness.run("ping", "-6", "-c", "1", "-W", "1", "fd00::1")


@pytest.mark.parametrize("mtu", [1280, 1400, 9000])
def test_the_mtu_stays_when_ports_come_and_go(machine: Machine, mtu: int) -> None:
    def mtus(*names: str) -> set[int]:
        return {witness.links()[name]["mtu"] for name in names}

    machine.send(of_mtu(mtu))
    assert mtus(BRIDGE) == {mtu}
    machine.send(dockerd.create_endpoint(LAN, WEB, "172.30.0.2/24"))
    assert mtus(BRIDGE, HOST_END, CONTAINER_END) == {mtu}
    machine.send(dockerd.delete_endpoint(LAN, WEB))
    assert witness.eventually(lambda: HOST_END not in witness.links())
    assert mtus(BRIDGE) == {mtu}
    # A smaller port of somebody else's would pull an automatic MTU down.
    witness.run("ip", "link", "add", "small", "mtu", "1280", "type", "veth")
    witness.run("ip", "link", "set", "small", "master", BRIDGE)
    assert mtus(BRIDGE) == {mtu}
    assert machine.pending() == []


@pytest.mark.parametrize("mtu", [68, 576, 1279])
def test_an_mtu_too_small_for_ipv6_is_fine_without_it(machine: Machine, mtu: int) -> None:
    machine.send(of_mtu(mtu), dockerd.create_endpoint(LAN, WEB, "172.30.0.2/24"))
    assert witness.links()[BRIDGE]["mtu"] == mtu
    assert set(witness.addresses(BRIDGE)) == {"172.30.0.1/24"}
    assert machine.pending() == []


def test_a_pair_has_its_macs_its_bridge_and_its_owner(machine: Machine) -> None:
    machine.send(DUAL, ENDPOINT)
    links = witness.links()
    host_end, container_end = links[HOST_END], links[CONTAINER_END]
    assert host_end["master"] == BRIDGE
    assert host_end["ifalias"] == f"pyflat:endpoint:{WEB}"
    assert "UP" in host_end["flags"]
    assert container_end["link"] == HOST_END
    assert container_end["address"] == "02:42:ac:1e:00:02"
    assert container_end["group"] == "default"
    assert "UP" not in container_end["flags"]


def test_a_chosen_mac_is_the_containers(machine: Machine) -> None:
    request = dockerd.create_endpoint(LAN, WEB, "172.30.0.2/24", mac="02:AA:00:00:00:01")
    machine.send(DUAL, request)
    assert witness.links()[CONTAINER_END]["address"] == "02:aa:00:00:00:01"


def test_published_ports_switch_hairpin_of_their_endpoint_only(machine: Machine) -> None:
    def hairpin(name: str) -> bool:
        state: bool = witness.links()[name]["linkinfo"]["info_slave_data"]["hairpin"]
        return state

    neighbour = dockerd.create_endpoint(LAN, DB, "172.30.0.3/24")
    machine.send(DUAL, *dockerd.run(LAN, WEB, "172.30.0.2/24", "8080:80"), neighbour)
    assert (hairpin(HOST_END), hairpin(f"pv-{DB[:12]}")) == (True, False)
    machine.send(dockerd.revoke(LAN, WEB))
    assert not hairpin(HOST_END)


@pytest.mark.parametrize("kind", ["veth", "bridge"])
def test_a_foreign_interface_with_the_bridges_name_is_left_alone(
    machine: Machine, kind: str
) -> None:
    witness.run("ip", "link", "add", "br-lan", "address", "02:00:00:00:00:99", "type", kind)
    before = witness.links()["br-lan"]
    labels = {"com.docker.network.bridge.name": "br-lan"}
    with pytest.raises(Conflict, match="br-lan"):
        machine.send(dockerd.create_network(LAN, "172.30.0.0/24", labels=labels))
    assert witness.links()["br-lan"] == before
    assert not witness.addresses("br-lan")
    assert machine.pending() == []


def test_a_foreign_interface_with_a_container_ends_name_is_left_alone(machine: Machine) -> None:
    machine.send(DUAL)
    witness.run("ip", "link", "add", CONTAINER_END, "type", "bridge")
    before = witness.links()
    with pytest.raises(BackendError, match=HOST_END):
        machine.send(ENDPOINT)
    assert witness.links() == before


@pytest.mark.parametrize("name", ["all", "default", "lo"])
def test_names_that_the_kernel_keeps_for_itself_are_refused(machine: Machine, name: str) -> None:
    labels = {"com.docker.network.bridge.name": name}
    before = witness.run("sysctl", "-a", "-r", r"^net\.ipv[46]\.conf\.(all|default|lo)\.")
    with pytest.raises((BackendError, Conflict)):
        machine.send(dockerd.create_network(LAN, "172.30.0.0/24", labels=labels))
    assert witness.run("sysctl", "-a", "-r", r"^net\.ipv[46]\.conf\.(all|default|lo)\.") == before


def pair(number: int) -> Veth:
    return Veth(
        name=f"pv-{number:012x}",
        bridge=BRIDGE,
        mtu=1500,
        owner=f"{number:064x}",
        peer=f"pe-{number:012x}",
        mac=f"02:42:00:00:00:{number:02x}",
    )


def test_many_pairs_go_at_once_and_nothing_else_does(machine: Machine) -> None:
    machine.send(DUAL)
    # One after the other they would take two seconds and more.
    pairs = [pair(number) for number in range(150)]
    machine.apply(Step("add", item) for item in pairs)
    witness.run("ip", "link", "add", "foreign", "type", "bridge")
    witness.run("ip", "link", "set", "foreign", "group", str(0x7066))
    assert len(witness.links()) == 303
    machine.apply(Step("delete", item) for item in pairs)
    assert witness.eventually(lambda: set(witness.links()) == {"lo", BRIDGE, "foreign"}, 1.0)


def test_an_endpoint_may_be_deleted_while_its_end_is_in_a_container(
    machine: Machine, container: str
) -> None:
    machine.send(DUAL, ENDPOINT)
    witness.run("ip", "link", "set", CONTAINER_END, "netns", container)
    machine.send(*dockerd.stop(LAN, WEB))
    assert witness.eventually(lambda: HOST_END not in witness.links())


def test_whereabouts_of_a_pair(machine: Machine, container: str) -> None:
    assert machine.kernel.whereabouts(HOST_END) == "gone"
    machine.send(DUAL, ENDPOINT)
    assert machine.kernel.whereabouts(HOST_END) == "home"
    witness.run("ip", "link", "set", CONTAINER_END, "netns", container)
    assert machine.kernel.whereabouts(HOST_END) == "away"


def test_a_bridge_that_stands_is_changed_to_what_is_wanted(machine: Machine) -> None:
    machine.send(DUAL)
    witness.run("ip", "link", "set", BRIDGE, "mtu", "1300", "address", "02:00:00:00:00:01", "down")
    machine.apply([Step("add", Bridge(name=BRIDGE, mac="02:42:ac:1e:00:01", mtu=1500, owner=LAN))])
    bridge = witness.links()[BRIDGE]
    assert (bridge["mtu"], bridge["address"]) == (1500, "02:42:ac:1e:00:01")
    assert "UP" in bridge["flags"]


def test_a_pair_that_comes_back_at_once_is_not_taken_for_the_one_that_went(
    machine: Machine,
) -> None:
    network, endpoint = docker_id("again"), docker_id("again and again")
    machine.send(dockerd.create_network(network, "172.30.9.0/24"))
    for _ in range(30):
        machine.send(dockerd.create_endpoint(network, endpoint, "172.30.9.2/24"))
        assert not witness.eventually(lambda: f"pv-{endpoint[:12]}" not in witness.links(), 0.05)
        machine.send(dockerd.delete_endpoint(network, endpoint))
