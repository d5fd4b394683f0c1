"""The page of the docs that shows the results: written whole, from what was kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dockerbench import peers, plots, report
from dockerbench.facts import ROOT
from dockerbench.results import Line, Outcome
from dockerbench.sampling import Verdict

DOCS = ROOT / "docs"
NAME = "benchmarks.md"


def publish(outcomes: Mapping[str, Outcome], facts: Mapping[str, str], docs: Path = DOCS) -> None:
    """Write the page and its pictures."""
    pictures = plots.write(docs / "images", outcomes)
    here = FileSystemLoader(Path(__file__).parent)
    # What is written is Markdown, and nobody else's words come in.
    environment = Environment(
        loader=here, undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )
    text = environment.get_template(f"{NAME}.j2").render(
        facts=facts,
        pictures=pictures,
        outcomes=outcomes,
        tables={name: "\n".join(report.rows(of.lines)) for name, of in outcomes.items()},
        losses=[(name, report.loss(line)) for name, line in losses(outcomes)],
    )
    (docs / NAME).write_text(text)


def losses(outcomes: Mapping[str, Outcome]) -> Iterator[tuple[str, Line]]:
    """Give the lines in which pyflat is worse than a driver of Docker's, or misses a mark."""
    for name, outcome in outcomes.items():
        for line in outcome.lines:
            if line.verdict is Verdict.MISSED or (line.peer in peers.RIVALS and line.is_worse):
                yield name, line
