"""The fake kernel is as strict as the real one, or the tests with it would prove little."""

from dataclasses import replace

import pytest
from netaddr import IPAddress, IPNetwork
from tests.support.fake_kernel import FakeKernel
from tests.support.fake_tables import DECLARATIONS, Declaration
from tests.support.host import ETH0

from pyflat.addressing import InterfaceAddress
from pyflat.dataplane.objects import (
    Address,
    Bridge,
    DockerAccept,
    Element,
    Forwarding,
    Hairpin,
    HostPort,
    Object,
    Sysctl,
    Table,
    Veth,
)
from pyflat.dataplane.overlay_objects import (
    Fdb,
    Flood,
    Gateway,
    GatewayPort,
    Neighbour,
    ProxyNeighbour,
    Route,
    Vxlan,
)
from pyflat.dataplane.plan import Step
from pyflat.errors import BackendError, Conflict

BRIDGE = Bridge(name="br", mac="02:", mtu=1500, owner="1")
PAIR = Veth(name="pv", bridge="br", mtu=1500, owner="2", peer="pe", mac="02:")
ADDRESS = Address(device="br", address=InterfaceAddress("10.0.0.1/24"))
SWITCH = Sysctl(path="ipv6/conf/br/disable_ipv6", value="1", device="br")
FORWARDING = Forwarding(device="br", version=4)
HAIRPIN = Hairpin(port="pv")
INET = Table(family="inet")
MEMBER = Element(family="inet", name="bridges", match=("br",))
MAPPING = Element(family="inet", name="anyport4", match=("tcp", "80"), data=("10.0.0.2", "80"))
ACCEPT = DockerAccept(family="ip")
INNER = replace(BRIDGE, name="pb", inside=True)
GATEWAY_PORT = GatewayPort(name="pg", bridge="pb", mtu=1500, gateway="pf")
GATEWAY = Gateway(name="pf", mac="02:", mtu=1500, owner="1")
VTEP = IPAddress("192.0.2.12")
TUNNEL = Vxlan(
    name="px",
    bridge="pb",
    vni=42,
    local=IPAddress("192.0.2.11"),
    port=4789,
    mtu=1450,
    owner="1",
    learning=False,
    underlay="eth0",
    inside=True,
)
FDB = Fdb(device="px", mac="02:", vtep=VTEP, inside=True)
FLOOD = Flood(device="px", vtep=VTEP, inside=True)
NEIGHBOUR = Neighbour(device="pb", address=IPAddress("10.0.0.9"), mac="02:", inside=True)
PROXY = ProxyNeighbour(device="pf", address=IPAddress("fd00::9"))
ROUTE = Route(destination=IPNetwork("10.0.0.8/29"), device="eth0", via=VTEP)
APART = (INNER, GATEWAY_PORT, GATEWAY, TUNNEL, FDB, FLOOD, NEIGHBOUR, PROXY, ROUTE)


def port(host: str, number: int = 80, protocol: str = "tcp") -> HostPort:
    return HostPort(protocol=protocol, host=IPAddress(host), port=number)


def subnet(cidr: str, name: str = "br") -> Element:
    return Element(family="inet", name="local4", match=(name, cidr))


def kernel_with(*objects: Object) -> FakeKernel:
    kernel = FakeKernel(ETH0)
    kernel.has_inside = True
    kernel.apply([Step("add", item) for item in objects])
    return kernel


