"""Pages that make labs on this machine and take them away, followed as a reader would."""

import secrets
from collections.abc import Iterator

import pytest
from tests.docker.pages import REPOSITORY, Popen, chapters, follow, here

from dockerlab import Lab
from dockerlab.lab import remove

PAGES = (
    ("contrib/lab/README.md", ""),
    ("docs/overlay.md", "See it"),
    ("docs/overlay.md", "Past the tunnel: `-o direct=true`"),
)


@pytest.fixture
def machine() -> Iterator[Popen]:
    """This machine, where a lab has a name of the test's own; the page has to take it away."""
    name = f"t{secrets.token_hex(3)}"
    yield here(PYFLAT_LAB=name)
    if name in Lab.names():
        remove(name)
        pytest.fail("the page left its lab behind")


@pytest.mark.parametrize(("page", "chapter"), PAGES)
def test_a_chapter_does_what_the_page_says(machine: Popen, page: str, chapter: str) -> None:
    differences = follow(chapters(REPOSITORY / page)[chapter], {"": machine})
    assert not differences, "\n\n".join(differences)
