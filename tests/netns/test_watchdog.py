"""What ends a ``pyflat serve`` that is stuck, and what must not make it stuck."""

import fcntl
import os
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPException
from pathlib import Path

import pytest
from tests.support import dockerd, stuck, witness
from tests.support.dockerd import docker_id
from tests.support.serving import ACTIVATE, Serving, serving
from tests.support.unix_http import post

LAN, WEB = docker_id("lan"), docker_id("web")
RUNNING = (
    dockerd.create_network(LAN, "172.30.0.0/24"),
    *dockerd.run(LAN, WEB, "172.30.0.2/24", "127.0.0.1:8080:80"),
)
DMZ = dockerd.create_network(docker_id("dmz"), "172.31.0.0/24")
# A look each half second for what takes too long.
STUCK = ("env", "WATCHDOG_USEC=1000000", sys.executable, stuck.__file__)


@pytest.fixture
def plugin(namespace: None) -> Iterator[Serving]:
    with serving() as plugin:
        yield plugin


def check_replaced(plugin: Serving, worker: int) -> None:
    """See that another worker has come and holds what the old one held."""
    assert witness.eventually(lambda: not alive(worker), 15)
    assert witness.eventually(plugin.answers, 15)
    assert plugin.worker != worker
    for call in RUNNING:
        plugin.send(call)
    assert witness.elements("port4") != []


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_a_request_that_is_never_answered_ends_the_worker(plugin: Serving) -> None:
    plugin.up_with_log(*STUCK)
    plugin.send(*RUNNING)
    worker, start = plugin.worker, time.monotonic()
    with pytest.raises((OSError, HTTPException)):
        post(plugin.socket, dockerd.endpoint_info(LAN, WEB))
    assert stuck.LIMIT < time.monotonic() - start < stuck.LIMIT + 3
    check_replaced(plugin, worker)
    lines = plugin.log.read_text().splitlines()
    assert [line for line in lines if line.startswith("CRITICAL")] == [
        "CRITICAL pyflat.deadline: /NetworkDriver.EndpointOperInfo has no answer after 4 s: "
        "this worker ends"
    ]
    assert any("stuck.py" in line and "_wait" in line for line in lines)


def test_a_worker_that_stands_still_is_replaced(plugin: Serving) -> None:
    plugin.up_with_log(*STUCK)
    plugin.send(*RUNNING)
    worker = plugin.worker
    os.kill(worker, signal.SIGSTOP)
    check_replaced(plugin, worker)


def test_a_database_that_another_keeps_locked_is_an_error_in_time(plugin: Serving) -> None:
    plugin.up_with_log()
    plugin.send(*RUNNING)
    with closing(sqlite3.connect(plugin.state / "pyflat.db", isolation_level=None)) as stranger:
        stranger.execute("BEGIN IMMEDIATE")
        before, start = witness.links(), time.monotonic()
        status, answer = post(plugin.socket, DMZ)
        assert (status, time.monotonic() - start < 3) == (500, True)
        assert "database is locked" in answer["Err"]
        assert witness.links() == before
        # Nor does it keep the plugin from a start.
        os.kill(plugin.worker, signal.SIGKILL)
        plugin.send(ACTIVATE)
    plugin.send(DMZ)


@pytest.fixture
def legacy(tmp_path: Path) -> tuple[str, ...]:
    """What has iptables be the legacy variant, with a lock that nobody else takes."""
    for name in ("iptables", "ip6tables"):
        program = shutil.which(f"{name}-legacy")
        assert program
        (tmp_path / name).symlink_to(program)
    path = f"PATH={tmp_path}:{os.environ['PATH']}"
    return "env", path, f"XTABLES_LOCKFILE={tmp_path / 'lock'}"


def test_a_lock_on_iptables_keeps_no_request_waiting(
    plugin: Serving, legacy: tuple[str, ...], tmp_path: Path
) -> None:
    plugin.up_with_log(*legacy)
    accepts = rules(tmp_path)
    assert len(accepts) == 1
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # So long that looks at the chains have begun, and failed.
        for _ in range(60):
            start = time.monotonic()
            plugin.send(ACTIVATE, *RUNNING)
            assert time.monotonic() - start < 2
            time.sleep(0.1)
    witness.run(str(tmp_path / "iptables"), "-F", "DOCKER-USER")
    assert witness.eventually(lambda: rules(tmp_path) == accepts)


def rules(folder: Path) -> list[str]:
    return witness.rules(str(folder / "iptables"), "DOCKER-USER")
