"""What a State asks of the kernel, object by object."""

from netaddr import IPAddress, IPNetwork
from tests.support.dockerd import docker_id
from tests.support.records import binding, endpoint, network, publication, state_of

from pyflat.addressing import InterfaceAddress
from pyflat.dataplane.desired import desired, desired_all
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
    Uplink,
    Veth,
)
from pyflat.model import Network, NetworkOptions, Record, Subnet
from pyflat.state import State

LAN = network("lan", "172.30.0.0/24", "fd00::/64", bridge="br-lan")
WEB = endpoint("web", LAN, "172.30.0.2/24", "fd00::2/64")
PORT = f"pv-{WEB.id[:12]}"
PORTS = publication(
    WEB,
    binding("0.0.0.0", 8080, "172.30.0.2"),
    binding("::", 8080, "fd00::2"),
    binding("127.0.0.1", 443, "172.30.0.2", 8443),
    binding("::1", 443, "fd00::2", 8443),
)
ALWAYS: set[Object] = {Table(family="inet"), DockerAccept(family="ip"), DockerAccept(family="ip6")}


def element(name: str, *match: str, data: tuple[str, ...] = ()) -> Element:
    return Element(family="inet", name=name, match=match, data=data)


def switch(path: str, value: str) -> Sysctl:
    family, name = path.split("/")
    return Sysctl(path=f"{family}/conf/br-lan/{name}", value=value, device="br-lan")


def objects_of(record: Record, *others: Record) -> set[Object]:
    """Give what one record asks for among others, apart from what is always there."""
    state = state_of(*others, record)
    return desired(state, [(record.kind, record.id)], ()) - ALWAYS


def test_an_empty_state_asks_for_the_rules_only() -> None:
    assert desired_all(State(), ()) == ALWAYS


def test_a_dual_stack_network() -> None:
    assert objects_of(LAN) == {
        Bridge(name="br-lan", mac="02:42:ac:1e:00:01", mtu=1500, owner=LAN.id),
        Address(device="br-lan", address=InterfaceAddress("172.30.0.1/24")),
        Address(device="br-lan", address=InterfaceAddress("fd00::1/64")),
        Forwarding(device="br-lan", version=4),
        Forwarding(device="br-lan", version=6),
        switch("ipv6/disable_ipv6", "0"),
        switch("ipv6/accept_ra", "0"),
        switch("ipv4/route_localnet", "1"),
        element("bridges", "br-lan"),
        element("inside", "br-lan", "br-lan"),
        element("local4", "br-lan", "172.30.0.0/24"),
        element("local6", "br-lan", "fd00::/64"),
        element("masq4", "ipv4", "172.30.0.0/24"),
        element("masq6", "ipv6", "fd00::/64"),
    }


def test_an_internal_network() -> None:
    inner = network("lan", "172.30.0.0/24", bridge="br-lan", internal=True)
    assert objects_of(inner) == {
        Bridge(name="br-lan", mac="02:42:ac:1e:00:01", mtu=1500, owner=inner.id),
        Address(device="br-lan", address=InterfaceAddress("172.30.0.1/24")),
        switch("ipv6/disable_ipv6", "1"),
        switch("ipv6/accept_ra", "0"),
        element("bridges", "br-lan"),
        element("inside", "br-lan", "br-lan"),
        element("internal", "br-lan"),
        element("local4", "br-lan", "172.30.0.0/24"),
    }


def test_options_of_a_network() -> None:
    options = NetworkOptions(mtu=1400, masquerade=False)
    objects = objects_of(network("lan", "172.30.0.0/24", bridge="br-lan", options=options))
    assert [o.mtu for o in objects if isinstance(o, Bridge)] == [1400]
    assert not any(isinstance(o, Element) and o.name == "masq4" for o in objects)


