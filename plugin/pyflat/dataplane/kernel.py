"""What the engine asks of a kernel, real or made up."""

from collections.abc import Iterable, Sequence
from typing import Literal, Protocol

from netaddr import IPAddress

from pyflat.dataplane.objects import Forwarding, Object, Surroundings
from pyflat.dataplane.plan import Step
from pyflat.errors import PyflatError
from pyflat.peers import Tunnel


class Kernel(Protocol):
    """One host's kernel. To be called by one thread at a time."""

    def apply(self, steps: Sequence[Step], *, keep_going: bool = False) -> list[PyflatError]:
        """Carry out steps in their order.

        What is so already is success. The first failure is raised (Conflict or BackendError);
        with ``keep_going`` failures are collected and returned instead, and the rest is done.
        """

    def observe(self, wanted: Iterable[Object]) -> set[Object]:
        """Read every object of ours. Switches are read only where they are wanted."""

    def whereabouts(self, host_end: str) -> Literal["gone", "home", "away"]:
        """Tell where the other end of a pair is: in a container (away), or with us (home)."""

    def is_pinned(self, sandbox: str) -> bool:
        """Say whether a container's namespace still hangs on its path."""

    def has_untold_drift(self) -> bool:
        """Say whether something is amiss that the kernel sends no notifications of."""

    def stands(self, item: Forwarding) -> bool:
        """Say whether an interface forwards."""

    def free(self, protocol: str, host: IPAddress, port: int) -> bool:
        """Say whether a port of the host could be held now."""

    def may_be_inside(self) -> bool:
        """Say whether bridges can be made in a namespace of pyflat's own."""

    def tunnel(
        self, device: str, towards: Iterable[IPAddress], known_by: IPAddress | None = None
    ) -> Tunnel:
        """See ``pyflat.dataplane.underlay.find_tunnel``."""

    def name_servers(self) -> tuple[IPAddress, ...]:
        """Give the host's name servers as Docker reads them."""

    def announce(self, bridge: str, inside: bool, address: IPAddress, mac: str) -> None:
        """Tell who is on a bridge that an address is behind another MAC; by any thread."""

    def surroundings(self) -> Surroundings:
        """Find out what the host has that is not ours."""

    def close(self) -> None:
        """Finish what is pending and let go of everything; what was made stays."""
