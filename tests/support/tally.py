"""A plugin of pytest: a table of how many tests passed, failed and were skipped, at the end.

``--last-result FILE`` puts it into that page, too.
"""

import platform
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

import marked
from dockerbench.facts import commit

COLUMNS = ("tests", "engine", "passed", "failed", "skipped", "seconds")
#: What the phases of a test may come to; the test comes to the last of them.
OUTCOMES = ("passed", "skipped", "failed")
PART = "tests"

Group = tuple[str, str]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--last-result",
        type=Path,
        help="write the table of results between the markers of this page, too",
    )


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # a process of pytest-xdist, which reports to another
        config.pluginmanager.register(Tally(config.getoption("--last-result")))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        callspec = getattr(item, "callspec", None)
        engine = callspec.params.get("engine", "") if callspec else ""
        item.user_properties.append(("engine", engine))


class Tally:
    """Counts what is reported, by folder and engine."""

    def __init__(self, page: Path | None) -> None:
        self._page = page
        self._commit = commit()
        self._start = time.monotonic()
        self._outcomes: dict[str, tuple[Group, str]] = {}
        self._seconds: defaultdict[Group, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        group = _folder(report.nodeid), str(dict(report.user_properties).get("engine", ""))
        self._seconds[group] += report.duration
        _, former = self._outcomes.get(report.nodeid, (group, OUTCOMES[0]))
        self._outcomes[report.nodeid] = group, max(former, report.outcome, key=OUTCOMES.index)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._outcomes[report.nodeid] = (_folder(report.nodeid), ""), "failed"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        rows = list(self._rows())
        facts = f"{time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC, commit {self._commit}, "
        facts += f"Linux {platform.release()}"
        terminalreporter.section(facts)
        for row in (COLUMNS, *rows):
            terminalreporter.write_line("".join(f"{cell:<14}" for cell in row).rstrip())
        if self._page:
            marked.write(self._page, PART, f"{facts}\n\n{marked.table(COLUMNS, rows)}")

    def _rows(self) -> Iterator[tuple[str, ...]]:
        counts = Counter(self._outcomes.values())
        columns = ("passed", "failed", "skipped")
        for group in sorted({group for group, _ in counts}):
            seconds = f"{self._seconds[group]:.0f}"
            yield (*group, *(str(counts[group, outcome]) for outcome in columns), seconds)
        totals = Counter(outcome for _, outcome in self._outcomes.values())
        elapsed = f"{time.monotonic() - self._start:.0f} elapsed"
        yield ("all", "", *(str(totals[outcome]) for outcome in columns), elapsed)


def _folder(nodeid: str) -> str:
    """Give the folder of a test's file, below that of all tests."""
    parent = Path(nodeid.partition("::")[0]).parent
    return parent.name or str(parent)
