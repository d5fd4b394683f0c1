"""`python -m dockersoak`: lives and kills on a lab host, and a table of what came of them."""

from __future__ import annotations

import secrets
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import click
from rich.console import Console
from rich.table import Table

import marked
from dockerbench.facts import commit
from dockerlab import Lab, engines
from dockersoak.soak import Result, soak


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--minutes", type=float, default=5.0, show_default=True, help="How long.")
@click.option("--cycles", type=int, help="How many lives instead, in whole rounds.")
@click.option("--kills-per-minute", "kills", type=float, default=6.0, show_default=True)
@click.option("--engine", default=engines.NEWEST, show_default=True, help="Which Docker Engine.")
@click.option("--seed", type=int, help="Repeat the choices of another run.")
@click.option("--last-result", "page", type=Path, help="Write the table into this page, too.")
def main(
    minutes: float,
    cycles: int | None,
    kills: float,
    engine: str,
    seed: int | None,
    page: Path | None,
) -> None:
    """Make, use and remove networks and containers, kill daemons, and see that nothing is left.

    The status is 1 if something is left, or has failed while all daemons were there.
    """
    signal.signal(signal.SIGTERM, _terminated)
    seed = secrets.randbelow(10**6) if seed is None else seed
    start = time.monotonic()

    def goes_on(lives: int, seconds: float) -> bool:
        return seconds < minutes * 60 if cycles is None else lives < cycles

    with Lab.up(f"s{secrets.token_hex(3)}", engine=engine) as lab:
        result = soak(lab.host("h1"), seed=seed, kills=kills, goes_on=goes_on)
    facts = {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "commit": commit(),
        "engine": engine,
        "seed": str(seed),
        "minutes": _minutes(time.monotonic() - start),
    }
    rows = [*facts.items(), *_lines(result)]
    _show(Console(), rows, result)
    if page:
        marked.write(page, "soak", marked.table(("soak", ""), rows))
    sys.exit(not result.sound)


def _show(console: Console, rows: list[tuple[str, str]], result: Result) -> None:
    table = Table(show_header=False)
    for row in rows:
        table.add_row(*row)
    console.print(table)
    for line in (*result.leaks, *result.journal.unexplained):
        console.print(line, style="red", markup=False, soft_wrap=True)


def _lines(result: Result) -> Iterator[tuple[str, str]]:
    journal = result.journal
    yield "cycles", f"{result.lives} in {result.rounds} rounds"
    yield "operations", _counted(journal.done)
    yield "kills", _counted(journal.kills)
    yield "refused while a daemon was away", _counted(journal.refused)
    yield "refused without a reason", str(len(journal.unexplained))
    yield "networks that dockerd removed after another start only", str(result.removed_late)
    yield "unknown to dockerd after a kill", _counted(result.orphans)
    yield "left behind", str(len(result.leaks))
    yield "memory of the plugin", f"{result.start.memory:.1f} MB, then {result.end.memory:.1f} MB"
    yield "open files of the plugin", f"{result.start.files}, then {result.end.files}"


def _counted(counts: Counter[str]) -> str:
    parts = ", ".join(f"{count} {what}" for what, count in counts.most_common())
    return f"{counts.total()}: {parts}" if parts else "0"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f}"


def _terminated(*_: object) -> NoReturn:
    # As an exception, it makes the lab go away.
    sys.exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    main(prog_name="soak")
