"""Whether Docker was started while the plugin was away: two files tell."""

import os
import time
from pathlib import Path

import pytest

from pyflat import docker_api
from pyflat.folder import CHECK, last_alive, note_alive, note_end


@pytest.fixture
def pidfile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "docker.pid"
    monkeypatch.setattr(docker_api, "_PIDFILE", path)
    return path


def test_dockerd_was_started_when_its_pidfile_was_written(pidfile: Path) -> None:
    pidfile.write_text(f"{os.getpid()}\n")
    os.utime(pidfile, (1000, 2000))
    assert docker_api.started() == 2000


@pytest.mark.parametrize("content", ["", "x", str(2**22 + 1)], ids=["empty", "broken", "dead"])
def test_a_pidfile_without_a_process_is_no_dockerd(pidfile: Path, content: str) -> None:
    pidfile.write_text(content)
    assert docker_api.started() == 0


def test_without_a_pidfile_there_is_no_dockerd(pidfile: Path) -> None:
    assert docker_api.started() == 0


def test_the_plugin_may_have_lived_until_the_next_sign_would_have_come(tmp_path: Path) -> None:
    assert last_alive(tmp_path) == 0
    note_alive(tmp_path)
    assert last_alive(tmp_path) == pytest.approx(time.time() + CHECK, abs=2)


def test_an_end_in_order_is_known_to_the_moment(tmp_path: Path) -> None:
    note_alive(tmp_path)
    note_end(tmp_path)
    assert last_alive(tmp_path) == pytest.approx(time.time(), abs=0.5)


def test_a_folder_that_is_gone_ends_nothing(tmp_path: Path) -> None:
    note_alive(tmp_path / "gone")
    note_end(tmp_path / "gone")
