"""Pictures and the page of the benchmark, from results that are made up."""

from pathlib import Path

import pytest

from dockerbench import page, plots
from dockerbench.peers import KERNEL, PEER
from dockerbench.results import Line, Outcome, compare, figure

EQUAL = ([1.0, 1.1], [1.0, 1.0])


def ratio(
    value: float, *, peer: str = PEER, limit: float | None = None, at_least: bool = False
) -> Line:
    """Give a line with this ratio, whose A/A reaches 0.1 from 1."""
    return compare(
        1, f"at {value}", [value] * 2, [1.0] * 2,
        peer=peer, limit=limit, at_least=at_least, control=EQUAL,
    )  # fmt: skip


def grown(size: int, value: float) -> Line:
    return compare(6, "connect", [value], [1.0], peer="1 endpoint", series="connects", size=size)


@pytest.mark.parametrize(
    ("line", "loses"),
    [
        (ratio(1.2), True),
        (ratio(1.05), False),
        (ratio(0.8), False),
        (ratio(0.8, at_least=True), True),
        (ratio(0.95, at_least=True), False),
        (ratio(1.2, at_least=True), False),
        (ratio(1.2, peer=KERNEL), False),
        (ratio(0.8, limit=0.5), True),
        (figure(14, "memory", [70.0], "MB", limit=60.0), True),
        (figure(14, "memory", [50.0], "MB", limit=60.0), False),
    ],
)
def test_pyflat_loses_where_it_is_worse_than_docker_or_misses_a_mark(
    line: Line, loses: bool
) -> None:
    assert bool(list(page.losses({"case": Outcome([line])}))) is loses


def test_a_spread_that_reaches_the_peer_is_no_loss() -> None:
    line = compare(1, "it", [0.9, 1.5, 1.5], [1.0] * 3, peer=PEER)
    assert not list(page.losses({"case": Outcome([line])}))


OUTCOMES = {
    "lifecycle": Outcome([ratio(1.2), ratio(0.5, limit=0.6)], how="one after another"),
    "traffic": Outcome([ratio(2.0, at_least=True)]),
    "growth": Outcome([grown(100, 1.1), grown(500, 1.2)]),
    "remotes": Outcome([], failed="not measured: no etcd"),
}


def test_there_is_a_picture_of_each_kind_as_svg_and_png(tmp_path: Path) -> None:
    names = plots.write(tmp_path, OUTCOMES)
    assert names == ["bench-control", "bench-data", "bench-growth"]
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{name}.{end}" for name in names for end in ("svg", "png")
    }
    control = (tmp_path / "bench-control.svg").read_text()
    assert "at 1.2" in control
    assert "at 2.0" not in control
    assert "connects" in (tmp_path / "bench-growth.svg").read_text()


def test_a_spread_that_reaches_below_nothing_is_drawn_to_the_edge(tmp_path: Path) -> None:
    line = compare(1, "what it adds", [-0.5, 0.5, 0.5], [1.0] * 3, peer=PEER)
    plots.write(tmp_path, {"lifecycle": Outcome([line, ratio(2.0)])})
    assert "what it adds" in (tmp_path / "bench-control.svg").read_text()


def test_the_same_results_give_the_same_files(tmp_path: Path) -> None:
    for folder in ("one", "other"):
        plots.write(tmp_path / folder, OUTCOMES)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes()


def test_without_results_there_is_no_picture(tmp_path: Path) -> None:
    assert plots.write(tmp_path, {"lifecycle": Outcome([], failed="no")}) == []


def test_the_page_tells_all(tmp_path: Path) -> None:
    page.publish(OUTCOMES, {"kernel": "6.1", "commit": "abc"}, tmp_path)
    text = (tmp_path / "benchmarks.md").read_text()
    assert "| kernel | 6.1 |\n| commit | abc |\n\n## How to read it" in text
    assert "- `lifecycle`: at 1.2: 1.2 ms against 1.0 ms, 1.20 (1.20–1.20) of bridge\n" in text  # noqa: RUF001
    assert "one after another" in text
    assert "not measured: no etcd" in text
    assert "| 1 | at 0.5 | 0.500 ms | bridge | 1.0 ms |" in text
    for picture in ("control", "data", "growth"):
        assert f"](images/bench-{picture}.svg)" in text
        assert (tmp_path / f"images/bench-{picture}.svg").exists()


def test_a_page_without_a_loss_says_so(tmp_path: Path) -> None:
    page.publish({"lifecycle": Outcome([ratio(0.5)])}, {}, tmp_path)
    assert "\n\nNone in this run.\n\n" in (tmp_path / "benchmarks.md").read_text()
