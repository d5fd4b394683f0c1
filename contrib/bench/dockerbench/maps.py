"""Mark 4, from below: what one transaction of the firewall costs, by what is there already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from dockerbench.peers import KERNEL, again
from dockerbench.program import Program, alone
from dockerbench.results import Line, Outcome, Samples, compare, figure
from dockerbench.rounds import Run, Variant
from dockerbench.shapes import ADDRESSES, HASH, SHAPES, TABLE, Shape

PROGRAM = Path(__file__).with_name("transactions.py")
FLOOR = Path(__file__).with_name("elements.py")

#: Sets of each shape, and how many elements they have; the first is the peer of the others.
LEAST = "1 there"
LEAST_AGAIN = again(LEAST)
SIZES = {LEAST: 1, LEAST_AGAIN: 1, "1000 there": 1000, "10000 there": 10000}
BESIDE = 10000
BATCH, BATCH_LIMIT = 1000, 20.0

AT_ONCE = f"{HASH.name}, none there"
BURDENED = f"{HASH.name}, 1 there, {BESIDE} in another set: {ADDRESSES.name}"

HOW = (
    "Transactions of text through pyflat's own binding of libnftables. Each set is in a namespace "
    "of its own, with a process of its own. One element is added to those that are there, and "
    "deleted again. The peer is a set with one element, and its A/A another such set. In another "
    "set, because libnftables reads every interval of a single field that the namespace has, in "
    "whatever set, before it changes anything. The kernel's floor is the same element in a message "
    "of netlink that was written beforehand."
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
        variants[KERNEL] = _floor(stack)
        samples = run.interleave("updates", variants, run.pick(21, 7))
    return Outcome(_lines(samples), samples, HOW)


def _variant(shape: Shape, there: str) -> str:
    return f"{shape.name}, {there}"


def _set(stack: ExitStack, shape: Shape, size: int, *, more: int = 1, beside: int = 0) -> Variant:
    """Make a set in a new namespace; give what adds some more elements and deletes them."""
    nftables = stack.enter_context(alone(PROGRAM))
    nftables(f"add table {TABLE}")
    for name, of, elements in (("other", ADDRESSES, beside), ("this", shape, size)):
        nftables(of.declare(name))
        if elements:
            nftables(of.add(name, range(elements)))
    return partial(_change, nftables, shape, range(size, size + more))


def _floor(stack: ExitStack) -> Variant:
    """Make an empty map; give what adds an element by netlink alone, and deletes it."""
    made = (f"add table {TABLE}", HASH.declare("this"), HASH.add("this", range(1)))
    program = stack.enter_context(alone(FLOOR, *made))
    return lambda: {f"{verb} 1": program(f"{verb} 2") for verb in ("add", "delete")}


def _change(nftables: Program, shape: Shape, numbers: range) -> dict[str, float]:
    return {
        f"add {len(numbers)}": nftables(shape.add("this", numbers)),
        f"delete {len(numbers)}": nftables(shape.delete("this", numbers)),
    }


def _lines(samples: Samples) -> list[Line]:
    lines = []
    for what in (f"add {BATCH}", f"delete {BATCH}"):
        at_once = samples[what][AT_ONCE]
        lines.append(figure(4, f"{what}: {AT_ONCE}", at_once, "ms", limit=BATCH_LIMIT))
    for what in ("add 1", "delete 1"):
        of = samples[what]
        for shape in SHAPES:
            lines += _growth(what, shape, of)
        one = _variant(HASH, LEAST)
        lines.append(compare(4, f"{what}: {one}", of[one], of[KERNEL], peer=KERNEL))
        burdened = _with_control(of, HASH)
        lines.append(burdened(4, f"{what}: {BURDENED}", of[BURDENED]))
    return lines


def _growth(what: str, shape: Shape, of: Mapping[str, list[float]]) -> Iterator[Line]:
    for there, size in SIZES.items():
        if size > 1:
            variant = _variant(shape, there)
            series = f"{what} element of a hash map" if shape is HASH else ""
            compared = _with_control(of, shape)
            yield compared(4, f"{what}: {variant}", of[variant], series=series, size=size)


def _with_control(of: Mapping[str, list[float]], shape: Shape) -> partial[Line]:
    """Give what compares a series with a set of this shape that has one element."""
    least, equal = of[_variant(shape, LEAST)], of[_variant(shape, LEAST_AGAIN)]
    return partial(compare, peers=least, peer=LEAST, control=(equal, least))
