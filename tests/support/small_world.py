"""Requests about a world so small that they often get into each other's way."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

from hypothesis import strategies as st
from netaddr import IPAddress, IPNetwork
from tests.support import dockerd
from tests.support.dockerd import Call, docker_id, swarm_id
from tests.support.news import News, segment

from pyflat.peers import Peer, Remote


class Pair(NamedTuple):
    """A request that makes something, and the one that takes it back."""

    do: Call | News
    undo: Call | News


#: Pairs that stand on each other: a network, an endpoint in it, its container, its ports.
Chain: TypeAlias = tuple[Pair, ...]

ICC = "com.docker.network.bridge.enable_icc"
#: Other hosts: in the segment of this one, and behind a router.
HOSTS = {"near": "192.0.2.22", "far": "203.0.113.23"}
PORTS = (
    ("8080:80",),
    ("8080:81", "53:53/udp"),
    ("127.0.0.1:8080:80", "8080:80/udp"),
    ("9000-9001:80", "127.0.0.1:9000:81"),
    ("443:443", "80"),
    (),
)


class World:
    """Ids that depend on ``tag``, addresses that lie in ``172.subnet``."""

    def __init__(self, tag: str, subnet: int) -> None:
        self._tag = tag
        self._subnet = subnet
        self.chains = (
            *self._containers("lan", f"172.{subnet}.0"),
            *self._containers("dual", f"172.{subnet}.1", f"fd00:{subnet}:"),
            *self._containers("inner", f"172.{subnet}.2", internal=True),
            *self._overlay("listed", 3, peers="192.0.2.12,203.0.113.13"),
            *self._overlay("clustered", 4),
            *self._overlay("direct", 5, direct="true", antispoof="true"),
            *self._overlay("closed", 6, direct="true", **{ICC: "false"}),
            (self._network("wide", f"172.{subnet}.0.0/16"),),
            *self._allocations("blue", "red"),
            *_addresses(f"10.{subnet}.0.0/24"),
        )
        self.pairs = tuple(dict.fromkeys(pair for chain in self.chains for pair in chain))
        self.moves = tuple(move for pair in self.pairs for move in pair)
        self.calls = tuple(move for move in self.moves if isinstance(move, Call))

    def sequences(self, longest: int) -> st.SearchStrategy[list[Pair]]:
        """Draw pairs so that each mostly finds what it stands on."""
        parts = st.tuples(st.sampled_from(self.chains), st.integers(1, 4))
        return st.lists(parts, max_size=longest).map(
            lambda drawn: [pair for chain, length in drawn for pair in chain[:length]]
        )

    def _allocations(self, *names: str) -> Iterator[Chain]:
        """What a leader is asked for, and would be of another network with the same VNI."""
        for number, name in enumerate(names):
            network = swarm_id(f"{self._tag} {name}")
            pool = f"172.{self._subnet}.{number}.0/24"
            for labels in ({}, {"vni": str(self._subnet)}):
                do = dockerd.allocate_network(network, pool, **labels)
                yield (Pair(do, dockerd.free_network(network)),)

    def _network(
        self, name: str, *pools: str, internal: bool = False, labels: dict[str, str] | None = None
    ) -> Pair:
        network = docker_id(f"{self._tag} {name}")
        create = dockerd.create_network(network, *pools, internal=internal, labels=labels)
        return Pair(create, dockerd.delete_network(network))

    def _containers(
        self,
        name: str,
        v4: str,
        v6: str = "",
        *,
        internal: bool = False,
        labels: dict[str, str] | None = None,
    ) -> Iterator[Chain]:
        pools = [f"{v4}.0/24", f"{v6}:/64"] if v6 else [f"{v4}.0/24"]
        network = docker_id(f"{self._tag} {name}")
        base = self._network(name, *pools, internal=internal, labels=labels)
        for container, number in (("one", 2), ("two", 3), ("one again", 2)):
            endpoint = docker_id(f"{self._tag} {name} {container}")
            create = dockerd.create_endpoint(
                network, endpoint, f"{v4}.{number}/24", f"{v6}:{number}/64" if v6 else ""
            )
            for ports in PORTS:
                yield (
                    base,
                    Pair(create, dockerd.delete_endpoint(network, endpoint)),
                    Pair(dockerd.join(network, endpoint), dockerd.leave(network, endpoint)),
                    Pair(
                        dockerd.program(network, endpoint, *ports),
                        dockerd.revoke(network, endpoint),
                    ),
                )

    def _overlay(self, name: str, number: int, **labels: str) -> Iterator[Chain]:
        vni, v4 = self._subnet * 10 + number, f"172.{self._subnet}.{number}"
        v6 = f"fd00:{self._subnet}:{number}:"
        chains = tuple(self._containers(name, v4, v6, labels={"vni": str(vni), **labels}))
        clustered = "peers" not in labels
        given = (_segment(vni, v4, v6),) if clustered else ()
        # One container is enough: what makes an overlay is what is told of others.
        for chain in chains[: len(PORTS)]:
            yield *given, *chain
        if clustered:
            for host, vtep in HOSTS.items():
                yield *given, chains[0][0], *_news(vni, host, IPAddress(vtep), v4, v6)


def _segment(vni: int, v4: str, v6: str) -> Pair:
    """Give the VNI to this host."""
    given = segment(vni, f"{v4}.0/24", f"{v6}:/64")
    return Pair(News(given), News(given, gone=True))


def _news(vni: int, host: str, vtep: IPAddress, v4: str, v6: str) -> Iterator[Pair]:
    """Tell of a host and, one after the other, of what its endpoint is."""
    number = int(vtep) % 256
    block = IPNetwork(f"{v4}.{number}/32")
    addresses = IPAddress(f"{v4}.{number}"), IPAddress(f"{v6}:{number:x}")
    peer = Peer(vni=vni, host=host, vtep=vtep)
    remote = Remote(
        id=docker_id(f"{vni} {host}"), vni=vni, host=host, vtep=vtep, mac=f"02:42:00:00:00:{number}"
    )
    for record in (
        *(peer, replace(peer, blocks=(block,))),
        *(remote, replace(remote, addresses=addresses)),
    ):
        yield Pair(News(record), News(record, gone=True))


def _addresses(pool: str) -> Iterator[Chain]:
    identifier = f"PyflatLocal|{pool}"
    base = Pair(dockerd.request_pool(pool), dockerd.release_pool(identifier))
    for number in (1, 2):
        address = f"{pool.removesuffix('0/24')}{number}"
        request = dockerd.request_address(identifier, address)
        yield base, Pair(request, dockerd.release_address(identifier, address))


def places_of(value: Any) -> Iterator[tuple[Any, Any]]:
    """Give every container within a value with each of its keys."""
    keys: Iterable[Any] = value if isinstance(value, dict) else ()
    if isinstance(value, list):
        keys = range(len(value))
    for key in keys:
        yield value, key
        yield from places_of(value[key])
