"""The order of steps: each finds what it stands on, and nothing is done in vain."""

from collections.abc import Iterable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from netaddr import IPAddress
from tests.support.host import Host
from tests.support.news import News
from tests.support.small_world import Pair, World

from pyflat.addressing import InterfaceAddress
from pyflat.dataplane.objects import (
    Address,
    Bridge,
    Element,
    Hairpin,
    HostPort,
    Object,
    Sysctl,
    Table,
    Veth,
)
from pyflat.dataplane.plan import Step, plan

HERE, THERE = World("here", 30), World("there", 30)
BRIDGE = Bridge(name="br", mac="02:", mtu=1500, owner="1")
PAIR = Veth(name="pv", bridge="br", mtu=1500, owner="2", peer="pe", mac="02:")
ADDRESS = Address(device="br", address=InterfaceAddress("10.0.0.1/24"))
SWITCH = Sysctl(path="ipv4/conf/br/route_localnet", value="1", device="br")
HAIRPIN = Hairpin(port="pv")
PORT = HostPort(protocol="tcp", host=IPAddress("0.0.0.0"), port=80)
INET, BRIDGE_TABLE = Table(family="inet"), Table(family="bridge")
MEMBER = Element(family="inet", name="bridges", match=("br",))
MAPPING = Element(family="inet", name="anyport4", match=("tcp", "80"), data=("10.0.0.2", "80"))
QUIET = Element(family="bridge", name="quiet", match=("pv",))
ALL: set[Object] = {
    *(BRIDGE, PAIR, ADDRESS, SWITCH, HAIRPIN, PORT),
    *(INET, BRIDGE_TABLE, MEMBER, MAPPING, QUIET),
}


def make(host: Host, pairs: Iterable[Pair]) -> None:
    """Send what makes; no container takes its interface, so that every pair may be made anew."""
    for pair in pairs:
        if isinstance(pair.do, News) or not pair.do.path.endswith("Join"):
            host.refusal(pair.do)


@given(HERE.sequences(8), THERE.sequences(8), st.booleans())
def test_steps_lead_from_any_state_to_any_other(
    here: list[Pair], there: list[Pair], inside: bool
) -> None:
    start, end = Host(inside=True), Host(inside=inside)
    make(start, here)
    make(end, there)
    present, wanted = start.kernel.objects, end.wanted()
    start.kernel.apply(plan(start.kernel.observe(wanted), wanted))
    assert start.kernel.observe(wanted) == wanted
    start.kernel.apply(plan(start.kernel.observe(present), start.wanted()))
    assert start.present() == start.wanted()


@given(HERE.sequences(8))
def test_what_stands_as_wanted_takes_no_step(pairs: list[Pair]) -> None:
    host = Host()
    make(host, pairs)
    assert plan(host.kernel.observe(host.wanted()), host.wanted()) == []


def test_things_are_made_from_the_ground_up_and_ports_first_of_all() -> None:
    made = [step.object for step in plan((), ALL)]
    assert set(made) == ALL
    for lower, upper in (
        *((PORT, BRIDGE), (BRIDGE, ADDRESS), (BRIDGE, SWITCH), (BRIDGE, PAIR), (PAIR, HAIRPIN)),
        *((SWITCH, ADDRESS), (INET, MEMBER), (INET, MAPPING), (BRIDGE_TABLE, QUIET)),
        (HAIRPIN, INET),
    ):
        assert made.index(lower) < made.index(upper)


def test_what_goes_with_its_interface_or_table_gets_no_step_of_its_own() -> None:
    steps = plan(ALL, ())
    assert {step.verb for step in steps} == {"delete"}
    assert {step.object for step in steps} == {BRIDGE, PAIR, PORT, INET, BRIDGE_TABLE}


def test_interfaces_go_last_pairs_before_bridges() -> None:
    steps = plan(ALL - {INET}, {INET})
    assert [step.object for step in steps][-2:] == [PAIR, BRIDGE]


def test_firewall_steps_stand_together() -> None:
    for steps in (plan((), ALL), plan(ALL, {INET}), plan(ALL, ())):
        kinds = [isinstance(step.object, Table | Element) for step in steps]
        changes = sum(one != other for one, other in pairwise(kinds))
        assert changes <= 2


def test_names_of_interfaces_and_tables_are_not_mixed_up() -> None:
    for name in ("inet", "bridge"):
        odd = Bridge(name=name, mac="02:", mtu=1500, owner="1")
        steps = plan({odd, INET, BRIDGE_TABLE, MEMBER, QUIET}, {INET, BRIDGE_TABLE})
        assert {step.object for step in steps} == {odd, MEMBER, QUIET}
        address = Address(device=name, address=InterfaceAddress("10.0.0.1/24"))
        steps = plan({odd, address, INET, BRIDGE_TABLE}, {odd})
        assert {step.object for step in steps} == {address, INET, BRIDGE_TABLE}


def test_a_port_is_let_go_before_one_that_collides_with_it_is_held() -> None:
    local = HostPort(protocol="tcp", host=IPAddress("127.0.0.1"), port=80)
    assert plan({PORT}, {local}) == [Step("delete", PORT), Step("add", local)]
    assert plan({local}, {PORT}) == [Step("delete", local), Step("add", PORT)]


def test_an_element_is_removed_before_another_takes_its_match() -> None:
    other = Element(family="inet", name="anyport4", match=("tcp", "80"), data=("10.0.0.3", "80"))
    assert plan({INET, MAPPING}, {INET, other}) == [Step("delete", MAPPING), Step("add", other)]


def test_what_differs_is_changed_in_place() -> None:
    wider = Bridge(name="br", mac="02:", mtu=9000, owner="1")
    assert plan({BRIDGE}, {wider}) == [Step("add", wider)]


def test_a_table_that_is_not_intact_is_replaced_with_all_its_elements() -> None:
    broken = Table(family="inet", intact=False)
    steps = plan({broken}, {INET, MEMBER, MAPPING})
    assert steps[0] == Step("add", INET)
    assert {step.object for step in steps} == {INET, MEMBER, MAPPING}


def test_a_pair_that_a_container_had_is_changed_but_never_made() -> None:
    had = Veth(name="pv", bridge="br", mtu=1500, owner="2", made=True)
    astray = Veth(name="pv", bridge="", mtu=1500, owner="2")
    assert plan({BRIDGE}, {BRIDGE, had}) == []
    assert plan({BRIDGE, astray}, {BRIDGE, had}) == [Step("add", had)]


def test_a_step_is_written_as_one_line() -> None:
    assert str(Step("add", HAIRPIN)) == "add hairpin pv"
