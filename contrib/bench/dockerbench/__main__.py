"""`python -m dockerbench`: run cases, show and write what they find."""

from __future__ import annotations

import random
import secrets
import signal
import sys
import time
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

from dockerbench import cases, facts, page, plots, report
from dockerbench.api import ApiError
from dockerbench.kept import Kept, Key
from dockerbench.results import Outcome
from dockerbench.rounds import Run
from dockerlab import Lab, LabError, engines

RESULTS = facts.ROOT / "build" / "bench"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("named", metavar="[CASE]...", nargs=-1, type=click.Choice(list(cases.CASES)))
@click.option("--quick", is_flag=True, help="Fewer repetitions, smaller crowds: under 3 minutes.")
@click.option("--engine", default=engines.NEWEST, show_default=True, help="Which Docker Engine.")
@click.option("--resume", is_flag=True, help="Go on: keep the cases that have ended before.")
@click.option("--publish", is_flag=True, help="Write docs/benchmarks.md of all that is kept.")
@click.option("--write", "folder", type=click.Path(path_type=Path), default=RESULTS,
              help="Where results are kept, as tables and pictures too.")  # fmt: skip
@click.option("--seed", type=int, help="Repeat the order of another run.")
def main(
    named: tuple[str, ...],
    quick: bool,
    engine: str,
    resume: bool,
    publish: bool,
    folder: Path,
    seed: int | None,
) -> None:
    """Measure pyflat against Docker's own drivers: all cases, or those that are named.

    What a case finds is kept as soon as it has ended, for the commit, the engine and the length
    of the run.
    """
    signal.signal(signal.SIGTERM, _terminated)
    kept = Kept(folder / "kept", Key(facts.commit(), engine, quick))
    chosen = cases.chosen(named, quick=quick)
    todo = [name for name in chosen if not (resume and kept.has(name))]
    with _Bars() as bars:
        _run_all(todo, kept, Run(engine, quick, random.Random(), bars), seed)
    found = kept.all_of(cases.CASES if publish else chosen)
    outcomes = {name: record.outcome for name, record in found.items()}
    told = facts.merged([record.facts for record in found.values()])
    report.show(Console(), outcomes, told)
    report.write(folder, outcomes, told)
    plots.write(folder, outcomes)
    if publish:
        page.publish(outcomes, told)
    if any(outcome.failed for outcome in outcomes.values()):
        sys.exit(1)


def _run_all(todo: list[str], kept: Kept, run: Run, seed: int | None) -> None:
    """Run cases and keep what they find."""
    seed = secrets.randbelow(10**6) if seed is None else seed
    told = (
        facts.machine()
        | facts.programs()
        | {"seed": str(seed), "length": run.pick("full", "quick")}
    )
    if others := Lab.names():
        told["other labs that were up"] = str(len(others))
    for number, name in enumerate(todo):
        run.progress("all cases", number, len(todo))
        # Of its own, so that a case has the same order whatever has run before it.
        run.random.seed(f"{seed} {name}")
        start = time.monotonic()
        outcome = _measure(name, run)
        run.progress("all cases", number + 1, len(todo))
        engine = {"engine": ", ".join(sorted(run.versions))} if run.versions else {}
        kept.put(name, told | engine | {facts.TOOK: f"{time.monotonic() - start:.0f} s"}, outcome)


def _measure(name: str, run: Run) -> Outcome:
    """Run a case; what keeps it from an end is its outcome, and the others still run."""
    try:
        return cases.CASES[name](run)
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
