"""Results outlive a run, and another run goes on where it has ended."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dockerbench import cases, facts
from dockerbench.__main__ import main
from dockerbench.kept import Kept, Key
from dockerbench.results import Outcome, compare, figure
from dockerbench.rounds import Run
from dockerlab import LabError

KEY = Key(commit="abc", engine="28.5", quick=True)
OUTCOME = Outcome(
    [
        compare(1, "it", [1.0, 2.0], [2.0, 2.0], peer="bridge", control=([1.0, 1.0], [1.0, 1.0])),
        figure(2, "that", [1.0], "MB", limit=3.0),
    ],
    {"it": {"pyflat": [1.0, 2.0]}},
    how="so",
)


def test_what_is_kept_is_what_was_found(tmp_path: Path) -> None:
    Kept(tmp_path, KEY).put("case", {"kernel": "6"}, OUTCOME)
    record = Kept(tmp_path, KEY).get("case")
    assert record is not None
    assert (record.outcome, record.facts) == (OUTCOME, {"kernel": "6"})


@pytest.mark.parametrize(
    "other",
    [
        Key("abd", "28.5", quick=True),
        Key("abc", "26.1", quick=True),
        Key("abc", "28.5", quick=False),
    ],
    ids=["commit", "engine", "length"],
)
def test_results_of_another_kind_do_not_count(tmp_path: Path, other: Key) -> None:
    Kept(tmp_path, KEY).put("case", {}, OUTCOME)
    assert Kept(tmp_path, other).get("case") is None


def test_a_file_that_cannot_be_read_is_no_result(tmp_path: Path) -> None:
    Kept(tmp_path, KEY).put("case", {}, OUTCOME)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-9])
    assert Kept(tmp_path, KEY).get("case") is None


def test_a_case_that_has_failed_is_kept_and_has_not_ended(tmp_path: Path) -> None:
    kept = Kept(tmp_path, KEY)
    kept.put("case", {}, Outcome([], failed="no"))
    assert kept.all_of(["case", "other"]).keys() == {"case"}
    assert not kept.has("case")


def test_facts_of_several_cases_are_told_once_and_times_are_added() -> None:
    told = [
        {"kernel": "6", "took": "10 s", "load": "1"},
        {"kernel": "6", "took": "5 s", "load": "2"},
    ]
    assert facts.merged(told) == {"kernel": "6", "took": "15 s", "load": "1, 2"}


class Cases:
    """Three cases, of which the second does what it is told."""

    def __init__(self, second: Callable[[], None]) -> None:
        self.second = second
        self.done: list[str] = []

    def of(self, name: str) -> Callable[[Run], Outcome]:
        def measure(_: Run) -> Outcome:
            if name == "second":
                self.second()
            self.done.append(name)
            return OUTCOME

        return measure


def interrupt() -> None:
    raise KeyboardInterrupt


def fail() -> None:
    raise LabError("no")


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Cases:
    known = Cases(lambda: None)
    names = ("lifecycle", "second", "third")
    monkeypatch.setattr(cases, "CASES", {name: known.of(name) for name in names})
    return known


def bench(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["--write", str(folder), *words])


@pytest.mark.parametrize("trouble", [interrupt, fail])
def test_a_run_goes_on_after_what_has_ended(
    tmp_path: Path, known: Cases, trouble: Callable[[], None]
) -> None:
    known.second = trouble
    assert bench(tmp_path).exit_code == 1
    assert "lifecycle" in known.done
    ended, known.done, known.second = known.done, [], lambda: None
    assert bench(tmp_path, "--resume").exit_code == 0
    assert sorted(known.done + ended) == ["lifecycle", "second", "third"]


def test_a_run_that_does_not_go_on_measures_all_anew(tmp_path: Path, known: Cases) -> None:
    bench(tmp_path)
    bench(tmp_path)
    assert known.done == ["lifecycle", "second", "third"] * 2


def test_a_run_writes_tables_and_pictures(tmp_path: Path, known: Cases) -> None:
    assert bench(tmp_path).exit_code == 0
    written = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert written == {"results.json", "results.md", "bench-control.svg", "bench-control.png"}


def test_a_quick_run_leaves_out_what_takes_long_unless_it_is_named() -> None:
    assert set(cases.CASES) - set(cases.chosen([], quick=True)) == cases.LONG
    assert cases.chosen(["recovery"], quick=True) == ["recovery"]
    assert cases.chosen([], quick=False) == list(cases.CASES)
