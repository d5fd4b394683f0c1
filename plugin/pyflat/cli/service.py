"""``pyflat install-service`` and ``uninstall-service``: pyflat as a service of systemd."""

import os
import subprocess
import sys
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import click

from pyflat.errors import StartupError
from pyflat.settings import Settings

UNITS = ("pyflat.socket", "pyflat.service")
ROOT_UID = 0

_TEMPLATES = resources.files("pyflat.cli") / "units"
_FOLDER = Path("etc/systemd/system")
#: There where systemd is process 1 (sd_booted(3)).
_BOOTED = Path("/run/systemd/system")
_ROOT = Path("/")


def _prefix_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--prefix",
        type=click.Path(path_type=Path, file_okay=False),
        default=_ROOT,
        show_default=True,
        help="Root of the file system that the units are in; systemd is not told of others.",
    )(command)


@click.command()
@_prefix_option
def install_service(prefix: Path) -> None:
    """Have systemd start pyflat before Docker at every boot, and now.

    May be repeated, as after an upgrade; a service that runs goes on until it is restarted.
    """
    folder = _folder(prefix)
    program = Path(sys.argv[0]).absolute()
    if prefix == _ROOT:
        _check_owner(program)
    for name in UNITS:
        text = (_TEMPLATES / name).read_text().replace("@PROGRAM@", str(program))
        _write(folder / name, text)
    if _is_managed(prefix):
        _systemctl("daemon-reload")
        _systemctl("enable", *UNITS)
        _systemctl("start", *UNITS)
    else:
        remedy = f"systemctl enable --now {' '.join(UNITS)}"
        click.echo(f"systemd does not run here; where it does: {remedy}")


@click.command()
@_prefix_option
def uninstall_service(prefix: Path) -> None:
    """Undo install-service; what pyflat remembers stays."""
    folder = _folder(prefix)
    present = [name for name in UNITS if (folder / name).exists()]
    if present and _is_managed(prefix):
        _systemctl("disable", "--now", *present)
    for name in present:
        _change((folder / name).unlink)
        click.echo(f"removed {folder / name}")
    if present and _is_managed(prefix):
        _systemctl("daemon-reload")
    state = prefix / Settings().state_dir.relative_to(_ROOT)
    if state.exists():
        click.echo(f"the state stays in {state}")
    elif not present:
        click.echo("there is nothing to remove")


def _folder(prefix: Path) -> Path:
    folder = prefix / _FOLDER
    if not folder.is_dir():
        raise StartupError(f"{folder}: no such directory; is systemd installed?")
    if prefix == _ROOT and os.geteuid() != 0:
        raise StartupError("only root can change the services of this host")
    return folder


def _check_owner(program: Path) -> None:
    """Raise StartupError if somebody else than root could replace what root is to run."""
    for path in (program, *program.parents):
        if path.stat().st_uid != ROOT_UID:
            raise StartupError(f"{path} is not root's: install pyflat elsewhere, as in /opt")


def _write(file: Path, text: str) -> None:
    if file.exists() and file.read_text() == text:
        click.echo(f"unchanged {file}")
        return
    _change(lambda: file.write_text(text))
    click.echo(f"wrote {file}")


def _change(change: Callable[[], Any]) -> None:
    try:
        change()
    except OSError as error:
        raise StartupError(f"{error.filename}: {error.strerror}") from error


def _is_managed(prefix: Path) -> bool:
    return prefix == _ROOT and _BOOTED.is_dir()


def _systemctl(*words: str) -> None:
    done = subprocess.run(("systemctl", *words), capture_output=True, text=True, check=False)
    if done.returncode:
        raise StartupError(f"systemctl {words[0]}: {' '.join(done.stderr.split())}")
    click.echo(f"systemctl {' '.join(words)}")
