"""What one host of an overlay has, no other has: every object of the kernel is of one record."""

from dataclasses import replace
from typing import Any

from netaddr import IPAddress, IPNetwork
from tests.support.dockerd import docker_id
from tests.support.host import Host
from tests.support.news import News
from tests.support.records import network

from pyflat.model import NetworkOptions
from pyflat.overlay.news import hear
from pyflat.peers import Overlay, Peer, Remote, Tunnel

VNI = 42
VTEP = IPAddress("192.0.2.12")
BLOCKS = tuple(map(IPNetwork, ("172.30.0.64/26", "172.30.0.128/26")))
TUNNEL = Tunnel(
    device="eth0",
    address=IPAddress("192.0.2.11"),
    segment=IPNetwork("192.0.2.0/24"),
    mtu=1500,
)


def host_that_knows(*records: Peer | Remote) -> Host:
    host = Host()
    overlay = NetworkOptions(overlay=Overlay(vni=VNI))
    blue = replace(network("blue", "172.30.0.0/24", options=overlay), tunnel=TUNNEL)
    host.engine.learn(lambda state: (state.put(blue), None))
    host.send_all(News(record) for record in records)
    return host


def tell(host: Host, name: str, **value: Any) -> None:
    changed = {f"networks/{VNI}/hosts/{name}": value}
    host.engine.learn(lambda state: hear(state, own="h1", changed=changed, now=0))


def test_a_host_with_a_new_name_is_not_two() -> None:
    peer = Peer(vni=VNI, host="old", vtep=VTEP)
    remote = Remote(id=docker_id("web"), vni=VNI, host="old", vtep=VTEP, mac="02:42:00:00:00:09")
    host = host_that_knows(peer, remote)
    tell(host, "new", vtep=str(VTEP), blocks=[])
    assert [peer.host for peer in host.state.all(Peer)] == ["new"]
    assert list(host.state.all(Remote)) == []
    assert host.present() == host.wanted()


def test_a_block_that_moves_is_not_of_two_hosts() -> None:
    host = host_that_knows(Peer(vni=VNI, host="h2", vtep=VTEP, blocks=BLOCKS))
    tell(host, "h3", vtep="192.0.2.13", blocks=[str(BLOCKS[0])])
    assert {p.host: p.blocks for p in host.state.all(Peer)} == {
        "h2": BLOCKS[1:],
        "h3": BLOCKS[:1],
    }
    tell(host, "h2", vtep=str(VTEP), blocks=[str(BLOCKS[1])])
    assert host.present() == host.wanted()
