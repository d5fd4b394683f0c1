"""What a change must have of the cluster before it can be made.

A change is pure and asks nobody. It raises Unclaimed, what it wants is claimed outside of the
engine's lock and noted in State, and the same change is made again.
"""

from dataclasses import dataclass
from typing import TypeAlias

from netaddr import IPAddress, IPNetwork

from pyflat.errors import PyflatError


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockWant:
    """A block of ``part`` of a pool of ours: the one that holds ``address``, else any."""

    pool: str
    part: IPNetwork
    address: IPAddress | None = None

    def __str__(self) -> str:
        """Say what is missing."""
        if self.address is not None:
            return f"address {self.address} of pool {self.part}"
        return f"a block of addresses of pool {self.part}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressesWant:
    """Addresses of an overlay that another address manager has chosen."""

    vni: int
    addresses: tuple[IPAddress, ...]

    def __str__(self) -> str:
        """Say what is missing."""
        return f"address {' and '.join(map(str, self.addresses))} of vni {self.vni}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentWant:
    """A VNI for a network that ``parts`` describe; 0 for one that is drawn."""

    vni: int
    parts: tuple[str, ...]

    def __str__(self) -> str:
        """Say what is missing."""
        return f"vni {self.vni}" if self.vni else f"a vni for {', '.join(self.parts)}"


Want: TypeAlias = BlockWant | AddressesWant | SegmentWant


class Unclaimed(PyflatError):  # noqa: N818 - as in ``errors``
    """The cluster has to give this host something first; ``want`` says what."""

    status = 500

    def __init__(self, want: Want) -> None:
        super().__init__(f"{want} is the cluster's to give: run pyflat with PYFLAT_CLUSTER")
        self.want = want
