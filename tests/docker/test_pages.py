"""Pages about what is seen on one host: their commands, typed where there is what they speak of."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import OLDEST
from tests.docker.client import Docker
from tests.docker.pages import REPOSITORY, chapters, follow
from tests.docker.starting import bare_lab, start

from dockerlab.host import Host

pytestmark = pytest.mark.engine("28.5")

PAGES: tuple[tuple[str, str], ...] = (
    ("docs/doctor.md", "`pyflat why`"),
    ("docs/engines.md", "What differs from Docker's bridge"),
    ("docs/firewall.md", ""),
    ("docs/see.md", "The picture"),
    ("docs/see.md", "For programs"),
    ("docs/firewall.md", "When somebody else changes it"),
)


@pytest.fixture(scope="module")
def host(engine: str) -> Iterator[Host]:
    """A host with two networks, of a web server and its neighbour, and of a database."""
    with bare_lab(engine) as lab:
        host = lab.host("h1")
        start(host)
        docker = Docker(host)
        docker.network("lan", "--subnet", "10.90.0.0/24")
        docker.network("back", "--subnet", "10.91.0.0/24")
        docker.web("web", "--network", "lan", "-P", "--expose", "80")
        docker.run("near", "--network", "lan")
        docker.web("db", "--network", "back")
        yield host


@pytest.mark.parametrize(("page", "chapter"), PAGES)
def test_what_a_page_shows_is_what_a_host_writes(
    host: Host, engine: str, page: str, chapter: str, tmp_path: Path
) -> None:
    steps = chapters(REPOSITORY / page)[chapter]
    # Nobody whom Docker could ask for a name is there; the oldest says nothing then.
    instead = {"has no answer": "does not answer"} if engine == OLDEST else {}
    differences = follow(steps, {"": host.popen}, instead, tmp_path)
    assert not differences, "\n\n".join(differences)
