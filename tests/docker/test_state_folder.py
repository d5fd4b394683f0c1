"""A file system that takes no more: full, or read-only. What runs goes on; the rest is refused."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.docker.client import Container, Docker
from tests.docker.crash import age_endpoints, start_pyflat
from tests.docker.reach import server_of
from tests.docker.traces import difference, traces

from dockerlab import Lab
from dockerlab.host import Host
from dockerlab.processes import wait_until

pytestmark = pytest.mark.engine("28.5")

FOLDER = "/var/lib/pyflat"
FULL = f"state {FOLDER}/pyflat.db: database or disk is full"
READ_ONLY = f"state folder {FOLDER}: Read-only file system"


@pytest.fixture
def web(docker: Docker) -> Container:
    """A web server on port 81 of the host, and a neighbour."""
    docker.network("blue")
    docker.run("near", "--network", "blue")
    return docker.web("web", "--network", "blue", "-p", "81:80")


@pytest.fixture
def small(web: Container) -> Iterator[Host]:
    """The host, its state in a file system of its own that is soon full."""
    host = web.docker.host
    outside = str(host.path(FOLDER))
    with _stopped(host):
        host.run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", FOLDER, check=True)
        host.run("cp", "-a", f"{outside}/.", FOLDER, check=True)
    yield host
    with _stopped(host):
        host.run("cp", "-a", f"{FOLDER}/.", outside, check=True)
        host.run("umount", FOLDER, check=True)
        # What could not be said when its time had come is found at a start.
        age_endpoints(host)
    assert host.run("pyflat", "plan").returncode == 0


@contextmanager
def _stopped(host: Host) -> Iterator[None]:
    host.pyflat.stop()
    yield
    start_pyflat(host)


def works(web: Container, lab: Lab) -> bool:
    near = Container(web.docker, "near")
    return server_of(lab.outside, web.docker.host.address4, 81) == "web" and near.pings_name("web")


def test_without_room_nothing_is_begun_and_what_runs_goes_on(
    web: Container, small: Host, lab: Lab
) -> None:
    docker = web.docker
    docker.run("brief", "--network", "blue", "-p", "83:80")
    small.run("sh", "-c", f"cat /dev/zero >{FOLDER}/ballast")
    before = traces(small)
    error = docker.refused(*docker.words("late", "--network", "blue", "-p", "82:80"))
    assert FULL in error.splitlines()[0]
    assert FULL in docker.refused("network", "create", "-d", "pyflat", "green")
    assert FULL in small.pyflat.log_end(1)
    assert difference(before, traces(small)) == []
    docker("rm", "-f", "brief", "late")
    assert works(web, lab)
    assert small.run("pyflat", "plan").returncode == 0
    small.run("rm", f"{FOLDER}/ballast", check=True)
    docker.run("late", "--network", "blue", "-p", "82:80")
    docker.network("green")
    docker("rm", "-f", "late")
    docker("network", "rm", "green")
    assert works(web, lab)


def test_on_a_read_only_folder_it_does_not_start_and_says_so(
    web: Container, small: Host, lab: Lab
) -> None:
    before = traces(small)
    small.pyflat.stop()
    small.run("mount", "-o", "remount,ro", FOLDER, check=True)
    small.pyflat.start(wait=False)
    assert wait_until(lambda: not small.pyflat.running, 10)
    assert small.pyflat.log_end(1) == f"pyflat: {READ_ONLY}"
    assert works(web, lab)
    small.run("mount", "-o", "remount,rw", FOLDER, check=True)
    start_pyflat(small)
    assert difference(before, traces(small)) == []
    assert works(web, lab)
