"""A state that is damaged or gone: refused in a clear line, and had back by ``pyflat rebuild``."""

import pytest
from tests.docker.client import Container, Docker
from tests.docker.plugin import answers
from tests.docker.reach import INTERNET, ask, pings, server_of
from tests.docker.traces import DATABASE, Traces, difference, traces

from dockerlab import Lab
from dockerlab.host import Host
from dockerlab.processes import wait_until

pytestmark = [pytest.mark.engine("28.5"), pytest.mark.placements]

SUBNET, SUBNET6 = "10.90.0.0/24", "fd90::/64"
DAMAGE = {
    "garbage": "head -c 8192 /dev/urandom > {}",
    "cut in half": "truncate -s 9000 {}",
    "emptied": "truncate -s 0 {}",
    "removed": "rm {}",
}


@pytest.fixture
def web(docker: Docker) -> Container:
    """Two networks with containers; one of each address manager."""
    docker.network("blue", "--ipv6", "--subnet", SUBNET, "--subnet", SUBNET6, "--ip-range",
                   "10.90.0.128/25")  # fmt: skip
    docker.network("green", "--ipam-driver", "pyflat", "-o", "antispoof=true")
    docker.network("empty", "--internal", "-o", "com.docker.network.bridge.name=empty0")
    docker.run("near", "--network", "green", "-p", "8000-8010:80/udp")
    ports = ("-p", "81:80", "-p", "127.0.0.1:82:80", "-p", "7000-7099:7000-7099", "-p", "80")
    web = docker.web("web", "--network", "blue", *ports)
    docker("network", "connect", "green", "web")
    return web


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=list(DAMAGE))
def test_a_lost_state_is_refused_and_had_back_from_docker(
    web: Container, docker: Docker, lab: Lab, damage: str
) -> None:
    host = docker.host
    before = traces(host)
    host.pyflat.stop()
    _damage(host, damage)
    assert "pyflat rebuild" in _refusal(host)
    # Nothing was touched: what was made for containers works on.
    assert server_of(lab.outside, host.address4, 81) == "web"
    done = host.run("pyflat", "rebuild", check=True).stdout
    assert done == "3 networks, 3 endpoints, 2 with published ports; start the plugin now\n"
    host.pyflat.start()
    assert answers(host)
    assert _changed(before, traces(host)) == []
    assert host.run("pyflat", "plan").returncode == 0
    assert ask(lab.outside, host.address6, 81) is not None
    assert pings(docker.run("late", "--network", "blue"), INTERNET[4])
    # Whatever Docker gives back is known again.
    docker("rm", "-f", "web", "near", "late")
    docker("network", "rm", "blue", "green", "empty")


def test_it_is_not_rebuilt_under_a_running_plugin(web: Container, docker: Docker) -> None:
    done = docker.host.run("pyflat", "rebuild")
    assert done.returncode == 1
    assert "another pyflat uses the state folder" in done.stderr


def test_without_docker_nothing_is_rebuilt_and_nothing_lost(web: Container, docker: Docker) -> None:
    host = docker.host
    before = traces(host)
    host.pyflat.stop()
    done = host.run("env", "DOCKER_HOST=unix:///run/nothing.sock", "pyflat", "rebuild")
    assert done.returncode == 1
    assert "Docker does not answer at unix:///run/nothing.sock" in done.stderr
    host.pyflat.start()
    assert answers(host)
    assert difference(before, traces(host)) == []


def _damage(host: Host, command: str) -> None:
    # What was in the log goes, too: SQLite would mend the file from it.
    database = host.path(DATABASE)
    for log in database.parent.glob(f"{database.name}-*"):
        log.unlink()
    host.run("sh", "-c", command.format(DATABASE), check=True)


def _refusal(host: Host) -> str:
    """Start pyflat, which refuses, and give its last line."""
    host.pyflat.start(wait=False)
    assert wait_until(lambda: not host.pyflat.running, 10)
    return host.pyflat.log_end(1)


def _changed(before: Traces, after: Traces) -> list[str]:
    """What is otherwise, but for the times that records bear."""
    return [line for line in difference(before, after) if not line[2:].startswith("record ")]
