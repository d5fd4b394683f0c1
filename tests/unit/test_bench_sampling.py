"""What the benchmark makes of its samples."""

import random
import statistics

import pytest

from dockerbench.sampling import (
    Interval,
    Verdict,
    differences,
    judge,
    median_interval,
    ratios,
    reach,
    sums,
)


def test_few_samples_say_no_more_than_their_range() -> None:
    assert median_interval([3.0, 1.0, 2.0]) == Interval(2.0, 1.0, 3.0)
    assert median_interval([7.0]) == Interval(7.0, 7.0, 7.0)


@pytest.mark.parametrize(("count", "left_out"), [(5, 0), (6, 0), (9, 1), (21, 5), (31, 9)])
def test_more_samples_leave_out_the_ends(count: int, left_out: int) -> None:
    samples = [float(number) for number in range(count)]
    expected = Interval((count - 1) / 2, float(left_out), float(count - 1 - left_out))
    assert median_interval(samples) == expected


def test_no_samples_have_no_median() -> None:
    with pytest.raises(ValueError, match="no samples"):
        median_interval([])


def test_the_interval_holds_the_true_median_as_often_as_it_says() -> None:
    chance = random.Random(1)
    held = 0
    for _ in range(1000):
        found = median_interval([chance.lognormvariate(0, 1) for _ in range(21)])
        held += found.low <= 1.0 <= found.high
    assert held >= 940


def test_what_slows_both_down_cancels_in_a_paired_ratio() -> None:
    slow = [1.0, 1.5, 3.0, 1.0]
    paired = ratios([60 * factor for factor in slow], [40 * factor for factor in slow])
    assert paired == pytest.approx([1.5] * 4)
    assert statistics.median(paired) == pytest.approx(1.5)


def test_series_of_different_length_are_no_pairs() -> None:
    with pytest.raises(ValueError, match="zip"):
        ratios([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="zip"):
        differences([1.0], [])


def test_series_add_up_by_repetition() -> None:
    assert sums([1.0, 2.0], [10.0, 20.0]) == [11.0, 22.0]
    assert differences([10.0, 20.0], [1.0, 2.0]) == [9.0, 18.0]


def test_noise_reaches_as_far_as_the_further_end() -> None:
    assert reach(Interval(1.0, 0.9, 1.05), 1.0) == pytest.approx(0.1)
    assert reach(Interval(0.01, -0.01, 0.03), 0.0) == pytest.approx(0.03)


@pytest.mark.parametrize(
    ("value", "limit", "verdict"),
    [
        (1.1, 1.1, Verdict.HELD),
        (1.15, 1.1, Verdict.TIED),
        (1.17, 1.1, Verdict.MISSED),
        (9.9, None, Verdict.NONE),
    ],
)
def test_a_mark_is_held_tied_or_missed(value: float, limit: float | None, verdict: Verdict) -> None:
    assert judge(value, limit, slack=0.06) is verdict


@pytest.mark.parametrize(
    ("value", "verdict"), [(3.5, Verdict.HELD), (3.45, Verdict.TIED), (3.4, Verdict.MISSED)]
)
def test_a_mark_may_be_the_least_that_is_allowed(value: float, verdict: Verdict) -> None:
    assert judge(value, 3.5, slack=0.06, at_least=True) is verdict
