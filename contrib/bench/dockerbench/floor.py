"""What the kernel takes for what a driver asks it for: the floor of every driver."""

from __future__ import annotations

from pathlib import Path

from dockerbench.program import Program, alone
from dockerbench.rounds import Variant, settle

ASKING = Path(__file__).with_name("asking.py")

#: The life of a network and of a cable in it, as far as the kernel is concerned.
LIFE = ("network create", "connect", "disconnect", "network rm")


def start(entries: int = 0) -> Program:
    """Start a bare netlink client, which can learn so many entries; see `asking`."""
    return alone(ASKING, str(entries))


def life(kernel: Program) -> Variant:
    """Give what goes through the life of a network."""

    def live() -> dict[str, float]:
        taken = {}
        for operation in LIFE:
            settle()
            taken[operation] = kernel(operation)
        return taken

    return live
