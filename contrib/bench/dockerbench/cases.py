"""All that can be measured, by name and in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dockerbench import (
    addresses,
    arrival,
    crowd,
    footprint,
    growth,
    lifecycle,
    maps,
    members,
    metrics,
    networks,
    overlay,
    ports,
    process,
    publish,
    recovery,
    remotes,
    traffic,
)
from dockerbench.results import Outcome
from dockerbench.rounds import Run

CASES: dict[str, Callable[[Run], Outcome]] = {
    "lifecycle": lifecycle.run,
    "networks": networks.run,
    "ports": ports.run,
    "publish": publish.run,
    "crowd": crowd.run,
    "growth": growth.run,
    "members": members.run,
    "traffic": traffic.run,
    "addresses": addresses.run,
    "process": process.run,
    "footprint": footprint.run,
    "recovery": recovery.run,
    "maps": maps.run,
    "overlay": overlay.run,
    "arrival": arrival.run,
    "remotes": remotes.run,
    "metrics": metrics.run,
}

#: What takes long however small it is made: a quick run has it only if it is named.
LONG = {"ports", "recovery", "arrival", "metrics"}

#: What the cases are about, for the plots.
CONTROL = ("lifecycle", "networks", "ports", "publish", "crowd", "recovery", "arrival")
DATA = ("traffic", "overlay")


def chosen(named: Sequence[str], *, quick: bool) -> list[str]:
    """Give the cases of a run: those that are named, or all that fit its length."""
    return list(named) or [name for name in CASES if not (quick and name in LONG)]
