"""Parts of hand-written pages that a program writes, ``<!-- NAME -->`` to ``<!-- end -->``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path


def read(page: Path, name: str) -> str:
    """Give the part of this name; ValueError if the page does not have exactly one."""
    return _split(page, name)[1]


def write(page: Path, name: str, text: str) -> None:
    """Put other text into the part of this name; ValueError as by `read`."""
    before, _, after = _split(page, name)
    page.write_text(f"{before}{text}{after}")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table of Markdown; a bar within a cell does not end it."""
    lines = (" | ".join(cell.replace("|", r"\|") for cell in row) for row in (head, *rows))
    first, *rest = (f"| {line} |\n" for line in lines)
    return "".join((first, "|---" * len(head) + "|\n", *rest))


def _split(page: Path, name: str) -> tuple[str, str, str]:
    """Give what is before, in and after the part, the markers being outside."""
    begin, end = f"<!-- {name} -->\n", "<!-- end -->\n"
    before, *found = page.read_text().split(begin)
    if len(found) != 1 or end not in found[0]:
        raise ValueError(f"{page}: there must be one {begin.strip()} with an end")
    text, _, after = found[0].partition(end)
    return before + begin, text, end + after
