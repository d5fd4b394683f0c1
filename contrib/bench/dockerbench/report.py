"""The results as people read them, on a terminal and in Markdown, and as programs do, in JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dockerbench.results import Line, Outcome
from dockerbench.sampling import Interval, Verdict

COLUMNS = ("mark", "what", "pyflat", "compared with", "peer", "ratio (95 %)", "limit", "peer A/A",
           "pyflat A/A", "verdict")  # fmt: skip
_LEFT = {"what", "compared with", "verdict"}
_STYLES = {Verdict.HELD: "green", Verdict.TIED: "yellow", Verdict.MISSED: "red", Verdict.NONE: ""}


def show(console: Console, outcomes: Mapping[str, Outcome], facts: Mapping[str, str]) -> None:
    """Print the table, how the cases were measured, and the facts."""
    table = Table()
    for name in COLUMNS:
        table.add_column(name, justify="left" if name in _LEFT else "right", no_wrap=name != "what")
    for line in _lines(outcomes):
        table.add_row(*_cells(line)[:-1], Text(line.verdict.value, _STYLES[line.verdict]))
    console.print(table)
    for name, outcome in outcomes.items():
        if outcome.how:
            console.print(Padding(Text(f"{name}: {outcome.how}", style="dim"), (0, 2)))
        if outcome.failed:
            console.print(Padding(Text(f"{name}: {outcome.failed}", style="red"), (0, 2)))
    console.print(Padding(Text(_said(facts), style="dim"), (1, 2)))


def write(folder: Path, outcomes: Mapping[str, Outcome], facts: Mapping[str, str]) -> None:
    """Write results.json, with every sample, and results.md."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "facts": facts,
        "results": [_result(line) for line in _lines(outcomes)],
        "how": {name: outcome.how for name, outcome in outcomes.items() if outcome.how},
        "failed": {name: outcome.failed for name, outcome in outcomes.items() if outcome.failed},
        "samples": {name: outcome.samples for name, outcome in outcomes.items()},
    }
    text = json.dumps(document, indent=1, ensure_ascii=False)
    (folder / "results.json").write_text(text + "\n")
    (folder / "results.md").write_text("\n".join(_markdown(outcomes, facts)) + "\n")


def rows(lines: list[Line]) -> Iterator[str]:
    """Give the rows of a table in Markdown, with its head."""
    yield f"| {' | '.join(COLUMNS)} |"
    yield f"|{'|'.join('---' if name in _LEFT else '--:' for name in COLUMNS)}|"
    for line in lines:
        yield f"| {' | '.join(_cells(line))} |"


def loss(line: Line) -> str:
    """Say in a line by how much pyflat loses, and where its limit is."""
    if line.ours is None:
        return f"{line.what}: {_amount(line.value.median, line.unit)}, the mark is {_bound(line)}"
    mark = "" if line.limit is None else f", the mark is {_bound(line)}"
    found = f"{_interval(line.value)} of {line.peer}"
    return (
        f"{line.what}: {_amount(line.ours, line.unit)} against {_amount(line.peers, line.unit)}, "
        f"{found}{mark}"
    )


def _markdown(outcomes: Mapping[str, Outcome], facts: Mapping[str, str]) -> Iterator[str]:
    yield from rows(_lines(outcomes))
    for name, outcome in outcomes.items():
        if remark := outcome.failed or outcome.how:
            yield f"\n{name}: {remark}"
    yield f"\n{_said(facts)}"


def _lines(outcomes: Mapping[str, Outcome]) -> list[Line]:
    lines = (line for outcome in outcomes.values() for line in outcome.lines)
    return sorted(lines, key=lambda line: line.mark)


def _cells(line: Line) -> tuple[str, ...]:
    alone = line.ours is None
    return (
        str(line.mark),
        line.what,
        _amount(line.value.median if alone else line.ours, line.unit),
        line.peer,
        _amount(line.peers, line.unit),
        f"{line.value.low:.4g}–{line.value.high:.4g}" if alone else _interval(line.value),  # noqa: RUF001
        "" if line.limit is None else _bound(line),
        _interval(line.control),
        _interval(line.own_control),
        line.verdict.value,
    )


def _bound(line: Line) -> str:
    if line.ours is None:
        return f"{line.limit:.4g} {line.unit}"
    return f"{'≥' if line.at_least else '≤'} {line.limit:.2f}"


def _amount(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    return f"{value:.{0 if abs(value) >= 100 else 1 if abs(value) >= 1 else 3}f} {unit}"


def _interval(value: Interval | None) -> str:
    if value is None:
        return ""
    return f"{value.median:.2f} ({value.low:.2f}–{value.high:.2f})"  # noqa: RUF001


def _said(facts: Mapping[str, str]) -> str:
    return " · ".join(f"{name} {value}" for name, value in facts.items())


def _result(line: Line) -> dict[str, Any]:
    return asdict(line) | {"verdict": line.verdict.value}
