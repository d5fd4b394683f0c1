"""How every case is run: variants in shuffled order, repetition by repetition."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from dockerbench.api import Engine
from dockerbench.results import Samples
from dockerlab import Lab
from dockerlab.host import Host

T = TypeVar("T")

#: Does everything of one repetition of one variant, and gives what each operation took.
Variant = Callable[[], Mapping[str, float]]


#: Seconds until a driver that removes things after its answer has done so.
SETTLED = 0.06


class Progress(Protocol):
    """Is told how far a case has come."""

    def __call__(self, doing: str, done: int, total: int) -> None:
        """Take note that `done` of `total` steps are over."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the whole program."""

    engine: str
    quick: bool
    random: random.Random
    progress: Progress
    versions: set[str] = field(default_factory=set)
    """The exact versions of the engines that were met."""

    def pick(self, full: T, quick: T) -> T:
        """Give what fits the length of the run."""
        return quick if self.quick else full

    @contextmanager
    def lab(self, **how: Any) -> Iterator[Lab]:
        """Make a lab that lasts as long as the block."""
        with Lab.up(f"b{secrets.token_hex(3)}", engine=self.engine, **how) as lab:
            yield lab

    def docker(self, host: Host) -> Engine:
        """Give the engine of a host."""
        engine = Engine(host.path("/run/docker.sock"))
        self.versions.add(engine.version)
        return engine

    def interleave(self, doing: str, variants: Mapping[str, Variant], repetitions: int) -> Samples:
        """Run all variants that often, each time in another order.

        Once more before that counts, unless the run is quick.
        """
        samples: Samples = {}
        names = list(variants)
        warming = self.pick(1, 0)
        for repetition in range(repetitions + warming):
            self.progress(doing, repetition, repetitions + warming)
            self.random.shuffle(names)
            for name in names:
                taken = variants[name]()
                for operation, value in taken.items() if repetition >= warming else ():
                    samples.setdefault(operation, {}).setdefault(name, []).append(value)
        self.progress(doing, repetitions + warming, repetitions + warming)
        return samples


def settle() -> None:
    """Let what goes on in the background end, so that it is not counted with what comes next."""
    time.sleep(SETTLED)


def timed(action: Callable[[], object]) -> float:
    """Give the milliseconds that an action takes."""
    start = time.perf_counter()
    action()
    return (time.perf_counter() - start) * 1000
