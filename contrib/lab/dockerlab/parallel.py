"""Several jobs at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def each(job: Callable[[T], object], items: Iterable[T]) -> None:
    """Run the job for all items at once, each to its end; then the first error is raised."""
    things = list(items)
    with ThreadPoolExecutor(max_workers=max(1, len(things))) as pool:
        done = [pool.submit(job, thing) for thing in things]
    for future in done:
        future.result()
