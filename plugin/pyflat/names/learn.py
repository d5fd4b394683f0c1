"""Learns from Docker what its containers are called."""

import logging
import threading
import time
from collections.abc import Mapping, Set
from contextlib import suppress
from pathlib import Path
from typing import Any

from pyflat import docker_api
from pyflat.driver.endpoints import name_endpoint
from pyflat.errors import BackendError
from pyflat.model import Endpoint, Key, Network
from pyflat.names import hosts
from pyflat.names.serve import Engine
from pyflat.state import State

log = logging.getLogger(__name__)

#: Seconds between two attempts to reach Docker.
RETRY = 1.0
#: Seconds that Docker may take to come before its absence is told of.
PATIENCE = 60.0

#: A container that is being started is in no list yet, and up to Engine 27 connected already.
_EVENTS = {"type": ["container", "network"], "event": ["start", "rename", "connect"]}

Facts = Mapping[str, Any]


class Learning:
    """A thread that follows Docker's events, as soon as this host has an overlay.

    Docker is asked from here only: while it calls the plugin, it answers no questions.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._needed = threading.Event()
        self._hinted: set[str] = set()
        self._silent_since: float | None = None

    def start(self) -> None:
        """Begin; the engine must have read its State."""
        self._engine.subscribe(self._notice)
        self._notice(State(), frozenset())
        threading.Thread(target=self._run, name="learn", daemon=True).start()

    def _notice(self, _: State, __: Set[Key]) -> None:
        if any(self._engine.state.ids("overlays")):
            self._needed.set()

    def _run(self) -> None:
        while self._needed.wait():
            try:
                self._follow()
            except BackendError as error:
                self._complain(error)
            except Exception:
                # A thread that ends would learn nothing any more.
                log.warning("names of containers may be missing", exc_info=True)
            time.sleep(RETRY)

    def _follow(self) -> None:
        """Learn all names, and then those of each event until Docker ends."""
        if not docker_api.is_there():
            raise BackendError("Docker does not run")
        feed = docker_api.Feed(_EVENTS)
        self._silent_since = None
        for container in feed.running():
            self._learn(container)
        for event in feed.events():
            actor = event["Actor"]
            identifier = actor["Attributes"].get("container", actor["ID"])
            if event["Type"] == "container" or self._is_overlay(actor["ID"]):
                found = feed.container(identifier)
                if found is not None:
                    self._learn(found)

    def _complain(self, error: BackendError) -> None:
        """Tell of what lasts, once."""
        now = time.monotonic()
        if self._silent_since is None:
            self._silent_since = now
        if self._silent_since <= now - PATIENCE:
            log.warning("other hosts do not find the containers of this one by name: %s", error)
            self._silent_since = float("inf")

    def _is_overlay(self, identifier: str) -> bool:
        network = self._engine.state.get(Network, identifier)
        return network is not None and hosts.has_names(network)

    def _learn(self, container: Facts) -> None:
        for connection in container["NetworkSettings"]["Networks"].values():
            endpoint = self._engine.state.get(Endpoint, connection["EndpointID"])
            if endpoint is not None and self._is_overlay(endpoint.network):
                self._name(endpoint.id, names_of(container, connection))
                self._hint(container, endpoint)

    def _name(self, identifier: str, names: tuple[str, ...]) -> None:
        self._engine.update(
            lambda state: (name_endpoint(state, identifier=identifier, names=names), None)
        )

    def _hint(self, container: Facts, endpoint: Endpoint) -> None:
        """Say once for a network why its containers do not find those of other hosts."""
        network = self._engine.state.require(Network, endpoint.network)
        reason = obstacle(container, network, endpoint)
        if reason and network.id not in self._hinted:
            self._hinted.add(network.id)
            log.warning(
                "containers of network %s do not find those of other hosts by name: %s; "
                "start them with --dns %s",
                network.id[:12],
                reason,
                next(hosts.gateways(network), "and a server's address"),
            )


def names_of(container: Facts, connection: Facts) -> tuple[str, ...]:
    """Give what Docker's own resolver calls a container in a network (Engine 26 lists it)."""
    names = connection.get("DNSNames") or (
        container["Name"].removeprefix("/"),
        *(connection["Aliases"] or ()),
        container["Id"][:12],
        container["Config"]["Hostname"],
    )
    return tuple(dict.fromkeys(names))


def obstacle(container: Facts, network: Network, endpoint: Endpoint) -> str:
    """Say why a container's questions for names do not come by the network's gateway, "" if so."""
    told = container["HostConfig"]["Dns"] or ()  # null if compose made the container
    if any(str(gateway) in told for gateway in hosts.gateways(network)):
        return ""
    if network.internal:
        return "from an internal network no name server is reached"
    if network.options.ports == "docker":
        return "with ports=docker they ask by way of docker_gwbridge"
    if _asks_from_host(Path(container["ResolvConfPath"]), endpoint):
        return "Docker asks its name servers from the host"
    return ""


def _asks_from_host(resolv_conf: Path, endpoint: Endpoint) -> bool:
    """Say whether Docker's resolver asks from the host's namespace, and not from the container's.

    Since Engine 26 it notes that in the container's file (moby ``libnetwork/internal/resolvconf``).
    Before, it does so for loopback addresses only.
    """
    with suppress(OSError):
        for line in resolv_conf.read_text().splitlines():
            if line.startswith("# ExtServers: "):
                return "[host(" in line
    return bool(endpoint.servers) and endpoint.servers[0].is_loopback()