@pytest.mark.parametrize(
    ("base", "item"),
    [
        ((), ADDRESS),
        ((), SWITCH),
        ((), FORWARDING),
        ((), PAIR),
        ((), HAIRPIN),
        ((BRIDGE,), HAIRPIN),
        ((), MEMBER),
        ((Table(family="bridge"),), MEMBER),
        ((INET,), Element(family="inet", name="unheard", match=("br",))),
        ((INET,), Element(family="inet", name="bridges", match=("br", "br"))),
        ((INET,), Element(family="inet", name="anyport4", match=("tcp", "80"))),
        (
            (INET, MAPPING),
            Element(family="inet", name="anyport4", match=("tcp", "80"), data=("10.0.0.3", "80")),
        ),
        ((INET, subnet("10.0.0.0/8")), subnet("10.1.0.0/16")),
        ((BRIDGE, SWITCH), Address(device="br", address=InterfaceAddress("fd00::1/64"))),
        ((BRIDGE,), Veth(name="pv", bridge="br", mtu=1500, owner="2", peer="pe", mac="01:")),
        ((BRIDGE,), Veth(name="pv", bridge="br", mtu=1500, owner="2")),
        (
            (BRIDGE,),
            Veth(name="pv", bridge="br", mtu=1, owner="2", peer="pe", mac="02:", made=True),
        ),
        ((BRIDGE,), replace(PAIR, inside=True)),
        ((), GATEWAY_PORT),
        ((INNER,), GATEWAY),
        ((), TUNNEL),
        ((INNER,), replace(TUNNEL, inside=False)),
        ((INNER,), replace(TUNNEL, underlay="eth7")),
        ((INNER, TUNNEL), replace(TUNNEL, name="px2")),
        ((INNER,), FDB),
        ((INNER,), FLOOD),
        ((INNER, TUNNEL), replace(FDB, inside=False)),
        ((INNER, TUNNEL), replace(FLOOD, vtep=IPAddress("2001:db8::12"))),
        ((), NEIGHBOUR),
        ((INNER,), replace(NEIGHBOUR, inside=False)),
        ((INNER,), PROXY),
        ((), replace(ROUTE, device="eth7")),
    ],
)
def test_nothing_can_stand_on_what_is_not_there_or_beside_what_it_excludes(
    base: tuple[Object, ...], item: Object
) -> None:
    kernel = kernel_with(*base)
    with pytest.raises(BackendError):
        kernel.apply([Step("add", item)])
    assert kernel.objects == set(base)


