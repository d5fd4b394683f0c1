"""Our nftables tables and our rule among Docker's; ``nft`` and ``iptables`` are the witnesses."""

import pytest
from tests.support import dockerd, witness
from tests.support.dockerd import docker_id
from tests.support.machine import Machine

from pyflat.dataplane.objects import DockerAccept, Element, Table
from pyflat.dataplane.plan import Step
from pyflat.dataplane.ruleset import TABLES
from pyflat.errors import BackendError

pytestmark = pytest.mark.quick

LAN, WEB = docker_id("lan"), docker_id("web")
BRIDGE = f"pf-{LAN[:12]}"
RUNNING = (
    dockerd.create_network(LAN, "172.30.0.0/24", "fd00::/64"),
    *dockerd.run(
        LAN,
        WEB,
        "172.30.0.2/24",
        *("8080:80", "127.0.0.1:53:53/udp", "[::1]:9000:9000", "5000:5000/sctp"),
        v6="fd00::2/64",
    ),
)
ACCEPT = "-A DOCKER-USER -m mark --mark 0x20000000/0x20000000 -j ACCEPT"


def concat(*words: object) -> dict[str, list[object]]:
    return {"concat": list(words)}


def prefix(address: str, length: int) -> dict[str, dict[str, object]]:
    return {"prefix": {"addr": address, "len": length}}


def test_a_table_of_frames_is_there_only_while_ports_are_published(machine: Machine) -> None:
    assert witness.tables() & {*TABLES.values()} == {"inet pyflat"}
    machine.send(*RUNNING)
    assert witness.tables() & {*TABLES.values()} == {"inet pyflat", "bridge pyflat_hairpin"}
    machine.send(dockerd.revoke(LAN, WEB))
    assert witness.tables() & {*TABLES.values()} == {"inet pyflat"}


@pytest.mark.parametrize(
    "pools",
    [
        ["172.30.0.0/24", "fd00::/64"],
        ["10.0.0.0/25", "10.0.0.128/25"],
        ["10.0.0.4/30"],
        ["10.0.0.0/8", "2001:db8:0:0:1::/80"],
        ["10.9.8.7/32", "fd00::7/128"],
        ["10.0.0.0/31"],
        ["::ffff:1.2.3.0/120"],
        ["64:ff9b::/96", "1::/16"],
    ],
    ids=" ".join,
)
def test_what_was_made_is_read_back_the_same(machine: Machine, pools: list[str]) -> None:
    ends = [p.rpartition("/")[0] for p in pools]
    subnets = [{"Pool": p} for p in pools]
    request = dockerd.call(
        "NetworkDriver.CreateNetwork",
        NetworkID=LAN,
        Options=None,
        IPv4Data=[s for s, end in zip(subnets, ends, strict=True) if ":" not in end],
        IPv6Data=[s for s, end in zip(subnets, ends, strict=True) if ":" in end],
    )
    machine.send(request)
    assert machine.pending() == []
    machine.restart()
    assert machine.pending() == []


@pytest.mark.parametrize(
    "name", ["ip", "tcp", "set", "drop", "bridge", "inet", "10", "0x1f", "1.2.3.4", "-x", "a+b"]
)
def test_a_bridge_may_have_any_name_that_the_kernel_takes(machine: Machine, name: str) -> None:
    labels = {"com.docker.network.bridge.name": name}
    machine.send(
        dockerd.create_network(LAN, "172.30.0.0/24", labels=labels),
        *dockerd.run(LAN, WEB, "172.30.0.2/24", "8080:80"),
    )
    assert witness.elements("bridges") == [name]
    assert witness.elements("local4") == [concat(name, prefix("172.30.0.0", 24))]
    assert machine.pending() == []
    machine.send(dockerd.delete_network(LAN))
    for set_ in ("bridges", "inside", "local4", "masq4", "anyport4"):
        assert witness.elements(set_) == []
    assert machine.pending() == []


def test_a_running_container_is_read_back_the_same(machine: Machine) -> None:
    machine.send(*RUNNING)
    assert machine.pending() == []
    before = witness.ruleset()
    machine.engine.converge()
    assert witness.ruleset() == before


def test_a_transaction_happens_as_a_whole_or_not_at_all(machine: Machine) -> None:
    machine.send(*RUNNING)
    before = witness.ruleset()
    good = Element(family="inet", name="bridges", match=("br-good",))
    wrong = Element(family="inet", name="anyport4", match=("tcp", "8080"), data=("10.0.0.1", "1"))
    with pytest.raises(BackendError, match="File exists"):
        machine.apply([Step("add", good), Step("add", wrong)])
    assert witness.ruleset() == before


def test_removing_what_is_gone_does_not_keep_the_rest_from_happening(machine: Machine) -> None:
    machine.send(*RUNNING)
    gone = Element(family="inet", name="bridges", match=("br-gone",))
    there = Element(family="inet", name="bridges", match=(BRIDGE,))
    new = Element(family="inet", name="bridges", match=("br-new",))
    machine.apply([Step("delete", gone), Step("delete", there), Step("add", new)])
    assert witness.elements("bridges") == ["br-new"]
    machine.apply([Step("delete", gone), Step("add", new)])
    assert witness.elements("bridges") == ["br-new"]
    for _ in range(2):
        machine.apply([Step("delete", Table(family="hairpin"))])
    assert "bridge pyflat_hairpin" not in witness.tables()


