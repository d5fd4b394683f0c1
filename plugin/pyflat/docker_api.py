"""The Docker Engine's own API. Never asked while dockerd waits for an answer of ours.

dockerd holds its locks while it calls a plugin: a question to it from there would never be
answered.
"""

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netaddr import AddrFormatError, IPAddress

from pyflat.errors import BackendError

_DEFAULT = "unix:///run/docker.sock"
_PIDFILE = Path("/run/docker.pid")

#: Seconds that one request for events is open: dockerd waits up to five for it when it ends.
_WINDOW = 1.0


def started() -> float:
    """Give the Unix time at which the present dockerd was started, 0 if there is none.

    By its pidfile: the socket may be systemd's, which is there before dockerd and would start it.
    """
    try:
        os.kill(int(_PIDFILE.read_text()), 0)
        return _PIDFILE.stat().st_mtime
    except (OSError, ValueError):
        return 0.0


def is_there() -> bool:
    """Say whether there is a dockerd to be asked, without starting one."""
    return bool(os.environ.get("DOCKER_HOST") or started())


def networks_of(driver: str) -> list[dict[str, Any]]:
    """Give what ``docker network inspect`` says of a driver's networks. Raises BackendError."""
    with _asking() as docker:
        networks = _client(docker).networks.list(filters={"driver": driver}, greedy=True)
        return [network.attrs for network in networks]


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What Docker calls networks, by their ids, and containers, by those of their endpoints."""

    networks: Mapping[str, str] = field(default_factory=dict)
    containers: Mapping[str, str] = field(default_factory=dict)


def names() -> Names:
    """Give the names of all networks and running containers. Raises BackendError."""
    with _asking() as docker, closing(_client(docker)) as client:
        networks = {network["Id"]: network["Name"] for network in client.api.networks()}
        containers = {}
        for container in client.api.containers():
            name = container["Names"][0].removeprefix("/") if container["Names"] else ""
            for connection in container["NetworkSettings"]["Networks"].values():
                containers[connection["EndpointID"]] = name
        return Names(networks=networks, containers=containers)


def running_containers() -> list[dict[str, Any]]:
    """Give what ``docker inspect`` says of each running container. Raises BackendError."""
    with _asking() as docker:
        return _running(_client(docker))


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """What Docker knows of the swarm that this host is a node of.

    ``own`` is the address that the others know this node by, ``here`` has the ids of the networks
    that it has. A manager knows all ``others`` that are not down, and the ids of all ``networks``
    of the swarm; a worker the nodes that have a network in common with it, and then ``networks``
    is None.
    """

    own: IPAddress
    others: frozenset[IPAddress]
    here: frozenset[str]
    networks: frozenset[str] | None = None


def membership(shared: Iterable[str]) -> Membership | None:
    """Ask for the swarm, and which networks of it this node has; None if it is no node of any.

    Raises BackendError if Docker does not answer, or is about to join or to find its managers.
    """
    with _asking() as docker:
        client = _client(docker)
        told = client.info()["Swarm"]
        if told["LocalNodeState"] == "inactive":
            return None
        if told["LocalNodeState"] != "active":
            raise BackendError(f"Docker's swarm is {told['LocalNodeState']}")
        own = IPAddress(told["NodeAddr"])
        gossip = {network: _peers(docker, client, network) for network in shared}
        texts = set().union(*gossip.values())
        networks = None
        if told["ControlAvailable"]:
            texts |= {_address_of(n) for n in client.api.nodes() if n["Status"]["State"] != "down"}
            networks = frozenset(network["Id"] for network in client.api.networks())
    others = frozenset(_addresses(texts)) - {own}
    here = frozenset(network for network, peers in gossip.items() if peers)
    return Membership(own=own, others=others, here=here, networks=networks)


def _peers(docker: Any, client: Any, network: str) -> set[str]:
    """Give the addresses of the nodes that gossip about a network, none if this one does not."""
    with suppress(docker.errors.NotFound):
        peers = client.api.inspect_network(network).get("Peers") or ()
        return {peer["IP"] for peer in peers}
    return set()


def _address_of(node: Mapping[str, Any]) -> str:
    """Give the address of a node; a manager's own is in the leader's list as 0.0.0.0."""
    managed: str = (node.get("ManagerStatus") or {}).get("Addr", "")
    return managed.rpartition(":")[0].strip("[]") or str(node["Status"].get("Addr"))


def _addresses(texts: Iterable[str]) -> Iterator[IPAddress]:
    for text in texts:
        with suppress(AddrFormatError, ValueError):
            if int(address := IPAddress(text)):
                yield address


def failed_starts() -> list[dict[str, Any]]:
    """Give what ``docker inspect`` says of each container that Docker could not start.

    Raises BackendError.
    """
    with _asking() as docker, closing(_client(docker)) as client:
        ended = {"status": ["created", "exited"]}
        found = client.containers.list(all=True, filters=ended, ignore_removed=True)
        return [container.attrs for container in found if container.attrs["State"]["Error"]]


class Feed:
    """What happens in Docker from the making of this object on, as ``filters`` choose.

    To be used by one thread. Everything raises BackendError if Docker does not answer.
    """

    def __init__(self, filters: Mapping[str, Sequence[str]]) -> None:
        self._filters = filters
        self._since = time.time()
        with _asking() as docker:
            self._client = _client(docker)

    def events(self) -> Iterator[dict[str, Any]]:
        """Give each event; ends when Docker does."""
        since = self._since
        while since <= time.time():
            until = time.time() + _WINDOW
            with _asking():
                yield from self._client.events(
                    since=since, until=until, filters=self._filters, decode=True
                )
            since = until  # later than now if Docker has ended

    def running(self) -> list[dict[str, Any]]:
        """See ``running_containers``."""
        with _asking():
            return _running(self._client)

    def container(self, identifier: str) -> dict[str, Any] | None:
        """Give what ``docker inspect`` says of a container, None if it is gone."""
        with _asking() as docker:
            try:
                found: dict[str, Any] = self._client.api.inspect_container(identifier)
            except docker.errors.NotFound:
                return None
            return found


@contextmanager
def _asking() -> Iterator[Any]:
    import docker  # late: it takes as long to import as the rest of the program

    try:
        yield docker
    except (docker.errors.DockerException, OSError) as error:
        raise BackendError(f"Docker does not answer at {_url()}: {error}") from error


def _client(docker: Any) -> Any:
    return docker.DockerClient(base_url=_url(), timeout=30)


def _running(client: Any) -> list[dict[str, Any]]:
    return [container.attrs for container in client.containers.list(ignore_removed=True)]


def _url() -> str:
    return os.environ.get("DOCKER_HOST") or _DEFAULT
