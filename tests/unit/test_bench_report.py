"""The lines of the benchmark's report, by what is better: less or more."""

from pathlib import Path

import pytest

from dockerbench import peers, report
from dockerbench.peers import OURS, OURS_AGAIN, PEER, PEER_AGAIN
from dockerbench.results import Line, Outcome
from dockerbench.sampling import Verdict

#: pyflat has twice as much as its peers, whose control says that 10 % are noise.
SAMPLES = {
    "it": {
        OURS: [2.0, 2.0],
        OURS_AGAIN: [2.0, 2.0],
        PEER: [1.0, 1.0],
        PEER_AGAIN: [1.0, 1.1],
        "other": [4.0, 4.0],
        "other again": [4.0, 4.0],
    }
}


def line(limit: float, *, at_least: bool) -> Line:
    return peers.line(7, "it", SAMPLES, "it", limit, unit="/s", at_least=at_least)


@pytest.mark.parametrize(
    ("limit", "at_least", "verdict"),
    [
        (2.0, True, Verdict.HELD),
        (2.1, True, Verdict.TIED),
        (3.0, True, Verdict.MISSED),
        (2.0, False, Verdict.HELD),
        (1.9, False, Verdict.TIED),
        (1.0, False, Verdict.MISSED),
    ],
)
def test_noise_excuses_as_much_on_either_side(
    limit: float, at_least: bool, verdict: Verdict
) -> None:
    assert line(limit, at_least=at_least).verdict is verdict


def test_another_variant_is_compared_with_its_own_control() -> None:
    found = peers.line(8, "it", SAMPLES, "it", None, peer="other")
    assert (found.value.median, found.peers) == (0.5, 4.0)
    assert found.control is not None
    assert found.control.high == 1.0


def test_the_report_says_which_side_is_allowed_and_in_what_unit(tmp_path: Path) -> None:
    lines = [line(2.0, at_least=True), line(2.0, at_least=False)]
    report.write(tmp_path, {"case": Outcome(lines)}, {})
    rows = (tmp_path / "results.md").read_text().splitlines()[2:4]
    cells = [[cell.strip() for cell in row.split("|")] for row in rows]
    assert [row[7] for row in cells] == ["≥ 2.00", "≤ 2.00"]
    assert cells[0][3:6] == ["2.0 /s", "bridge", "1.0 /s"]


def test_small_amounts_keep_their_digits(tmp_path: Path) -> None:
    samples = {"it": {name: [value / 20 for value in of] for name, of in SAMPLES["it"].items()}}
    small = peers.line(4, "it", samples, "it", None)
    report.write(tmp_path, {"case": Outcome([small])}, {})
    assert "| 0.100 ms | bridge | 0.050 ms |" in (tmp_path / "results.md").read_text()
