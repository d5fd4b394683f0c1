"""After crashes and under other hands: ours is put right, the rest is left alone."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support import dockerd, witness
from tests.support.dockerd import docker_id
from tests.support.host import records_of
from tests.support.machine import Machine

pytestmark = pytest.mark.quick

LAN, WEB = docker_id("lan"), docker_id("web")
BRIDGE, HOST_END, CONTAINER_END = f"pf-{LAN[:12]}", f"pv-{WEB[:12]}", f"pe-{WEB[:12]}"
RUNNING = (
    dockerd.create_network(LAN, "172.30.0.0/24", "fd00::/64"),
    *dockerd.run(LAN, WEB, "172.30.0.2/24", "8080:80", v6="fd00::2/64"),
)


def run_in(container: str, machine: Machine) -> None:
    """Have a container that has its interface."""
    machine.send(*RUNNING[:2])
    witness.run("ip", "link", "set", CONTAINER_END, "netns", container)
    machine.send(*RUNNING[2:])


def test_a_restart_with_nothing_to_do_changes_no_interface(
    machine: Machine, container: str
) -> None:
    run_in(container, machine)
    links, addresses = witness.links(), witness.addresses(BRIDGE)
    machine.restart()
    assert machine.pending() == []
    assert witness.addresses(BRIDGE) == addresses
    for name, link in witness.links().items():
        assert link == links[name]


@pytest.mark.parametrize("name", ["pv-0123456789ab", "pf-0123456789ab"])
def test_a_leftover_without_a_record_is_removed(machine: Machine, name: str) -> None:
    machine.send(*RUNNING)
    before = set(witness.links())
    kind = ("bridge",) if name.startswith("pf-") else ("veth", "peer", "name", "pe-0123456789ab")
    witness.run("ip", "link", "add", name, "type", *kind)
    machine.restart()
    assert witness.eventually(lambda: set(witness.links()) == before)


def test_a_leftover_with_a_name_of_the_users_is_known_by_its_owner(machine: Machine) -> None:
    witness.run("ip", "link", "add", "br-lan", "type", "bridge")
    witness.run("ip", "link", "set", "br-lan", "alias", "pyflat:network:0123")
    machine.engine.converge()
    assert "br-lan" not in witness.links()


def test_what_others_have_made_is_left_alone(machine: Machine) -> None:
    machine.send(*RUNNING)
    for name, kind in (
        ("br0", ("bridge",)),
        ("pf-lan", ("bridge",)),
        ("pv-x", ("veth", "peer", "name", "pe-x")),
        ("docker0", ("bridge",)),
    ):
        witness.run("ip", "link", "add", name, "type", *kind)
    witness.run("ip", "link", "set", "pv-x", "master", "docker0")
    witness.run("ip", "address", "add", "10.0.0.1/24", "dev", "br0")
    names = ("br0", "pf-lan", "pv-x", "pe-x", "docker0")
    before = {name: witness.links()[name] for name in names}
    machine.restart()
    machine.send(*dockerd.stop(LAN, WEB), dockerd.delete_network(LAN))
    assert witness.eventually(lambda: HOST_END not in witness.links())
    assert {name: witness.links()[name] for name in names} == before
    assert set(witness.addresses("br0")) == {"10.0.0.1/24"}


def bridge_deleted() -> None:
    witness.run("ip", "link", "delete", BRIDGE)


def bridge_down() -> None:
    witness.run("ip", "link", "set", BRIDGE, "mtu", "1400", "address", "02:00:00:00:00:01")


def address_deleted() -> None:
    witness.run("ip", "address", "flush", "dev", BRIDGE)


def address_added() -> None:
    witness.run("ip", "address", "add", "10.0.0.1/24", "dev", BRIDGE)


def port_freed() -> None:
    witness.run("ip", "link", "set", HOST_END, "nomaster")


def hairpin_off() -> None:
    witness.run("ip", "link", "set", HOST_END, "type", "bridge_slave", "hairpin", "off")


def switch_turned() -> None:
    Path(f"/proc/sys/net/ipv4/conf/{BRIDGE}/route_localnet").write_text("0")


@pytest.mark.parametrize(
    "harm",
    [
        bridge_deleted,
        bridge_down,
        address_deleted,
        address_added,
        port_freed,
        hairpin_off,
        switch_turned,
    ],
)
def test_a_converge_puts_right_what_somebody_did_to_our_interfaces(
    machine: Machine, container: str, harm: Callable[[], None]
) -> None:
    run_in(container, machine)
    harm()
    assert machine.pending() != []
    machine.engine.converge()
    assert machine.pending() == []
    links = witness.links()
    assert links[HOST_END]["master"] == BRIDGE
    assert links[HOST_END]["linkinfo"]["info_slave_data"]["hairpin"]
    assert (links[BRIDGE]["mtu"], links[BRIDGE]["address"]) == (1500, "02:42:ac:1e:00:01")
    assert set(witness.addresses(BRIDGE)) == {"172.30.0.1/24", "fd00::1/64"}
    assert Path(f"/proc/sys/net/ipv4/conf/{BRIDGE}/route_localnet").read_text() == "1\n"


def test_a_pair_that_ended_with_its_container_takes_its_records_along(
    machine: Machine, container: str
) -> None:
    run_in(container, machine)
    witness.run("ip", "-n", container, "link", "delete", CONTAINER_END)
    machine.restart()
    assert {record.kind for record in records_of(machine.engine.state)} == {"network"}
    assert witness.elements("anyport4") == []
    assert "bridge pyflat_hairpin" not in witness.tables()


def test_a_pair_in_a_container_outlives_restarts(machine: Machine, container: str) -> None:
    run_in(container, machine)
    for _ in range(3):
        machine.restart()
    assert len(list(records_of(machine.engine.state))) == 3
    assert machine.kernel.whereabouts(HOST_END) == "away"


def test_a_pair_that_was_made_but_not_yet_named_ours_is_taken_up(machine: Machine) -> None:
    machine.send(*RUNNING)
    witness.run("ip", "link", "set", HOST_END, "alias", "")
    machine.restart()
    assert witness.links()[HOST_END]["ifalias"] == f"pyflat:endpoint:{WEB}"
    assert CONTAINER_END in witness.links()
