"""What State looks like to those who read it."""

from dataclasses import replace

import msgspec
from netaddr import IPAddress, IPNetwork
from tests.support.records import endpoint, network, state_of

from pyflat.addressing import Pool, pool_id
from pyflat.model import NetworkOptions, PortBinding, Publication
from pyflat.peers import Overlay, Peer, Remote, Tunnel
from pyflat.report.topology import ClusterView, Topology, topology
from pyflat.state import State

LAN = network("lan", "172.30.0.0/24", "fd30::/64", space="PyflatLocal")
WEB = replace(endpoint("web", LAN, "172.30.0.2/24", sandbox="/run/x"), names=("web", "www"))
PORT = PortBinding(
    protocol="tcp",
    host=IPAddress("0.0.0.0"),
    host_port=8080,
    container=IPAddress("172.30.0.2"),
    container_port=80,
)
END = Tunnel(
    device="eth0", address=IPAddress("192.0.2.1"), segment=IPNetwork("192.0.2.0/24"), mtu=1500
)
BLUE = replace(
    network("blue", "10.42.0.0/16", options=NetworkOptions(overlay=Overlay(vni=42))),
    tunnel=END,
    inside=True,
)


def shown(state: State) -> Topology:
    """A topology as it arrives at a reader."""
    made = topology(
        state,
        host="h1",
        version="1",
        namespace="/run/netns/pyflat",
        since=1795584417.5,
        cluster=ClusterView(name="etcd://h9:2379", leased=True, telling="", hearing="away"),
    )
    return msgspec.json.decode(msgspec.json.encode(made), type=Topology)


def test_the_host_is_shown_with_how_it_stands_with_its_cluster() -> None:
    host = shown(state_of())
    assert (host.host, host.since, host.networks, host.pools) == ("h1", 1795584417.5, (), ())
    assert host.cluster is not None
    assert (host.cluster.leased, host.cluster.hearing) == (True, "away")


def test_a_network_is_shown_with_its_containers_and_their_ports() -> None:
    pools = [
        Pool(id=pool_id("PyflatLocal", subnet.cidr), space="PyflatLocal", cidr=subnet.cidr)
        for subnet in LAN.subnets
    ]
    state = state_of(LAN, WEB, Publication(id=WEB.id, bindings=(PORT,)), *pools)
    (lan,) = shown(state).networks
    assert [subnet.gateway for subnet in lan.subnets] == ["172.30.0.1", "fd30::1"]
    (web,) = lan.endpoints
    assert (web.host_end, web.names, web.sandbox) == (WEB.host_end, ("web", "www"), "/run/x")
    (port,) = web.ports
    assert (port.host, port.host_port, port.container_port) == ("0.0.0.0", 8080, 80)
    assert [pool.size for pool in shown(state).pools] == [256, 2**53]
    assert lan.tunnel is None


def test_an_overlay_is_shown_with_its_tunnel_and_what_is_on_other_hosts() -> None:
    vtep = IPAddress("192.0.2.2")
    peer = Peer(vni=42, host="h2", vtep=vtep, blocks=(IPNetwork("10.42.1.0/24"),))
    remote = Remote(id="db", vni=42, host="h2", vtep=vtep, mac="02:00:00:00:00:02")
    (blue,) = shown(state_of(BLUE, peer, remote, Peer(vni=42, host="h3", vtep=None))).networks
    assert blue.inside
    assert blue.tunnel is not None
    assert (blue.tunnel.vni, blue.tunnel.underlay, blue.tunnel.clustered) == (42, "eth0", True)
    assert [(p.host, p.vtep, p.blocks) for p in blue.peers] == [
        ("h2", "192.0.2.2", ("10.42.1.0/24",)),
        ("h3", "", ()),
    ]
    assert [(r.id, r.host) for r in blue.remotes] == [("db", "h2")]