@pytest.mark.parametrize(
    ("held", "wanted", "collide"),
    [
        ("0.0.0.0", "127.0.0.1", True),
        ("127.0.0.1", "0.0.0.0", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("0.0.0.0", "::", False),
        ("::", "::1", True),
    ],
)
@pytest.mark.parametrize("foreign", [True, False])
def test_ports_collide_as_sockets_do(held: str, wanted: str, collide: bool, foreign: bool) -> None:
    kernel = kernel_with(*(() if foreign else (port(held),)))
    kernel.foreign_ports.update((port(held),) if foreign else ())
    assert kernel.free("tcp", IPAddress(wanted), 80) is not collide
    assert kernel.free("udp", IPAddress(wanted), 80)
    assert kernel.free("tcp", IPAddress(wanted), 81)
    if collide:
        with pytest.raises(Conflict):
            kernel.apply([Step("add", port(wanted))])
    else:
        kernel.apply([Step("add", port(wanted))])


def test_a_foreign_interface_is_a_conflict() -> None:
    with pytest.raises(Conflict):
        kernel_with(Bridge(name="docker0", mac="02:", mtu=1500, owner="1"))


def test_what_is_so_already_and_what_is_gone_are_success() -> None:
    everything = (BRIDGE, ADDRESS, SWITCH, PAIR, HAIRPIN, port("::"), INET, MEMBER, MAPPING, ACCEPT)
    kernel = kernel_with(*everything, *everything[:6], MEMBER, MAPPING, ACCEPT)
    assert kernel.objects == set(everything)
    for item in everything * 2:
        kernel.apply([Step("delete", item)])
    assert kernel.objects == set()


def test_a_bridge_takes_along_what_is_its_own_and_frees_its_ports() -> None:
    kernel = kernel_with(BRIDGE, ADDRESS, SWITCH, FORWARDING, PAIR, HAIRPIN)
    kernel.apply([Step("delete", BRIDGE)])
    assert kernel.objects == {Veth(name="pv", bridge="", mtu=1500, owner="2")}


def test_nothing_is_inside_where_there_is_no_namespace() -> None:
    with pytest.raises(BackendError):
        FakeKernel(ETH0).apply([Step("add", INNER)])


def test_a_tunnel_that_is_made_anew_has_lost_its_entries() -> None:
    kernel = kernel_with(*APART)
    kernel.apply([Step("add", TUNNEL)])
    assert kernel.objects == set(APART) - {FDB, FLOOD}


def test_an_inner_bridge_frees_its_ports_which_lose_what_they_have_as_such() -> None:
    kernel = kernel_with(*APART)
    kernel.apply([Step("delete", INNER)])
    freed = {replace(GATEWAY_PORT, bridge=""), replace(TUNNEL, bridge="")}
    assert kernel.objects == {*freed, GATEWAY, FLOOD, PROXY, ROUTE}


@pytest.mark.parametrize("end", [GATEWAY, GATEWAY_PORT])
def test_a_gateway_goes_with_its_port_and_what_is_on_it(end: Object) -> None:
    kernel = kernel_with(*APART)
    kernel.apply([Step("delete", end)])
    assert kernel.objects == set(APART) - {GATEWAY, GATEWAY_PORT, PROXY}


def test_a_pair_takes_its_switch_along_and_a_table_its_elements() -> None:
    kernel = kernel_with(BRIDGE, PAIR, HAIRPIN, INET, MEMBER, MAPPING)
    kernel.apply([Step("delete", PAIR), Step("delete", INET)])
    assert kernel.objects == {BRIDGE}


def test_a_table_that_is_added_again_is_empty() -> None:
    kernel = kernel_with(INET, MEMBER, MAPPING)
    kernel.apply([Step("add", INET), Step("add", MEMBER)])
    assert kernel.objects == {INET, MEMBER}


def test_neighbouring_firewall_steps_happen_together_or_not_at_all() -> None:
    kernel = kernel_with(INET)
    wrong = Element(family="inet", name="unheard", match=("br",))
    steps = [Step("add", BRIDGE), Step("add", MEMBER), Step("add", wrong), Step("add", ACCEPT)]
    assert len(kernel.copy().apply(steps, keep_going=True)) == 1
    with pytest.raises(BackendError):
        kernel.apply(steps)
    assert kernel.objects == {INET, BRIDGE}


def test_a_fault_comes_once_and_at_its_step() -> None:
    kernel = kernel_with()
    kernel.fail(2)
    steps = [Step("add", BRIDGE), Step("add", INET), Step("add", MEMBER), Step("add", PAIR)]
    with pytest.raises(BackendError, match="step 2"):
        kernel.apply(steps)
    assert not kernel.fault_is_pending
    assert kernel.objects == {BRIDGE}
    assert kernel.apply(steps) == []


def test_with_keep_going_the_rest_is_done_and_the_errors_are_given() -> None:
    kernel = kernel_with()
    kernel.fail(1)
    (error,) = kernel.apply([Step("add", BRIDGE), Step("add", INET)], keep_going=True)
    assert str(error) == "step 1 fails"
    assert kernel.objects == {INET}


def test_a_tampered_table_hides_its_elements() -> None:
    kernel = kernel_with(INET, MEMBER)
    kernel.tamper("inet")
    assert kernel.observe(()) == {Table(family="inet", intact=False)}


def test_switches_are_seen_only_where_they_are_wanted() -> None:
    kernel = kernel_with(BRIDGE, SWITCH, FORWARDING)
    other = Sysctl(path=SWITCH.path, value="0", device="br")
    assert kernel.observe(()) == {BRIDGE}
    assert kernel.observe({SWITCH, FORWARDING}) == {BRIDGE, SWITCH, FORWARDING}
    assert kernel.observe({other}) == {BRIDGE}


def test_a_copy_goes_its_own_way() -> None:
    kernel = kernel_with(BRIDGE, PAIR)
    twin = kernel.copy()
    kernel.take("pv")
    twin.vanish("pv")
    assert (kernel.whereabouts("pv"), twin.whereabouts("pv")) == ("away", "gone")
    kernel.give_back("pv")
    assert kernel.whereabouts("pv") == "home"


def test_the_end_of_a_process_lets_go_of_its_ports_only() -> None:
    kernel = kernel_with(BRIDGE, port("::"))
    kernel.end_process()
    assert kernel.objects == {BRIDGE}


def test_the_declarations_are_those_of_the_ruleset() -> None:
    assert DECLARATIONS["inet", "bridges"] == Declaration(match=1, data=0, interval=False)
    assert DECLARATIONS["inet", "local6"] == Declaration(match=2, data=0, interval=True)
    assert DECLARATIONS["inet", "port4"] == Declaration(match=3, data=2, interval=False)
    assert DECLARATIONS["hairpin", "mirror"] == Declaration(match=2, data=0, interval=False)