TAMPERING = {
    "a rule is added": "insert rule inet pyflat forward accept",
    "a rule is added to a table of frames": "insert rule bridge pyflat_hairpin forward accept",
    "a chain is flushed": "flush chain inet pyflat enter",
    "a set is added": "add set inet pyflat more { type ifname; }",
    "the table is deleted": "delete table inet pyflat",
    "a table of frames is deleted": "delete table bridge pyflat_hairpin",
    "everything is flushed": "flush ruleset",
    "an element is deleted": "delete element inet pyflat anyport4 { tcp . 8080 }",
    "an element is added": "add element inet pyflat masq4 { ipv4 . 10.0.0.0/8 }",
    "an element is changed": (
        "delete element inet pyflat anyport4 { tcp . 8080 };"
        "add element inet pyflat anyport4 { tcp . 8080 : 10.0.0.1 . 1 }"
    ),
    "a set is flushed": "flush set inet pyflat bridges",
}


@pytest.mark.parametrize("command", TAMPERING.values(), ids=TAMPERING)
def test_a_converge_mends_what_somebody_did_to_our_tables(machine: Machine, command: str) -> None:
    machine.send(*RUNNING)
    before = witness.ruleset()
    witness.run("nft", command)
    assert witness.ruleset() != before
    machine.engine.converge()
    assert machine.pending() == []
    assert witness.ruleset() == before


def test_a_restart_replaces_the_tables_and_leaves_the_same(machine: Machine) -> None:
    machine.send(*RUNNING)
    before = witness.ruleset()
    machine.restart()
    assert witness.ruleset() == before


def test_tables_of_others_are_left_alone(machine: Machine) -> None:
    witness.run("nft", "add table inet foreign; add table ip pyflat; add chain inet foreign c")
    foreign = witness.run("nft", "list", "table", "inet", "foreign")
    machine.send(*RUNNING)
    machine.restart()
    machine.send(dockerd.delete_network(LAN))
    assert witness.run("nft", "list", "table", "inet", "foreign") == foreign
    assert "ip pyflat" in witness.tables()


@pytest.mark.parametrize("program", ["iptables", "ip6tables"])
def test_our_rule_is_in_dockers_chain_once(machine: Machine, program: str) -> None:
    for _ in range(2):
        machine.restart()
        machine.engine.converge()
    assert witness.rules(program, "DOCKER-USER") == [ACCEPT]


@pytest.mark.parametrize("program", ["iptables", "ip6tables"])
def test_what_others_have_in_dockers_chain_stays_above_ours(namespace: None, program: str) -> None:
    witness.run(program, "-N", "DOCKER-USER")
    witness.run(
        program,
        "-A",
        "DOCKER-USER",
        "-s",
        "10.0.0.1" if program == "iptables" else "fd00::1",
        "-j",
        "DROP",
    )
    witness.run(program, "-A", "DOCKER-USER", "-j", "RETURN")
    drop, last = witness.rules(program, "DOCKER-USER")
    machine = Machine()
    machine.engine.converge()
    assert witness.rules(program, "DOCKER-USER") == [drop, ACCEPT, last]
    machine.close()


@pytest.mark.parametrize(
    ("words", "rules"),
    [
        ("-F DOCKER-USER", [ACCEPT]),
        ("-I DOCKER-USER 1 -j DROP", ["-A DOCKER-USER -j DROP", ACCEPT]),
        ("-A DOCKER-USER -j DROP", ["-A DOCKER-USER -j DROP", ACCEPT]),
        ("-I DOCKER-USER 1 -j RETURN", [ACCEPT, "-A DOCKER-USER -j RETURN"]),
        ("-R DOCKER-USER 1 -j RETURN", [ACCEPT, "-A DOCKER-USER -j RETURN"]),
    ],
)
def test_a_converge_mends_dockers_chain(machine: Machine, words: str, rules: list[str]) -> None:
    witness.run("iptables", *words.split())
    machine.engine.converge()
    assert witness.rules("iptables", "DOCKER-USER") == rules


def test_what_stands_behind_a_return_is_as_good_as_not_there(machine: Machine) -> None:
    witness.run("iptables", "-A", "DOCKER-USER", "-j", "RETURN")
    witness.run("iptables", "-A", "DOCKER-USER", "-j", "DROP")
    machine.engine.converge()
    rules = [ACCEPT, "-A DOCKER-USER -j RETURN", "-A DOCKER-USER -j DROP"]
    assert witness.rules("iptables", "DOCKER-USER") == rules
    witness.run("iptables", "-D", "DOCKER-USER", "-j", "DROP")
    machine.engine.converge()
    assert witness.rules("iptables", "DOCKER-USER") == rules[:2]


def test_every_copy_of_our_rule_can_be_taken_back(machine: Machine) -> None:
    witness.run("iptables", *ACCEPT.split())
    witness.run("iptables", "-A", "DOCKER-USER", "-j", "RETURN")
    machine.apply([Step("delete", DockerAccept(family="ip"))])
    assert witness.rules("iptables", "DOCKER-USER") == ["-A DOCKER-USER -j RETURN"]
