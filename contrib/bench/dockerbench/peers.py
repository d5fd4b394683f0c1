"""Who is compared: the drivers, two of them once more as controls, and what is below them all."""

from __future__ import annotations

from typing import Any

from dockerbench.results import Line, Samples, compare


def again(variant: str) -> str:
    """Name the control of a variant: the same once more."""
    return f"{variant} again"


OURS, PEER, SWARM = "pyflat", "bridge", "swarm"
OURS_AGAIN, PEER_AGAIN = again(OURS), again(PEER)
MACVLAN = "macvlan"
NONE = "none"
"""A container without a network: what dockerd itself takes."""
KERNEL = "kernel"
"""A bare netlink client, which asks the kernel for the same."""

#: Docker's own drivers; to be slower than the rest is no loss, since it does less.
RIVALS = {PEER, MACVLAN, SWARM}

#: Variant → driver of its networks.
DRIVERS = {OURS: "pyflat", OURS_AGAIN: "pyflat", PEER: "bridge", PEER_AGAIN: "bridge"}

#: A network that gives a container a place to be before it is connected to others.
BASE, BASE_SUBNET = "base", "10.60.0.0/24"


def options(driver: str) -> dict[str, Any]:
    """Give what the request for a network of this driver has to say beside its subnet."""
    return {"Options": {"parent": "eth0"}} if driver == MACVLAN else {}


def line(
    mark: int,
    what: str,
    samples: Samples,
    operation: str,
    limit: float | None,
    *,
    ours: str = OURS,
    peer: str = PEER,
    unit: str = "ms",
    at_least: bool = False,
) -> Line:
    """Compare the drivers, or other variants, in one operation, with both controls.

    The controls are pyflat and the peer, each against the variant of its name and "again"; a peer
    that was not there again has none.
    """
    of = samples[operation]
    equal = of.get(again(peer))
    return compare(
        mark,
        what,
        of[ours],
        of[peer],
        peer=peer,
        limit=limit,
        unit=unit,
        at_least=at_least,
        control=(equal, of[peer]) if equal else None,
        own_control=(of[OURS_AGAIN], of[OURS]) if OURS_AGAIN in of else None,
    )
