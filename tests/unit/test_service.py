"""What install-service writes and says where systemd does not run, and how it is undone."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pyflat import cli
from pyflat.cli.service import UNITS
from pyflat.errors import StartupError

PROGRAM = Path("/opt/pyflat/bin/pyflat")


@pytest.fixture
def prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("sys.argv", [str(PROGRAM)])
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    return tmp_path


def run(command: str, prefix: Path) -> Result:
    return CliRunner().invoke(cli.commands, [command, "--prefix", str(prefix)])


def lines(command: str, prefix: Path) -> list[str]:
    result = run(command, prefix)
    assert result.exit_code == 0
    return result.output.splitlines()


def units(prefix: Path) -> list[Path]:
    return [prefix / "etc/systemd/system" / name for name in UNITS]


def test_it_writes_both_units_and_says_what_is_left_to_do(prefix: Path) -> None:
    remedy = "systemctl enable --now pyflat.socket pyflat.service"
    assert lines("install-service", prefix) == [
        *(f"wrote {unit}" for unit in units(prefix)),
        f"systemd does not run here; where it does: {remedy}",
    ]
    socket, service = (unit.read_text() for unit in units(prefix))
    assert "\nListenStream=/run/docker/plugins/pyflat.sock\n" in socket
    assert f'\nExecStart="{PROGRAM}" serve\n' in service


def test_a_second_time_changes_nothing_but_what_differs(prefix: Path) -> None:
    lines("install-service", prefix)
    socket, service = units(prefix)
    service.write_text("of a former version")
    said = lines("install-service", prefix)
    assert said[:2] == [f"unchanged {socket}", f"wrote {service}"]
    assert "ExecStart=" in service.read_text()


def test_uninstalling_removes_the_units_and_says_where_the_state_stays(prefix: Path) -> None:
    lines("install-service", prefix)
    state = prefix / "var/lib/pyflat"
    state.mkdir(parents=True)
    removed = [f"removed {unit}" for unit in units(prefix)]
    assert lines("uninstall-service", prefix) == [*removed, f"the state stays in {state}"]
    assert not any(unit.exists() for unit in units(prefix))
    assert lines("uninstall-service", prefix) == [f"the state stays in {state}"]
    state.rmdir()
    assert lines("uninstall-service", prefix) == ["there is nothing to remove"]


@pytest.mark.parametrize("command", ["install-service", "uninstall-service"])
def test_without_systemd_it_says_so(command: str, prefix: Path) -> None:
    error = run(command, prefix / "nowhere").exception
    assert isinstance(error, StartupError)
    folder = prefix / "nowhere/etc/systemd/system"
    assert str(error) == f"{folder}: no such directory; is systemd installed?"


def test_a_file_that_cannot_be_written_is_named(prefix: Path) -> None:
    socket, _ = units(prefix)
    socket.symlink_to("/proc/pyflat.socket")
    error = run("install-service", prefix).exception
    assert isinstance(error, StartupError)
    assert str(error) == f"{socket}: No such file or directory"


def test_only_root_may_change_the_services_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    error = run("install-service", Path("/")).exception
    assert isinstance(error, StartupError)
    assert str(error) == "only root can change the services of this host"


def test_a_program_that_others_could_replace_is_refused(
    prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = prefix / "pyflat"
    program.touch()
    monkeypatch.setattr("sys.argv", [str(program)])
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("pyflat.cli.service._ROOT", prefix)
    monkeypatch.setattr("pyflat.cli.service._BOOTED", prefix / "nowhere")
    monkeypatch.setattr("pyflat.cli.service.ROOT_UID", prefix.stat().st_uid + 1)
    error = run("install-service", prefix).exception
    assert isinstance(error, StartupError)
    assert str(error) == f"{program} is not root's: install pyflat elsewhere, as in /opt"
    assert not any(unit.exists() for unit in units(prefix))
