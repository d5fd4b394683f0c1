"""What a case gives: its samples, and the lines of the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from dockerbench.sampling import (
    Interval,
    Verdict,
    judge,
    median_interval,
    ratios,
    reach,
)

#: Operation → variant → one value for each repetition, in their order.
Samples = dict[str, dict[str, list[float]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the report: a ratio to a peer, or a figure that stands alone.

    `value` is what the limit is for. With a peer it is the median of the paired ratios, and
    `ours` and `peers` are the medians behind it, in `unit`; without, it is in `unit` itself.
    """

    mark: int
    what: str
    value: Interval
    limit: float | None = None
    unit: str = "ms"
    ours: float | None = None
    peers: float | None = None
    peer: str = ""
    """What it is compared with."""
    series: str = ""
    """What grows, in a line about growth; its ratio is to the smallest."""
    size: int = 0
    """How many times as many there were as in the smallest, in a line about growth."""
    control: Interval | None = None
    """The same comparison between two equals, the peer and itself where there is a peer."""
    own_control: Interval | None = None
    """The same between pyflat and itself."""
    slack: float = 0.0
    """How far a value may be beyond the limit by noise alone."""
    at_least: bool = False
    """Whether more is better: the value must not be under the limit, rather than over it."""

    @property
    def verdict(self) -> Verdict:
        """What the line says of its mark."""
        return judge(self.value.median, self.limit, self.slack, at_least=self.at_least)

    @property
    def is_worse(self) -> bool:
        """Whether it is worse than its peer by more than both spreads, its own and the peer's."""
        noise = reach(self.control, 1.0) if self.control else 0.0
        if self.at_least:
            return max(self.value.high, self.value.median + noise) < 1
        return min(self.value.low, self.value.median - noise) > 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that a case has found."""

    lines: list[Line]
    samples: Samples = field(default_factory=dict)
    how: str = ""
    """A remark on how it was done that a reader of the figures has to know."""
    failed: str = ""
    """Why there are no lines."""


def compare(
    mark: int,
    what: str,
    ours: Sequence[float],
    peers: Sequence[float],
    *,
    peer: str = "",
    series: str = "",
    size: int = 0,
    limit: float | None = None,
    unit: str = "ms",
    at_least: bool = False,
    control: tuple[Sequence[float], Sequence[float]] | None = None,
    own_control: tuple[Sequence[float], Sequence[float]] | None = None,
) -> Line:
    """Compare two paired series; a control is two series that should be equal."""
    equal = median_interval(ratios(*control)) if control else None
    return Line(
        mark=mark,
        what=what,
        value=median_interval(ratios(ours, peers)),
        limit=limit,
        unit=unit,
        at_least=at_least,
        peer=peer,
        series=series,
        size=size,
        ours=median_interval(ours).median,
        peers=median_interval(peers).median,
        control=equal,
        own_control=median_interval(ratios(*own_control)) if own_control else None,
        slack=(limit or 0.0) * reach(equal, 1.0) if equal else 0.0,
    )


def figure(
    mark: int, what: str, samples: Sequence[float], unit: str, *, limit: float | None = None
) -> Line:
    """Give a figure that has no peer; noise is what its own interval says."""
    value = median_interval(samples)
    slack = value.median - value.low
    return Line(mark=mark, what=what, value=value, limit=limit, unit=unit, slack=slack)
