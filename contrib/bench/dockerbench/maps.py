"""Mark 4, from below: what one transaction of the firewall costs, by what is there already."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Self

from dockerbench.results import Line, Outcome, Samples, compare, figure
from dockerbench.rounds import Run, Variant
from dockerbench.shapes import ADDRESSES, HASH, SHAPES, TABLE, Shape
from dockerlab import LabError

PROGRAM = Path(__file__).with_name("transactions.py")

#: Sets of each shape, and how many elements they have; the first is the peer of the others.
SIZES = {"1 there": 1, "1 there again": 1, "1000 there": 1000, "10000 there": 10000}
BESIDE = 10000
BATCH, BATCH_LIMIT = 1000, 20.0

AT_ONCE = f"{HASH.name}, none there"
BURDENED = f"{HASH.name}, 1 there, {BESIDE} in another set: {ADDRESSES.name}"

HOW = (
    "Transactions of text through pyflat's own binding of libnftables. Each set is in a namespace "
    "of its own, with a process of its own. One element is added to those that are there, and "
    "deleted again. The peer is a set with one element, and its A/A another such set. In another "
    "set, because libnftables reads every interval of a single field that the namespace has, in "
    "whatever set, before it changes anything."
)


def run(run: Run) -> Outcome:
    """Measure in namespaces of the case's own."""
    asked = {_variant(shape, there): (shape, there) for shape in SHAPES for there in SIZES}
    variants: dict[str, Variant] = {}
    with ExitStack() as stack:
        for name, (shape, there) in asked.items():
            run.progress("filling sets", len(variants), len(asked))
            variants[name] = _set(stack, shape, SIZES[there])
        variants[AT_ONCE] = _set(stack, HASH, 0, more=BATCH)
        variants[BURDENED] = _set(stack, HASH, 1, beside=BESIDE)
        samples = run.interleave("updates", variants, run.pick(21, 7))
    return Outcome(_lines(samples), samples, HOW)


def _variant(shape: Shape, there: str) -> str:
    return f"{shape.name}, {there}"


def _set(stack: ExitStack, shape: Shape, size: int, *, more: int = 1, beside: int = 0) -> Variant:
    """Make a set in a new namespace; give what adds some more elements and deletes them."""
    nftables = stack.enter_context(_Nftables())
    nftables.transact(f"add table {TABLE}")
    for name, of, elements in (("other", ADDRESSES, beside), ("this", shape, size)):
        nftables.transact(of.declare(name))
        if elements:
            nftables.transact(of.add(name, range(elements)))
    return partial(_change, nftables, shape, range(size, size + more))


def _change(nftables: _Nftables, shape: Shape, numbers: range) -> dict[str, float]:
    return {
        f"add {len(numbers)}": nftables.transact(shape.add("this", numbers)),
        f"delete {len(numbers)}": nftables.transact(shape.delete("this", numbers)),
    }


def _lines(samples: Samples) -> list[Line]:
    lines = []
    for what in (f"add {BATCH}", f"delete {BATCH}"):
        at_once = samples[what][AT_ONCE]
        lines.append(figure(4, f"{what}: {AT_ONCE}", at_once, "ms", limit=BATCH_LIMIT))
    for shape in SHAPES:
        least, equal, *more = (_variant(shape, there) for there in SIZES)
        for what in ("add 1", "delete 1"):
            of = samples[what]
            compared = [*more, BURDENED] if shape is HASH else more
            control = (of[equal], of[least])
            lines += [
                compare(4, f"{what}: {variant}", of[variant], of[least], control=control)
                for variant in compared
            ]
    return lines


class _Nftables:
    """pyflat's binding in a process and a network namespace of its own."""

    def __init__(self) -> None:
        # -P: the folder of the program is not one to import from.
        self._process = subprocess.Popen(
            ["unshare", "--net", sys.executable, "-P", str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def transact(self, commands: str) -> float:
        """Carry out commands in one transaction; give the milliseconds it takes."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{commands}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise LabError(f"no answer: {self._process.communicate()[1].strip()}")
        return float(answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()
