"""pyflat as systemd runs it: its socket, its signs of life, its units."""

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.support.notices import Notices, notices
from tests.support.serving import ACTIVATE, PROGRAM, Serving, serving, workers_of
from tests.support.unix_http import post
from tests.support.witness import eventually, run

from dockerlab import packages

pytestmark = pytest.mark.quick


@pytest.fixture(scope="module", autouse=True)
def programs() -> None:
    packages.ensure(["systemd"])


@pytest.fixture
def plugin(namespace: None) -> Iterator[Serving]:
    with serving() as plugin:
        plugin.socket.parent.mkdir()
        yield plugin


@pytest.fixture
def told(plugin: Serving) -> Iterator[Notices]:
    with notices(plugin.socket.parent) as told:
        yield told


def activated(plugin: Serving, **variables: str) -> subprocess.Popen[str]:
    """Have the plugin's socket made by somebody else, who starts it with the first request."""
    words = [f"--setenv={name}={value}" for name, value in variables.items()]
    listen = f"--listen={plugin.socket}"
    process = plugin.start("systemd-socket-activate", listen, *words)
    assert process.stderr is not None
    assert process.stderr.readline().startswith("Listening on ")
    return process


def test_the_socket_is_neither_made_nor_removed(plugin: Serving) -> None:
    for _ in range(2):
        process = activated(plugin)
        assert plugin.answers()
        inode = plugin.socket.stat().st_ino
        process.terminate()
        _, errors = process.communicate(timeout=10)
        assert (process.returncode, "Traceback" in errors) == (0, False)
        assert plugin.socket.stat().st_ino == inode


def test_it_is_ready_once_state_is_recovered_and_answers_who_has_waited(
    plugin: Serving, told: Notices
) -> None:
    plugin.state.mkdir()
    process = activated(plugin, NOTIFY_SOCKET=str(told.path))
    with (plugin.state / "worker.lock").open("w") as predecessor, ThreadPoolExecutor(2) as pool:
        fcntl.flock(predecessor, fcntl.LOCK_EX)
        asked = [pool.submit(post, plugin.socket, ACTIVATE) for _ in range(2)]
        assert eventually(lambda: PROGRAM.name in comm(process.pid) and workers_of(process) != [])
        assert told.take(1) is None
        assert not any(each.done() for each in asked)
        fcntl.flock(predecessor, fcntl.LOCK_UN)
        assert told.take(5) == "READY=1"
        assert [each.result()[0] for each in asked] == [200, 200]


def comm(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text()


def test_it_gives_signs_of_life_until_it_is_stuck(plugin: Serving, told: Notices) -> None:
    master = plugin.start("env", f"NOTIFY_SOCKET={told.path}", "WATCHDOG_USEC=1000000")
    assert told.take(5) == "READY=1"
    for _ in range(5):
        start = time.monotonic()
        assert told.take(1) == "WATCHDOG=1"
    assert time.monotonic() - start > 0.2, "one after the other, without a pause"
    (worker,) = workers_of(master)
    os.kill(worker, signal.SIGSTOP)
    told.forget()
    assert told.take(2) is None
    os.kill(worker, signal.SIGCONT)
    assert told.take(1) == "WATCHDOG=1"


def test_a_new_worker_says_that_it_is_ready_and_gives_signs_of_life(
    plugin: Serving, told: Notices
) -> None:
    master = plugin.start("env", f"NOTIFY_SOCKET={told.path}", "WATCHDOG_USEC=1000000")
    assert told.take(5) == "READY=1"
    (worker,) = workers_of(master)
    os.kill(worker, signal.SIGKILL)
    assert eventually(lambda: told.take(5) == "READY=1")
    assert told.take(1) == "WATCHDOG=1"


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The folder with the units that the command writes."""
    folder = tmp_path / "etc/systemd/system"
    folder.mkdir(parents=True)
    run(str(PROGRAM), "install-service", "--prefix", str(tmp_path))
    return folder


def analyzed(*words: str) -> tuple[int, str]:
    done = subprocess.run(("systemd-analyze", *words), capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_systemd_has_nothing_to_say_against_the_units(units: Path) -> None:
    files = sorted(map(str, units.iterdir()))
    assert len(files) == 2
    assert analyzed("verify", "--man=no", *files) == (0, "")


def test_the_service_is_confined(units: Path) -> None:
    service = str(units / "pyflat.service")
    status, text = analyzed("security", "--offline=true", "--threshold=35", "--no-pager", service)
    assert status == 0, text
