"""The page for those who run pyflat as a service, chapter by chapter on a machine that systemd
boots: what it says of a container that runs meanwhile, too."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.docker.pages import REPOSITORY, chapters, failed, follow
from tests.support.guest import ORIGIN, SERVER, Guest, add_underlay, answers
from tests.support.witness import eventually

from pyflat.folder import CHECK

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]

PAGES = (
    ("README.md", "Install"),
    ("docs/operations.md", "When Docker was started first"),
    ("docs/operations.md", "Settings"),
    ("docs/operations.md", "The namespace of bridges"),
    ("docs/operations.md", "Back up"),
    ("docs/operations.md", "Restore"),
    ("docs/operations.md", "Rebuild"),
    ("docs/operations.md", "Upgrade, stop and start"),
    ("docs/operations.md", "Uninstall"),
)
INSTALL, LATE, SETTINGS, NAMESPACE, BACK_UP, RESTORE, REBUILD, UPGRADE, UNINSTALL = (
    chapters(REPOSITORY / page)[chapter] for page, chapter in PAGES
)
PORT = "127.0.0.1:81"
NEWER = f"""
git clone --quiet {ORIGIN} /root/newer && cd /root/newer
sed --in-place 's/^__version__ = .*/__version__ = "99.0"/' plugin/pyflat/__init__.py
git -c user.name=- -c user.email=- commit --quiet --all --message=newer
git push --quiet
"""


@pytest.fixture(scope="module")
def host(booted: Guest) -> Guest:
    """A machine with pyflat and a network, and a container that is to be there always."""
    # The page does not show what these write.
    assert failed(INSTALL, booted.popen) == {}
    booted.run("docker", "run", "-d", "--name=web", "--network=lan", "--restart=always", "-p81:80",
               "busybox", "sh", "-c", SERVER)  # fmt: skip
    return booted


@pytest.fixture
def running(host: Guest) -> Iterator[None]:
    """The container runs on, with all that it has of pyflat, and others reach it."""
    before = picture(host)
    yield
    assert eventually(lambda: answers(host, PORT), 10)
    assert picture(host) == before
    host.run("pyflat", "plan")
    ask = ("wget", "-qO-", "http://web/")
    assert host.run("docker", "run", "--rm", "--network=lan", "busybox", *ask) == "well\n"


def picture(host: Guest) -> list[str]:
    """Give what there is of the container, for Docker, for pyflat and for the kernel."""
    seen = "{{.State.StartedAt}} {{json .NetworkSettings.Networks}}"
    return [
        host.run("docker", "inspect", "--format", seen, "web"),
        *(host.run("pyflat", what) for what in ("networks", "endpoints", "ports", "pools")),
        host.run("ip", "-oneline", "link"),
    ]


def told(host: Guest, message: str) -> int:
    """Give how often the service has said something."""
    return host.run("journalctl", "--boot", "--unit=pyflat.service").count(message)


def state_of(host: Guest, unit: str) -> str:
    return host.run("systemctl", "is-active", unit, check=False).strip()


def test_a_docker_that_was_started_without_pyflat_is_told_of(host: Guest) -> None:
    message = "Docker was started before pyflat"
    host.run("systemctl", "stop", "pyflat.socket")
    before = told(host, message)
    # Later than the next sign of life would have been.
    time.sleep(CHECK + 1)
    host.run("systemctl", "restart", "--no-block", "docker.service")
    assert eventually(lambda: state_of(host, "docker.service") != "active", 60)
    assert eventually(lambda: state_of(host, "docker.service") == "active", 180)
    host.run("systemctl", "start", "pyflat.service")
    assert told(host, message) == before + 1
    assert not answers(host, PORT)
    assert follow(LATE, {"": host.popen}) == []
    assert eventually(lambda: answers(host, PORT), 10)


@pytest.mark.usefixtures("running")
def test_settings_are_those_of_a_file_beside_the_unit(host: Guest) -> None:
    with changed(host):
        assert follow(SETTINGS, {"": host.popen}) == []
        environment = host.run("sh", "-c", "cat /proc/$(pgrep -of 'pyflat serve')/environ")
        assert "PYFLAT_UPLINKS=tun0\0" in environment
        before = told(host, "DEBUG")
        host.run("docker", "network", "create", "-d", "pyflat", "other")
        assert told(host, "DEBUG") > before
        host.run("docker", "network", "rm", "other")


@pytest.mark.usefixtures("running")
def test_without_the_namespace_all_bridges_lie_with_the_host(host: Guest) -> None:
    create = "docker network create -d pyflat --subnet=10.42.0.0/24"
    with changed(host):
        assert follow(NAMESPACE, {"": host.popen}) == []
        add_underlay(host)
        host.run("sh", "-ec", f"{create} -o vni=42 -o peers=192.0.2.2 blue")
        assert host.run("sh", "-c", "ls /sys/class/net | grep --count pf-") == "2\n"
        host.run("docker", "network", "rm", "blue")
        host.run("ip", "link", "delete", "eth0")
        refused = host.run("sh", "-c", f"! {create} -o namespace=own blue 2>&1")
        assert "PYFLAT_NAMESPACE and CAP_SYS_ADMIN" in refused


@contextmanager
def changed(host: Guest) -> Iterator[None]:
    """Take away what a context has put beside the unit."""
    try:
        yield
    finally:
        host.run("rm", "-r", "/etc/systemd/system/pyflat.service.d")
        host.run("systemctl", "daemon-reload")
        host.run("systemctl", "restart", "pyflat.service")


@pytest.mark.usefixtures("running")
def test_a_copy_brings_back_a_state_that_was_lost(host: Guest) -> None:
    assert follow(BACK_UP, {"": host.popen}) == []
    lose_state(host)
    assert follow(RESTORE, {"": host.popen}) == []


@pytest.mark.usefixtures("running")
def test_a_state_that_was_lost_is_made_anew(host: Guest) -> None:
    lose_state(host)
    assert follow(REBUILD, {"": host.popen}) == []


def lose_state(host: Guest) -> None:
    """Have pyflat refuse to start; the container runs on."""
    message = "nothing is there, but this host has networks of pyflat"
    before = told(host, message)
    host.run("sh", "-c", "systemctl stop pyflat.socket pyflat.service; rm /var/lib/pyflat/*")
    host.run("systemctl", "start", "--no-block", "pyflat.socket", "pyflat.service")
    assert eventually(lambda: told(host, message) > before, 10)
    assert answers(host, PORT)


@pytest.mark.usefixtures("running")
def test_an_upgrade_is_what_runs_afterwards(host: Guest) -> None:
    host.run("sh", "-ec", NEWER)
    assert follow(UPGRADE, {"": host.popen}) == []
    assert "99.0" in host.run("pyflat", "status").splitlines()[0]


def test_uninstalling_leaves_the_state_and_nothing_else(host: Guest) -> None:
    host.run("docker", "rm", "-f", "web")
    host.run("docker", "network", "rm", "lan")
    assert follow(UNINSTALL, {"": host.popen}) == []
    assert host.run("sh", "-c", "ls /etc/systemd/system/*/pyflat.* || true") == ""
    assert host.run("ls", "/run/docker/plugins") == ""
    assert host.run("ps", "-eo", "args=").count("pyflat serve") == 0
    host.run("ls", "/var/lib/pyflat/pyflat.db")
