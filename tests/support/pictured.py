"""A host with a network of its own and an overlay, as State and as the kernel has it."""

from dataclasses import replace
from typing import Any

from netaddr import IPAddress, IPNetwork
from tests.support.dockerd import docker_id
from tests.support.records import binding, endpoint, network, publication, state_of

from pyflat import naming
from pyflat.docker_api import Names
from pyflat.model import Endpoint, Network, NetworkOptions
from pyflat.peers import Overlay, Peer, Remote, Tunnel
from pyflat.report.rows import Naming
from pyflat.report.sight import Interface, Sight, Space
from pyflat.report.topology import ClusterView, Topology, topology
from pyflat.state import State

LAN = network("lan", "172.30.0.0/24", "fd30::/64")
BLUE = replace(
    network("blue", "10.42.0.0/16", options=NetworkOptions(overlay=Overlay(vni=42))),
    tunnel=Tunnel(
        device="eth0",
        address=IPAddress("192.0.2.11"),
        segment=IPNetwork("192.0.2.0/24"),
        mtu=1500,
    ),
    inside=True,
)
BACK = network("back", "10.99.0.0/24", internal=True)
WEB = replace(
    endpoint("web", LAN, "172.30.0.2/24", "fd30::2/64", sandbox="/var/run/docker/netns/aa"),
    names=("www",),
)
WEB_IN_BLUE = endpoint("web in blue", BLUE, "10.42.0.2/16", sandbox="/var/run/docker/netns/aa")
DB = endpoint("db", BLUE, "10.42.0.3/16", sandbox="/var/run/docker/netns/bb")
PORTS = publication(
    WEB,
    *(binding(host, 8080, inner) for host, inner in (("0.0.0.0", "172.30.0.2"), ("::", "fd30::2"))),
    *(binding("127.0.0.1", number, "172.30.0.2", number) for number in (7002, 7000, 7001)),
)
VTEP = IPAddress("192.0.2.12")
PEERS = (
    Peer(vni=42, host="h2", vtep=VTEP, blocks=(IPNetwork("10.42.1.0/24"),)),
    Peer(vni=42, host="h10", vtep=IPAddress("192.0.2.20"), expired=1795584417.0),
    Remote(
        id=docker_id("cache"),
        vni=42,
        host="h2",
        vtep=VTEP,
        mac="02:42:00:00:00:09",
        addresses=(IPAddress("10.42.1.2"),),
        names=("cache",),
    ),
)
NAMES = Naming(
    Names(
        networks={each.id: name for each, name in ((LAN, "lan"), (BLUE, "blue"), (BACK, "back"))},
        containers={WEB.id: "web", WEB_IN_BLUE.id: "web", DB.id: "db"},
    )
)
STATE = state_of(LAN, BLUE, BACK, WEB, WEB_IN_BLUE, DB, PORTS, *PEERS)


def shown(state: State = STATE, cluster: ClusterView | None = None) -> Topology:
    """Give the topology of a State."""
    return topology(
        state,
        host="h1",
        version="1.0",
        namespace="/run/netns/pyflat",
        since=1795584417.5,
        cluster=cluster,
    )


def interface(name: str, index: int, *addresses: str, **facts: Any) -> Interface:
    """Give an interface as the kernel may have it."""
    usual: dict[str, Any] = {"kind": "veth", "mac": "02:42:00:00:00:01", "mtu": 1500, "up": True}
    own = {"bridge": "", "lower": 0, "addresses": addresses}
    return Interface(name=name, index=index, **(usual | own | facts))


def pair(of: Endpoint, bridge: str, index: int, name: str) -> tuple[Interface, Interface]:
    """Give the two ends of a container's veth pair: ``index`` and the next."""
    addresses = map(str, of.addresses)
    port = interface(of.host_end, index, bridge=bridge, lower=index + 1)
    return port, interface(name, index + 1, *addresses, lower=index)


def bridge(of: Network, index: int) -> Interface:
    """Give a network's bridge with the host."""
    gateways = (str(subnet.gateway) for subnet in of.subnets if subnet.gateway)
    return interface(of.bridge, index, *gateways, kind="bridge")


def sight() -> Sight:
    """Give what is seen of that host."""
    web, in_web = pair(WEB, LAN.bridge, 11, "eth0")
    blue, in_blue = pair(WEB_IN_BLUE, BLUE.port_bridge, 5, "eth1")
    db, in_db = pair(DB, BLUE.port_bridge, 7, "eth0")
    uplink = interface("eth0", 2, "192.0.2.11/24", kind="")
    # Of the same number as another one elsewhere: an index is of its namespace only.
    gateway = interface(BLUE.bridge, 6, "10.42.0.1/16", lower=3)
    inside = (
        interface(BLUE.port_bridge, 2, kind="bridge"),
        interface(naming.gateway_port(BLUE.id), 3, bridge=BLUE.port_bridge, lower=6),
        interface(naming.vxlan(BLUE.id), 4, bridge=BLUE.port_bridge, kind="vxlan", lower=2),
    )
    return Sight(
        host=Space(interfaces=(uplink, bridge(LAN, 9), bridge(BACK, 10), web, gateway)),
        inside=Space(interfaces=(*inside, blue, db)),
        sandboxes={
            WEB.sandbox or "": Space(interfaces=(in_web, in_blue)),
            DB.sandbox or "": Space(interfaces=(in_db,)),
        },
        uplinks=("eth0",),
    )
