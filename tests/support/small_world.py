"""Requests about a world so small that they often get into each other's way."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

from hypothesis import strategies as st
from tests.support import dockerd
from tests.support.dockerd import Call, docker_id


class Pair(NamedTuple):
    """A request that makes something, and the one that takes it back."""

    do: Call
    undo: Call


#: Pairs that stand on each other: a network, an endpoint in it, its container, its ports.
Chain: TypeAlias = tuple[Pair, ...]

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
            (self._network("wide", f"172.{subnet}.0.0/16"),),
            *_addresses(f"10.{subnet}.0.0/24"),
        )
        self.pairs = tuple(dict.fromkeys(pair for chain in self.chains for pair in chain))
        self.calls = tuple(call for pair in self.pairs for call in pair)

    def sequences(self, longest: int) -> st.SearchStrategy[list[Pair]]:
        """Draw pairs so that each mostly finds what it stands on."""
        parts = st.tuples(st.sampled_from(self.chains), st.integers(1, 4))
        return st.lists(parts, max_size=longest).map(
            lambda drawn: [pair for chain, length in drawn for pair in chain[:length]]
        )

    def _network(self, name: str, *pools: str, internal: bool = False) -> Pair:
        network = docker_id(f"{self._tag} {name}")
        create = dockerd.create_network(network, *pools, internal=internal)
        return Pair(create, dockerd.delete_network(network))

    def _containers(
        self, name: str, v4: str, v6: str = "", *, internal: bool = False
    ) -> Iterator[Chain]:
        pools = [f"{v4}.0/24", f"{v6}:/64"] if v6 else [f"{v4}.0/24"]
        network = docker_id(f"{self._tag} {name}")
        base = self._network(name, *pools, internal=internal)
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
