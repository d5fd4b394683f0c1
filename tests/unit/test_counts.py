"""Counting: by any thread, for next to nothing, and over the end of a worker."""

import os
import threading

import pytest

from pyflat.counts import BOUNDS, Counter, Durations, Lasting


def test_a_duration_is_in_the_bucket_that_its_bound_names() -> None:
    durations = Durations()
    for seconds in (0.0005, 0.0006, 99.0):
        durations.note(seconds, "Join")
    buckets, total = durations.read()["Join",]
    assert (buckets[0], buckets[1], buckets[-1]) == (1, 1, 1)
    assert len(buckets) == len(BOUNDS) + 1
    assert total == pytest.approx(99.0011)


def test_what_raises_takes_time_too() -> None:
    durations = Durations()
    with pytest.raises(ZeroDivisionError), durations.timed():
        _ = 1 / 0
    assert sum(durations.read()[()][0]) == 1


def test_threads_that_count_at_once_lose_nothing() -> None:
    counter = Counter()

    def count() -> None:
        for _ in range(5000):
            counter.add("x")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.read() == {("x",): 20000}


def test_what_is_read_does_not_change() -> None:
    durations, counter = Durations(), Counter()
    durations.note(1.0)
    counter.add()
    seen = durations.read(), counter.read()
    durations.note(1.0)
    counter.add()
    assert (sum(seen[0][()][0]), seen[1][()]) == (1, 1)


def test_a_number_is_that_of_all_processes() -> None:
    number = Lasting()
    number.add()
    child = os.fork()
    if not child:
        number.add()
        os._exit(0)
    os.waitpid(child, 0)
    assert number.read() == 2
