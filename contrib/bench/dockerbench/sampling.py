"""What can be said of samples: medians, paired ratios, and how far noise alone carries. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

#: How sure an interval is to hold the true median.
CONFIDENCE = 0.95


class Verdict(Enum):
    """What a measurement says of its mark."""

    HELD = "held"
    TIED = "within spread"
    """Beyond the mark, but not further than equals differ in the same run."""
    MISSED = "missed"
    NONE = ""
    """There is no mark."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A median, and the interval that holds the true one with 95 % confidence."""

    median: float
    low: float
    high: float


def median_interval(samples: Sequence[float]) -> Interval:
    """Give the median of samples with its interval, which assumes nothing of their distribution.

    It lies between two of the ordered samples, so many places from the ends that the true median
    lies outside in one of twenty cases at most (a sign test). Fewer than six samples are too few
    for that: then it is all of them. ValueError if there are none.
    """
    if not samples:
        raise ValueError("there are no samples")
    ordered = sorted(samples)
    place = _rank(len(ordered))
    return Interval(statistics.median(ordered), ordered[place], ordered[-1 - place])


def _rank(count: int) -> int:
    """Count the samples to leave out at each end."""
    outside, rank = 0.0, 0
    while rank < count // 2:
        outside += math.comb(count, rank) / 2**count
        if outside > (1 - CONFIDENCE) / 2:
            break
        rank += 1
    return max(0, rank - 1)


def ratios(ours: Sequence[float], peers: Sequence[float]) -> list[float]:
    """Divide two series repetition by repetition, so that what both went through cancels."""
    return [our / peer for our, peer in zip(ours, peers, strict=True)]


def differences(more: Sequence[float], less: Sequence[float]) -> list[float]:
    """Subtract two series repetition by repetition."""
    return [one - other for one, other in zip(more, less, strict=True)]


def sums(*series: Sequence[float]) -> list[float]:
    """Add series repetition by repetition."""
    return [sum(values) for values in zip(*series, strict=True)]


def reach(control: Interval, centre: float) -> float:
    """Say how far from `centre`, where it should be, noise has carried a control."""
    return max(abs(control.low - centre), abs(control.high - centre))


def judge(value: float, limit: float | None, slack: float, *, at_least: bool = False) -> Verdict:
    """Compare a value with its limit; `slack` is what noise alone can add or take.

    The limit is the most that is allowed, or with `at_least` the least.
    """
    if limit is None:
        return Verdict.NONE
    beyond = limit - value if at_least else value - limit
    if beyond <= 0:
        return Verdict.HELD
    return Verdict.TIED if beyond <= slack else Verdict.MISSED
