"""What a method of the API is: from State and a request to State and an answer."""

import time
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from netaddr import IPAddress, IPNetwork

from pyflat.api.messages import Request
from pyflat.driver.overlays import Site
from pyflat.model import Endpoint
from pyflat.state import State
from pyflat.wants import Unclaimed, Want

#: Seconds in which a request has to get what it wants of the cluster.
PATIENCE = 4.5

Answer: TypeAlias = Mapping[str, Any]
Result: TypeAlias = tuple[State, Answer]


class World(Protocol):
    """What a change has to ask that State does not hold."""

    def alive(self, endpoint: Endpoint) -> bool:
        """Say whether a container has the endpoint, or may be about to take it."""

    def away(self, endpoint: Endpoint) -> bool:
        """Say whether the endpoint's interface is in a container."""

    def free(self, protocol: str, host: IPAddress, port: int) -> bool:
        """Say whether a port of the host could be held now."""

    def occupied(self) -> Set[IPNetwork]:
        """Give the subnets and addresses that the host itself uses."""

    @property
    def site(self) -> Site:
        """Give this host as its overlays see it."""

    def ephemeral(self) -> range:
        """Give the ports of the host that are chosen from where nobody names one."""

    def now(self) -> float:
        """Give the Unix time."""


class Engine(World, Protocol):
    """The one that carries changes out."""

    def update(self, change: Callable[[State], Result]) -> Answer:
        """Carry out a change and give its answer, or raise PyflatError."""


class Claims(Protocol):
    """The one that asks the cluster."""

    def acquire(self, want: Want, until: float) -> None:
        """Have State hold what a change wants, by a moment of the monotonic clock."""


@dataclass(frozen=True, slots=True)
class Method:
    """One line of a method table: the type of the request, and what is done with it."""

    request: type[Request]
    handle: Callable[[State, Any, World], Result]


def carry_out(engine: Engine, claims: Claims | None, change: Callable[[State], Result]) -> Answer:
    """Carry out a change, and claim what it wants of the cluster outside of the engine's lock.

    Without a cluster that is refused. Raises PyflatError.
    """
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return engine.update(change)
        except Unclaimed as missing:
            if claims is None or time.monotonic() > until:
                raise
            claims.acquire(missing.want, until)
