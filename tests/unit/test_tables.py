"""Rows on a terminal and in a pipe."""

import io
from collections.abc import Iterable

import pytest
from rich.console import Console
from tests.support.pictured import NAMES, shown

from pyflat.cli.tables import print_rows, write_rows
from pyflat.report.rows import Row, chosen, endpoint_rows

COLUMNS = ("network", "container", "addresses", "mac", "host_end")
LONG = {"name": "x" * 200, "addresses": ["10.0.0.2/8", "fd00::2/64"], "gone": ""}


def rows() -> list[Row]:
    return list(endpoint_rows(chosen(shown(), NAMES, ()), NAMES))


def on_terminal(
    rows: Iterable[Row], columns: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> list[str]:
    """Lines of a terminal with 80 columns, without what makes them bold."""
    console = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)
    print_rows(console, rows, columns)
    return capsys.readouterr().out.splitlines()


def test_in_a_pipe_each_row_is_one_line_whatever_its_length(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_rows([LONG], ("name", "addresses", "gone"))
    heading, line = capsys.readouterr().out.splitlines()
    assert heading.split() == ["NAME", "ADDRESSES", "GONE"]
    assert line.split() == ["x" * 200, "10.0.0.2/8,fd00::2/64", "-"]
    assert "\x1b" not in heading


def test_on_a_terminal_nothing_is_wider_than_it(capsys: pytest.CaptureFixture[str]) -> None:
    lines = on_terminal([LONG], ("name", "addresses", "gone"), capsys)
    assert max(map(len, lines)) <= 80
    text = "".join("".join(lines).split())
    assert text.count("x") == 200


def test_connections_fit_a_terminal_and_what_is_several_stands_below_each_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = on_terminal(rows(), COLUMNS, capsys)
    assert max(map(len, lines)) <= 80
    at = next(number for number, line in enumerate(lines) if "172.30.0.2/24" in line)
    assert lines[at + 1].split() == ["fd30::2/64"]


def test_lines_do_not_end_in_spaces(capsys: pytest.CaptureFixture[str]) -> None:
    write_rows(rows(), COLUMNS)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [line.rstrip() for line in lines]
    assert len(lines) == 4
