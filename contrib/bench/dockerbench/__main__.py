"""`python -m dockerbench`: run cases, show and write what they find."""

from __future__ import annotations

import random
import secrets
import signal
import sys
import time
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from subprocess import TimeoutExpired
from typing import NoReturn, Self

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from dockerbench import (
    addresses,
    arrival,
    crowd,
    facts,
    growth,
    lifecycle,
    maps,
    metrics,
    overlay,
    ports,
    process,
    publish,
    recovery,
    remotes,
    report,
    traffic,
)
from dockerbench.api import ApiError
from dockerbench.results import Outcome
from dockerbench.rounds import Run
from dockerlab import Lab, LabError, engines

CASES: dict[str, Callable[[Run], Outcome]] = {
    "lifecycle": lifecycle.run,
    "ports": ports.run,
    "publish": publish.run,
    "crowd": crowd.run,
    "growth": growth.run,
    "traffic": traffic.run,
    "addresses": addresses.run,
    "process": process.run,
    "recovery": recovery.run,
    "maps": maps.run,
    "overlay": overlay.run,
    "arrival": arrival.run,
    "remotes": remotes.run,
    "metrics": metrics.run,
}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("cases", nargs=-1, type=click.Choice(list(CASES)))
@click.option("--quick", is_flag=True, help="Fewer repetitions, smaller crowds: about 10 minutes.")
@click.option("--engine", default=engines.NEWEST, show_default=True, help="Which Docker Engine.")
@click.option("--write", "folder", type=click.Path(path_type=Path), help="Keep the results there.")
@click.option("--seed", type=int, help="Repeat the order of another run.")
def main(
    cases: tuple[str, ...], quick: bool, engine: str, folder: Path | None, seed: int | None
) -> None:
    """Measure pyflat against Docker's own drivers: all CASES, or those that are named."""
    signal.signal(signal.SIGTERM, _terminated)
    console = Console()
    seed = secrets.randbelow(10**6) if seed is None else seed
    told = facts.machine() | facts.programs()
    if others := Lab.names():
        told["other labs that were up"] = str(len(others))
    start = time.monotonic()
    with _Bars() as bars:
        run = Run(engine, quick, random.Random(seed), bars)
        outcomes = {name: _measure(name, run) for name in cases or CASES}
    told["engine"] = ", ".join(run.versions) or engine
    told["took"] = f"{time.monotonic() - start:.0f} s{' (quick)' if quick else ''}"
    report.show(console, outcomes, told)
    if folder is not None:
        report.write(folder, outcomes, told, seed)
    if any(outcome.failed for outcome in outcomes.values()):
        sys.exit(1)


def _measure(name: str, run: Run) -> Outcome:
    """Run a case; what keeps it from an end is its outcome, and the others still run."""
    try:
        return CASES[name](run)
    except (LabError, ApiError, HTTPException, OSError, TimeoutExpired) as error:
        return Outcome([], failed=f"not measured: {type(error).__name__}: {error}")


class _Bars:
    """A line with a bar for each thing that is done."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        console = Console(stderr=True)
        self._bars = Progress(*columns, TimeElapsedColumn(), console=console, transient=True)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def __call__(self, doing: str, done: int, total: int) -> None:
        """Move the bar of this name; see `rounds.Progress`."""
        if doing not in self._tasks:
            self._tasks[doing] = self._bars.add_task(doing)
        self._bars.update(self._tasks[doing], completed=done, total=total)


def _terminated(*_: object) -> NoReturn:
    # As an exception, it makes the case that runs take its lab away.
    sys.exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    main(prog_name="bench")
