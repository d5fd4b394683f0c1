"""Who is compared: both drivers, and each once more as the control."""

from __future__ import annotations

from dockerbench.results import Line, Samples, compare


def again(variant: str) -> str:
    """Name the control of a variant: the same once more."""
    return f"{variant} again"


OURS, PEER, SWARM = "pyflat", "bridge", "swarm"
OURS_AGAIN, PEER_AGAIN = again(OURS), again(PEER)

#: Variant → driver of its networks.
DRIVERS = {OURS: "pyflat", OURS_AGAIN: "pyflat", PEER: "bridge", PEER_AGAIN: "bridge"}

#: A network that gives a container a place to be before it is connected to others.
BASE, BASE_SUBNET = "base", "10.60.0.0/24"


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

    The controls are pyflat and the peer, each against the variant of its name and "again".
    """
    of = samples[operation]
    return compare(
        mark,
        what,
        of[ours],
        of[peer],
        limit=limit,
        unit=unit,
        at_least=at_least,
        control=(of[again(peer)], of[peer]),
        own_control=(of[OURS_AGAIN], of[OURS]),
    )
