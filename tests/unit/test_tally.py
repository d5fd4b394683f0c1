"""The table at the end of a run, of a run of its own with tests that come to all there is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = "before\n<!-- tests -->\nold\n<!-- end -->\nafter\n"
TESTS = """
import pytest

@pytest.mark.parametrize("engine", ["28.5", "20.10"])
def test_on(engine):
    if engine == "20.10":
        pytest.skip("cannot")

@pytest.fixture
def untidy():
    yield
    raise OSError

def test_that_leaves_something(untidy):
    pass

def test_that_passes():
    pass
"""


@pytest.mark.parametrize("processes", ["0", "2"])
def test_what_tests_came_to_is_counted_by_folder_and_engine(tmp_path: Path, processes: str) -> None:
    page, tests = tmp_path / "page.md", tmp_path / "near"
    page.write_text(PAGE)
    tests.mkdir()
    (tests / "test_near.py").write_text(TESTS)
    (tests / "test_broken.py").write_text("import nothing_of_this_name\n")
    words = ("-m", "pytest", "-p", "tests.support.tally", "--last-result", str(page))
    run = subprocess.run(
        (sys.executable, *words, "--continue-on-collection-errors", f"-n{processes}", "near"),
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'contrib/bench'}"},
        capture_output=True,
        text=True,
    )
    before, text, after = page.read_text().partition("| near |  | 1 | 2 | 0 |")
    assert text, run.stdout
    assert before.startswith("before\n<!-- tests -->\n20")
    assert "\n| near | 20.10 | 0 | 0 | 1 | 0 |\n| near | 28.5 | 1 | 0 | 0 | 0 |\n" in after
    assert "\n| all |  | 2 | 2 | 1 | " in after
    assert after.endswith(" elapsed |\n<!-- end -->\nafter\n")
    assert "all                         2             2             1" in run.stdout
