"""The record of a lab on disk: written before anything is made, so that all of it is found."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dockerlab import settings
from dockerlab.errors import LabError
from dockerlab.processes import Process

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
MOST_HOSTS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a lab was asked to be."""

    name: str
    hosts: int
    engine: str
    plugin: str | None
    """The pyflat program; None when the lab was made without."""
    daemon_config: dict[str, Any] = field(default_factory=dict)
    dockerd_args: list[str] = field(default_factory=list)
    pyflat_args: list[str] = field(default_factory=list)
    pyflat_env: dict[str, str] = field(default_factory=dict)
    etcd: bool = False
    """Whether there is an etcd on the machine outside."""
    far: int = 0
    """How many hosts, the last ones, are behind a router."""
    maker: tuple[int, int] = (0, 0)
    """Pid and start time of the process that makes it, while it does."""

    @property
    def folder(self) -> Path:
        """Where the lab keeps everything."""
        return folder(self.name)

    @property
    def host_names(self) -> list[str]:
        """h1, h2, …"""
        return [f"h{number}" for number in range(1, self.hosts + 1)]

    @property
    def far_names(self) -> list[str]:
        """Those of them that are behind a router."""
        return self.host_names[self.hosts - self.far :]

    @property
    def namespaces(self) -> dict[str, str]:
        """The network namespace of each machine."""
        short = {"switch": "sw", "outside": "out"}
        names = ("switch", "outside", *self.host_names)
        return {name: f"{self.name}-{short.get(name, name)}" for name in names}

    @property
    def being_made(self) -> bool:
        """Whether another process is still busy making it."""
        return self.maker[0] != os.getpid() and Process(*self.maker).alive


def folder(name: str) -> Path:
    """The folder of the lab of this name, whether there is one or not."""
    if not _NAME.fullmatch(name):
        raise LabError(f"{name!r} is no name for a lab: use up to 32 of a-z, 0-9 and -")
    return settings.LABS / name


def claim(state: State) -> None:
    """Take the lab's name, as one step; LabError if it is taken, be it by the rest of a lab."""
    if not 1 <= state.hosts <= MOST_HOSTS:
        raise LabError(f"a lab has 1 to {MOST_HOSTS} hosts")
    if not 0 <= state.far <= state.hosts:
        raise LabError(f"of {state.hosts} hosts, 0 to {state.hosts} can be far")
    refuse_taken(state.name)
    settings.LABS.mkdir(parents=True, exist_ok=True)
    _sweep()
    work = Path(tempfile.mkdtemp(prefix=f".{os.getpid()}-", dir=settings.LABS))
    try:
        _write(work, state)
        # This is the moment: it fails if the folder has come up meanwhile with anything in it.
        work.rename(state.folder)
    except OSError:
        refuse_taken(state.name)
        raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def refuse_taken(name: str) -> None:
    """LabError if the lab's folder is there, unless it is empty."""
    place = folder(name)
    if (place / "state.json").exists():
        raise LabError(f"there is a lab {name} already: lab down --name {name}")
    if place.exists() and any(place.iterdir()):
        raise LabError(f"{place} exists already, and is not of a lab")


def _sweep() -> None:
    """Remove what was left by processes that were killed while they claimed a name."""
    for left in settings.LABS.glob(".*-*"):
        if Process.of(int(left.name[1:].partition("-")[0])) is None:
            shutil.rmtree(left, ignore_errors=True)


def save(state: State) -> None:
    """Replace the lab's record."""
    _write(state.folder, state)


def load(name: str) -> State:
    """The record of the lab of this name; LabError if there is none."""
    path = folder(name) / "state.json"
    try:
        record = json.loads(path.read_text())
        return State(**record | {"maker": tuple(record["maker"])})
    except FileNotFoundError:
        raise LabError(f"there is no lab {name}") from None
    except (ValueError, TypeError, KeyError) as error:
        raise LabError(f"{path} is not the record of a lab: {error}") from error


def names() -> list[str]:
    """The names of all labs."""
    return sorted(p.parent.name for p in settings.LABS.glob("[a-z0-9]*/state.json"))


def _write(where: Path, state: State) -> None:
    temporary = where / "state.json.new"
    temporary.write_text(json.dumps(asdict(state), indent=2) + "\n")
    temporary.rename(where / "state.json")
