"""The tutorial, chapter by chapter, as a reader would follow it on two hosts; and how other pages
begin."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.docker.client import Docker
from tests.docker.pages import REPOSITORY, blocks, chapters, failed, follow
from tests.docker.starting import bare_lab, start

from dockerlab import parallel
from dockerlab.host import Host
from dockerlab.processes import wait_until
from dockerlab.traces import NAMESPACE, Trace, Traces, difference, traces

pytestmark = pytest.mark.engine("28.5")

PAGE = "docs/tutorial.md"
CHAPTERS = chapters(REPOSITORY / PAGE)
#: Pages that do not show the ids that are written.
BEGINNINGS = (("README.md", "A network"), ("docs/addresses.md", ""))
PAGES = (*((PAGE, chapter) for chapter in CHAPTERS), *BEGINNINGS)
#: Seconds in which the interfaces of deleted namespaces have to go.
GRACE = 5


@pytest.fixture(scope="module")
def hosts(engine: str) -> Iterator[Mapping[str, Host]]:
    """The two hosts by the page's prompts; the plain one is that of the first."""
    with bare_lab(engine, hosts=2) as lab:
        parallel.each(_prepare, lab.hosts)
        alpha, beta = lab.hosts
        yield {"": alpha, "alpha": alpha, "beta": beta}


def _prepare(host: Host) -> None:
    start(host)
    host.load_image("flask-redis")
    # Hosts of a lab share what they see of /etc.
    host.run("mount", "--mkdir", "-t", "tmpfs", "none", "/etc/netns", check=True)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_does_what_the_page_says_and_takes_it_away(
    hosts: Mapping[str, Host], chapter: str
) -> None:
    both = hosts["alpha"], hosts["beta"]
    before = [_traces(host) for host in both]
    differences = follow(CHAPTERS[chapter], {name: host.popen for name, host in hosts.items()})
    assert not differences, "\n\n".join(differences)
    wait_until(lambda: [_traces(host) for host in both] == before, GRACE, 0.2)
    for host, seen in zip(both, before, strict=True):
        assert difference(seen, _traces(host)) == []


@pytest.mark.parametrize(("page", "chapter"), BEGINNINGS)
def test_the_commands_that_a_page_begins_with_work(
    hosts: Mapping[str, Host], page: str, chapter: str
) -> None:
    docker = Docker(hosts["alpha"])
    _have_nginx(docker)
    differences = failed(chapters(REPOSITORY / page)[chapter], docker.host.popen)
    docker.remove_all()
    assert differences == {}


def _have_nginx(docker: Docker) -> None:
    """Give the host an image of this name, as far as pages need it: a web server."""
    docker("run", "--name", "nginx", "busybox", "sh", "-c", "echo welcome >/tmp/index.html")
    command = 'CMD ["httpd", "-f", "-h", "/tmp"]'
    docker("commit", "--change", command, "nginx", "nginx")
    docker("rm", "nginx")


def test_every_block_of_the_page_is_run_or_a_drawing() -> None:
    assert {block.language for block in blocks(REPOSITORY / PAGE)} == {"console", "text"}


def _traces(host: Host) -> Traces:
    """All traces of a host, and its namespaces but for that of overlays, which stays."""
    named = host.run("ip", "netns", "list", check=True).stdout.splitlines()
    namespaces = {name.split()[0] for name in named} - {Path(NAMESPACE).name}
    return traces(host) + Counter(Trace("namespace", name) for name in namespaces)
