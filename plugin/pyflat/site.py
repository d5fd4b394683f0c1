"""This host, as its overlays see it."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import TypeAlias

from netaddr import IPAddress

from pyflat.dataplane.kernel import Kernel
from pyflat.errors import PyflatError
from pyflat.model import Network
from pyflat.overlay.roster import listed
from pyflat.peers import Node, Overlay, Tunnel
from pyflat.state import State

Addresses: TypeAlias = Callable[[], tuple[IPAddress, ...]]


class Site:
    """Implements ``pyflat.driver.overlays.Site``.

    ``cluster`` gives the addresses where hosts agree on overlays, if they do. ``scope`` is what
    Docker is told: ``global`` for networks of a swarm.
    """

    def __init__(
        self, kernel: Kernel, cluster: Addresses | None = None, scope: str = "local"
    ) -> None:
        self._kernel = kernel
        self._cluster = cluster
        self._scope = scope
        self.leased: Callable[[], bool] = lambda: False
        """See ``Site.leased``; told by who asks the cluster."""

    def clustered(self) -> bool:
        """See ``Site.clustered``."""
        return self._cluster is not None

    def in_swarm(self) -> bool:
        """See ``Site.in_swarm``."""
        return self._scope == "global"

    def may_be_inside(self) -> bool:
        """See ``Site.may_be_inside``."""
        return self._kernel.may_be_inside()

    def tunnel(self, overlay: Overlay, nodes: Iterable[Node] = ()) -> Tunnel:
        """See ``Site.tunnel``."""
        if not overlay.swarm:
            return self._kernel.tunnel(overlay.underlay, self._others(overlay))
        by_self = {node.own: node.address for node in nodes}
        return self._kernel.tunnel(overlay.underlay, by_self.values(), by_self.get(True))

    def with_tunnels(self, state: State) -> State:
        """Give a State with its overlays' tunnels as this host has them now."""
        for identifier in list(state.ids("overlays")):
            network = state.require(Network, identifier)
            assert network.options.overlay is not None
            with suppress(PyflatError):  # while there is none, the last one may come back
                tunnel = self.tunnel(network.options.overlay, state.all(Node))
                state = state.put(replace(network, tunnel=tunnel))
        return state

    def name_servers(self) -> tuple[IPAddress, ...]:
        """See ``Site.name_servers``."""
        return self._kernel.name_servers()

    def _others(self, overlay: Overlay) -> Iterable[IPAddress]:
        if overlay.group:
            return (overlay.group,)
        if overlay.roster:
            return sorted(listed(overlay.roster))
        return overlay.peers or (self._cluster() if self._cluster else ())
