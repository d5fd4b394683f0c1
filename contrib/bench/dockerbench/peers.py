"""Who is compared: both drivers, and each once more as the control."""

from __future__ import annotations

from dockerbench.results import Line, Samples, compare

OURS, OURS_AGAIN = "pyflat", "pyflat again"
PEER, PEER_AGAIN = "bridge", "bridge again"

#: Variant → driver of its networks.
DRIVERS = {OURS: "pyflat", OURS_AGAIN: "pyflat", PEER: "bridge", PEER_AGAIN: "bridge"}

#: A network that gives a container a place to be before it is connected to others.
BASE, BASE_SUBNET = "base", "10.60.0.0/24"


def line(mark: int, what: str, samples: Samples, operation: str, limit: float | None) -> Line:
    """Compare the drivers in one operation, with both controls."""
    of = samples[operation]
    return compare(
        mark,
        what,
        of[OURS],
        of[PEER],
        limit=limit,
        control=(of[PEER_AGAIN], of[PEER]),
        own_control=(of[OURS_AGAIN], of[OURS]),
    )
