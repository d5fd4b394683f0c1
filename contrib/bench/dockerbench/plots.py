"""Pictures of the results: ratios to the peers, and what grows with what there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from dockerbench import cases, peers
from dockerbench.results import Line, Outcome
from dockerbench.sampling import Interval

#: The ground is transparent, so ink and colours can be told from white and from black.
INK = "#6e7781"
COLOURS = ("#2f81f7", "#d9822b", "#2da44e", "#bf4b8a", "#8a63d2", "#b59a00", "#1b9aaa", "#cf4a4a")

#: Who is compared with, and how it is drawn: marker, colour, and that of the marker's inside.
PEERS = {
    peers.PEER: ("o", COLOURS[0], COLOURS[0]),
    peers.MACVLAN: ("s", COLOURS[1], COLOURS[1]),
    peers.SWARM: ("^", COLOURS[2], COLOURS[2]),
    peers.NONE: ("D", COLOURS[3], "none"),
    peers.KERNEL: ("v", COLOURS[4], "none"),
}

#: The same results give the same files.
STYLE: Any = {
    "svg.hashsalt": "pyflat",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK
    ),
}
METADATA: dict[str, dict[str, str | None]] = {
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
}


def write(folder: Path, outcomes: Mapping[str, Outcome]) -> list[str]:
    """Draw what there are results for, as SVG and PNG; give the names without their ends."""
    folder.mkdir(parents=True, exist_ok=True)
    control, data = (_lines(outcomes, of) for of in (cases.CONTROL, cases.DATA))
    growth = [line for outcome in outcomes.values() for line in outcome.lines if line.series]
    with mpl.rc_context(STYLE):
        figures = {
            "bench-control": _ratios(control, "time: pyflat ÷ peer (left of 1 is faster)"),
            "bench-data": _ratios(data, "rate: pyflat ÷ peer (right of 1 is faster)"),
            "bench-growth": _growth(growth),
        }
        drawn = {name: figure for name, figure in figures.items() if figure is not None}
        for name, figure in drawn.items():
            for end, metadata in METADATA.items():
                path = folder / f"{name}.{end}"
                figure.savefig(path, transparent=True, dpi=144, metadata=metadata)
    return list(drawn)


def _lines(outcomes: Mapping[str, Outcome], names: Sequence[str]) -> list[Line]:
    lines = (line for name in names if name in outcomes for line in outcomes[name].lines)
    return [line for line in lines if line.peer in PEERS and line.value.median > 0]


def _ratios(lines: Sequence[Line], label: str) -> Figure | None:
    """Draw a row for each operation, with a point and its spread for each peer."""
    if not lines:
        return None
    rows = list(dict.fromkeys(line.what for line in lines))
    figure, axes = _canvas(0.24 * len(rows) + 1.2)
    axes.axvline(1, color=INK, linewidth=1)
    for line in lines:
        row = rows.index(line.what)
        _point(axes, line, row)
        if line.limit is not None:
            axes.plot(line.limit, row, marker="|", markersize=11, color=INK)
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    _scale(axes, (1, 2, 5))
    axes.set_xlabel(f"{label}; | is a mark")
    _legend(axes, {line.peer for line in lines})
    return figure


def _point(axes: Axes, line: Line, row: int) -> None:
    value = line.value
    marker, colour, face = PEERS[line.peer]
    spread = [[value.median - value.low], [value.high - value.median]]
    # One above the other, where several are alike.
    place = row + 0.12 * (list(PEERS).index(line.peer) - 2)
    axes.errorbar(
        value.median,
        place,
        xerr=spread,
        marker=marker,
        color=colour,
        markerfacecolor=face,
        markersize=5,
        linewidth=1,
    )


def _legend(axes: Axes, compared: set[str]) -> None:
    for peer, (marker, colour, face) in PEERS.items():
        if peer in compared:
            axes.plot(
                [],
                [],
                linestyle="none",
                marker=marker,
                color=colour,
                markerfacecolor=face,
                label=peer,
            )
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(PEERS), frameon=False)


def _growth(lines: Sequence[Line]) -> Figure | None:
    """Draw a curve for each series, from its smallest on, which is 1."""
    if not lines:
        return None
    figure, axes = _canvas(4.2)
    axes.axhline(1, color=INK, linewidth=1)
    series = dict.fromkeys(line.series for line in lines)
    for name, colour in zip(series, cycle(COLOURS), strict=False):
        curve = sorted((line for line in lines if line.series == name), key=lambda line: line.size)
        values = [Interval(1.0, 1.0, 1.0), *(line.value for line in curve)]
        medians = [value.median for value in values]
        low = [value.median - value.low for value in values]
        high = [value.high - value.median for value in values]
        sizes = [1, *(line.size for line in curve)]
        axes.errorbar(sizes, medians, yerr=[low, high], marker="o", color=colour, label=name,
                      markersize=4, linewidth=1.2, capsize=2)  # fmt: skip
    _scale(axes, (1,))
    # A spread may be cut off, no median is.
    axes.set_ylim(0, max(2.0, *(1.5 * line.value.median for line in lines)))
    axes.set_xlabel("times as many as in the smallest")
    axes.set_ylabel("time ÷ that of the smallest")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    return figure


def _scale(axes: Axes, digits: Sequence[int]) -> None:
    """Make the horizontal axis logarithmic, with plain numbers that begin with these digits."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=digits))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())


def _canvas(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(9, height), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(visible=True, axis="both", color=INK, alpha=0.2, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