def test_a_network_without_gateways_has_a_bridge_without_addresses() -> None:
    bare = Network(
        id=docker_id("bare"),
        bridge="br-lan",
        subnets=(Subnet(cidr=IPNetwork("172.30.0.0/24")),),
    )
    objects = objects_of(bare)
    assert not any(isinstance(o, Address) for o in objects)
    assert element("local4", "br-lan", "172.30.0.0/24") in objects


def test_a_subnet_of_one_address_is_written_as_nftables_lists_it() -> None:
    objects = objects_of(network("lan", "10.0.0.7/32", "fd00::7/128", bridge="br-lan"))
    assert {element("masq4", "ipv4", "10.0.0.7"), element("masq6", "ipv6", "fd00::7")} <= objects


def test_an_endpoint() -> None:
    (pair,) = objects_of(WEB, LAN)
    assert pair == Veth(name=PORT, bridge="br-lan", mtu=1500, owner=WEB.id)
    assert isinstance(pair, Veth)
    assert (pair.peer, pair.mac, pair.made) == (f"pe-{WEB.id[:12]}", WEB.mac, False)


def test_a_pair_that_a_container_had_is_not_to_be_made_anew() -> None:
    for sandbox in ("/run/docker/netns/x", ""):
        (pair,) = objects_of(endpoint("web", LAN, sandbox=sandbox), LAN)
        assert isinstance(pair, Veth)
        assert pair.made


def test_a_publication() -> None:
    assert objects_of(PORTS, LAN, WEB) == {
        Table(family="hairpin"),
        Hairpin(port=PORT),
        Element(family="hairpin", name="mirror", match=(PORT, PORT)),
        HostPort(protocol="tcp", host=IPAddress("0.0.0.0"), port=8080),
        HostPort(protocol="tcp", host=IPAddress("::"), port=8080, relay=(IPAddress("fd00::2"), 80)),
        HostPort(protocol="tcp", host=IPAddress("127.0.0.1"), port=443),
        HostPort(
            protocol="tcp", host=IPAddress("::1"), port=443, relay=(IPAddress("fd00::2"), 8443)
        ),
        element("anyport4", "tcp", "8080", data=("172.30.0.2", "80")),
        element("anyport6", "tcp", "8080", data=("fd00::2", "80")),
        element("port4", "tcp", "127.0.0.1", "443", data=("172.30.0.2", "8443")),
    }


def test_a_way_out_is_opened_for_the_families_that_networks_have() -> None:
    uplink = Uplink(device="eth0")
    assert desired_all(State(), [uplink]) == ALWAYS | {element("uplinks", "eth0")}
    only4 = network("lan", "172.30.0.0/24")
    added = desired_all(state_of(only4), [uplink]) - desired_all(state_of(only4), ())
    assert added == {
        element("uplinks", "eth0"),
        element("opened", "ipv4", "eth0"),
        Forwarding(device="eth0", version=4),
    }


def test_a_way_out_that_is_open_anyway_is_not_closed_to_others() -> None:
    uplink = Uplink(device="eth0", routed=frozenset({4, 6}))
    added = desired_all(state_of(LAN), [uplink]) - desired_all(state_of(LAN), ())
    assert added == {
        element("uplinks", "eth0"),
        Forwarding(device="eth0", version=4),
        Forwarding(device="eth0", version=6),
    }


def test_an_internal_network_opens_no_way_out() -> None:
    inner = network("inner", "172.30.0.0/24", "fd00::/64", internal=True)
    added = desired_all(state_of(inner), [Uplink(device="eth0")]) - desired_all(state_of(inner), ())
    assert added == {element("uplinks", "eth0")}


def test_every_object_comes_from_one_record() -> None:
    state = state_of(LAN, WEB, PORTS, network("dmz", "172.31.0.0/24"))
    parts = [desired(state, [key], ()) - desired(state, (), ()) for key in keys_of(state)]
    assert sum(map(len, parts)) == len(set().union(*parts))
    assert set().union(*parts) == desired_all(state, ()) - desired(state, (), ())


def keys_of(state: State) -> list[tuple[str, str]]:
    return [(kind, identifier) for kind, table in state.tables.items() for identifier in table]
