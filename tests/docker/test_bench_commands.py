"""The commands that measure and wear out, as their page has them."""

import shlex
from importlib import import_module

import pytest
from tests.docker.pages import REPOSITORY, Shell, chapters, failed, here

PAGES = (("contrib/bench/README.md", ""), ("contrib/bench/README.md", "soak: lives and kills"))
STEPS = [step for page, chapter in PAGES for step in chapters(REPOSITORY / page)[chapter]]
#: What tells the commands that take minutes from those that take up to an hour.
SHORT = ("lifecycle", "--minutes 1 ")
#: Seconds that one of them may take.
LONGEST = 600


@pytest.mark.parametrize("command", [step.command for step in STEPS])
def test_make_has_a_program_take_the_words_of_the_page(command: str) -> None:
    shell = Shell(here())
    wrote, status = shell.type(command.replace("make", "make --dry-run", 1))
    shell.end()
    assert status == 0
    name, *words = shlex.split(wrote.splitlines()[-1].partition(" -m ")[2])
    assert import_module(f"{name}.__main__").main.make_context(name, words).command


@pytest.mark.full
@pytest.mark.timeout(2 * LONGEST)
@pytest.mark.parametrize("word", SHORT)
def test_what_takes_minutes_ends_well(word: str) -> None:
    (step,) = (step for step in STEPS if word in step.command)
    assert failed([step], here(), LONGEST) == {}
