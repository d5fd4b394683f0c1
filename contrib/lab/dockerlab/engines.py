"""Docker engines: which there are, and their programs in the cache."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from dockerlab import store
from dockerlab.debian import unpack_packages
from dockerlab.errors import LabError

MACHINE = "machine"
NEWEST = "28.5"


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """An engine that is ready to run."""

    name: str
    programs: Path | None
    """The folder that goes first in PATH; None for the machine's own engine."""
    cli_plugins: Path | None
    """The folder of docker's plugins (compose, buildx); None for the machine's own."""


# The newest runc that runs with the C library of every suite from bookworm on.
_RUNC = {"bookworm": ("runc",)}
_ENGINES: dict[str, dict[str, tuple[str, ...]]] = {
    "20.10": {"bookworm": ("docker.io", "containerd", "runc", "tini")},
    "26.1": {"trixie": ("docker.io", "docker-cli", "containerd", "tini"), **_RUNC},
    "28.5": {"sid": ("docker.io", "docker-cli", "containerd", "tini-static"), **_RUNC},
}
_CLI_PLUGINS = "cli-plugins"


def available() -> list[str]:
    """The engines that can be asked for, oldest first."""
    return list(_ENGINES)


def default() -> str:
    """The machine's own engine where it has one, else the newest of Debian."""
    return MACHINE if shutil.which("dockerd") else NEWEST


def get(name: str | None = None) -> Engine:
    """The engine of this name, fetched if need be."""
    name = name or default()
    if name == MACHINE:
        if not shutil.which("dockerd"):
            raise LabError("this machine has no dockerd of its own in PATH")
        return Engine(name=name, programs=None, cli_plugins=None)
    if name not in _ENGINES:
        raise LabError(f"no engine {name}: choose {', '.join(_ENGINES)} or {MACHINE}")
    engine = store.folder(f"engines/{name}", lambda work: _fetch_engine(name, work))
    plugins = store.folder(_CLI_PLUGINS, _fetch_cli_plugins)
    return Engine(name=name, programs=engine / "bin", cli_plugins=plugins)


def _fetch_engine(name: str, work: Path) -> None:
    files = work / "files"
    for suite_name, names in _ENGINES[name].items():
        wanted = {package: name for package in names if package.startswith("docker")}
        unpack_packages(suite_name, names, work, files, wanted)
    (work / "bin").mkdir()
    for folder in ("usr/bin", "usr/sbin"):
        for program in (files / folder).iterdir():
            if not program.is_symlink():
                program.rename(work / "bin" / program.name)
    (work / "bin" / "docker-init").symlink_to("tini-static")
    shutil.rmtree(files)


def _fetch_cli_plugins(work: Path) -> None:
    files = work / "files"
    names = ("docker-compose", "docker-buildx")
    unpack_packages("sid", names, work, files, {"docker-compose": "2.40"})
    for program in (files / "usr/libexec/docker/cli-plugins").iterdir():
        program.rename(work / program.name)
    shutil.rmtree(files)
