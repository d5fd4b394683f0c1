"""Hosts of a cluster: the real client and control plane over fake kernels."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from netaddr import IPAddress
from tests.support import dockerd
from tests.support.dockerd import docker_id
from tests.support.fake_kernel import FakeKernel
from tests.support.host import ETH0, Host

from pyflat.overlay.access import Access, Addresses, read_access
from pyflat.overlay.cluster import Cluster
from pyflat.overlay.etcd import Etcd
from pyflat.overlay.upkeep import Upkeep
from pyflat.peers import Peer, Remote
from pyflat.state import State
from pyflat.store.base import Store
from pyflat.store.memory import MemoryStore

VNI = 42


def access(url: str) -> Access:
    """Give the access to a cluster that lets everybody in."""
    return read_access(url, ca="", certificate="", key="", user="", password_file="")


def eventually(holds: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


class Member:
    """A host of a cluster with the network ``blue``; its end of the tunnel is 192.0.2.NUMBER."""

    def __init__(
        self,
        url: str,
        number: int,
        *,
        name: str = "",
        identity: str = "",
        store: Store | None = None,
    ) -> None:
        self.name = name or f"h{number}"
        self.network = docker_id(f"blue on {number}")
        self.moves: list[tuple[int, str, str]] = []
        self.states: list[State] = []
        """Every State that it has had."""
        kernel = FakeKernel(ETH0)
        kernel.underlay = replace(kernel.underlay, address=IPAddress(f"192.0.2.{number}"))
        self.store = store or MemoryStore()
        self.access = access(url)
        self._identity = identity or str(number)
        self.host = Host(kernel=kernel, store=self.store, cluster=Addresses(self.access.endpoints))
        self.start()

    def start(self) -> None:
        """Join the cluster, as the plugin does at its start."""
        engine = self.host.engine
        engine.subscribe(lambda before, touched: self.states.append(engine.state))
        addresses = Addresses(self.access.endpoints)
        etcd = Etcd(self.access)
        self.cluster = Cluster(etcd, addresses, self.name, self._identity, engine, self._announce)
        self.upkeep = Upkeep(etcd, engine, self.name, self.cluster.lease)
        engine.site.leased = self.upkeep.leased
        engine.subscribe(self.upkeep.follow)
        self.host.claims = self.upkeep.claims
        self.cluster.start()
        self.upkeep.start()

    def end(self) -> None:
        """End its threads soon."""
        self.cluster.end()
        self.upkeep.stop()

    def restart(self) -> None:
        """End the plugin where it stands, and start it again."""
        self.end()
        self.host.restart()
        self.start()

    def create(self, vni: int = VNI) -> None:
        """Create the network, or one of another VNI."""
        subnet = f"10.{vni}.0.0/16"
        network = self.network if vni == VNI else docker_id(f"{vni} on {self.name}")
        call = dockerd.create_network(network, subnet, labels={"vni": str(vni)})
        self.host.send(call)

    def run(self, name: str, number: int = 2, mac: str = "") -> None:
        """Start a container with the address 10.42.0.NUMBER."""
        identifier = docker_id(name)
        address = f"10.42.0.{number}/16"
        self.host.send(dockerd.create_endpoint(self.network, identifier, address, mac=mac))
        self.host.send(dockerd.join(self.network, identifier))

    def remove(self, name: str) -> None:
        """Remove a container."""
        self.host.send(dockerd.leave(self.network, docker_id(name)))
        self.host.send(dockerd.delete_endpoint(self.network, docker_id(name)))

    def peers(self) -> set[str]:
        """Name the hosts that it knows and hears of."""
        return {peer.host for peer in self.host.state.all(Peer) if not peer.expired}

    def expired(self) -> set[str]:
        """Name the hosts that it knows and hears no more of."""
        return {peer.host for peer in self.host.state.all(Peer) if peer.expired}

    def remotes(self) -> dict[str, str]:
        """Tell which host has which address, by what this one knows."""
        remotes = self.host.state.all(Remote)
        return {str(address): r.host for r in remotes for address in r.addresses}

    def hears(self, **remotes: str) -> bool:
        """Say whether it knows exactly these containers: by ``n2="h1"``, 10.42.0.2 on h1."""
        return self.remotes() == {f"10.42.0.{k[1:]}": host for k, host in remotes.items()}

    def _announce(self, vni: int, address: IPAddress, mac: str) -> None:
        assert threading.current_thread() is not threading.main_thread()
        self.moves.append((vni, str(address), mac))
