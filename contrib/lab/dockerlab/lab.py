"""A lab: hosts, the switch between them, and a machine outside."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dockerlab import (
    cgroups,
    engines,
    namespaces,
    packages,
    parallel,
    settings,
    state,
    teardown,
    underlay,
)
from dockerlab.errors import LabError
from dockerlab.etcd import PORT, Etcd, Keeper
from dockerlab.host import Host
from dockerlab.machine import Machine
from dockerlab.processes import Process
from dockerlab.state import State


class Lab:
    """A lab that is up, at least in part. As a context manager it is taken down at the end."""

    def __init__(self, record: State, engine: engines.Engine) -> None:
        self.record = record
        self.name = record.name
        self.engine = engine
        names = record.namespaces
        self.switch = Machine(self.name, "switch", names["switch"])
        """The underlay's switch: a bridge br0 with a port to-NAME for each machine."""
        keeper = Keeper(self.name, "outside", names["outside"]) if record.etcd else None
        self.outside = keeper or Machine(self.name, "outside", names["outside"])
        """A machine beside the hosts, which also plays the Internet (see underlay)."""
        self.etcd = Etcd(keeper, record.folder, underlay.OUTSIDE[0]) if keeper else None
        """Where hosts agree on overlays, on the machine outside."""
        self.hosts = [self._host(name) for name in record.host_names]
        """All hosts, h1 first."""

    def _host(self, name: str) -> Host:
        return Host(
            self.name,
            name,
            folder=self.record.folder / name,
            addresses=underlay.addresses(name, far=name in self.record.far_names),
            engine=self.engine,
            plugin=Path(self.record.plugin) if self.record.plugin else None,
            dockerd_args=self.record.dockerd_args,
            pyflat_args=self.record.pyflat_args,
            pyflat_env=self.record.pyflat_env,
        )

    @classmethod
    def up(
        cls,
        name: str,
        *,
        hosts: int = 1,
        engine: str | None = None,
        plugin: bool = True,
        first: str = "pyflat",
        daemon_config: Mapping[str, Any] | None = None,
        live_restore: bool = False,
        dockerd_args: Sequence[str] = (),
        pyflat_args: Sequence[str] = (),
        pyflat_env: Mapping[str, str] | None = None,
        etcd: bool = False,
        far: int = 0,
        start: bool = True,
        images: Sequence[str] = ("busybox",),
    ) -> Lab:
        """Make a lab and, with `start`, return when every daemon answers and has its images.

        `engine` is a version of `engines.available()` or "machine"; `first` is "pyflat" or
        "dockerd"; `daemon_config` becomes daemon.json. With `etcd` there is one outside, and hosts
        agree on overlays by it. The last `far` hosts are behind a router. Without `start` there
        are namespaces, but no daemon runs. LabError if the name is taken, or if something does not
        come up: then nothing of the lab is left.
        """
        if os.geteuid() != 0:
            raise LabError("a lab needs root")
        if first not in ("pyflat", "dockerd"):
            raise LabError(f"first is pyflat or dockerd, not {first}")
        state.folder(name)
        packages.ensure()
        chosen = engines.get(engine)
        config = dict(daemon_config or {}) | ({"live-restore": True} if live_restore else {})
        record = State(
            name=name,
            hosts=hosts,
            engine=chosen.name,
            plugin=str(_pyflat()) if plugin else None,
            daemon_config=config,
            dockerd_args=list(dockerd_args),
            pyflat_args=list(pyflat_args),
            pyflat_env=_cluster(etcd) | dict(pyflat_env or {}),
            etcd=etcd,
            far=far,
            maker=_this_process(),
        )
        _claim(record)
        lab = cls(record, chosen)
        try:
            lab._make()
            if start and lab.etcd:
                lab.etcd.start()
            if start:
                parallel.each(lambda host: lab._start(host, first, images), lab.hosts)
            lab._made()
        except BaseException:
            lab.down()
            raise
        return lab

    @classmethod
    def open(cls, name: str) -> Lab:
        """The lab of this name, as it is; LabError if there is none."""
        record = state.load(name)
        return cls(record, engines.get(record.engine))

    @staticmethod
    def names() -> list[str]:
        """The names of all labs on this machine, whole or not."""
        return state.names()

    def host(self, name: str) -> Host:
        """The host of this name."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise LabError(f"lab {self.name} has no host {name}")

    def machine(self, name: str) -> Machine:
        """The host of this name, `switch` or `outside`."""
        others = {"switch": self.switch, "outside": self.outside}
        return others[name] if name in others else self.host(name)

    def unplug(self, machine: str) -> None:
        """Take a machine's cable out of the switch."""
        self.switch.run("ip", "link", "set", f"to-{machine}", "down", check=True)

    def plug(self, machine: str) -> None:
        """Put it in again."""
        self.switch.run("ip", "link", "set", f"to-{machine}", "up", check=True)

    def down(self) -> None:
        """Take everything of the lab away, whatever state it is in. LabError if it cannot."""
        remove(self.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.down()

    def _make(self) -> None:
        for machine in self.record.namespaces:
            cgroups.make(self.name, machine)
        far = self.record.far_names
        underlay.make(self.record.namespaces, far)
        config = self.record.daemon_config
        parallel.each(
            lambda host: host.make(underlay.router(far=host.name in far), config), self.hosts
        )

    def _start(self, host: Host, first: str, images: Sequence[str]) -> None:
        host.start(first, plugin=self.record.plugin is not None)
        for image in images:
            host.load_image(image)

    def _made(self) -> None:
        self.record = replace(self.record, maker=(0, 0))
        state.save(self.record)


def remove(name: str) -> None:
    """Take down the lab of this name: its record is all that has to be left of it."""
    record = state.load(name)
    if record.being_made:
        raise LabError(f"process {record.maker[0]} is still making lab {name}")
    teardown.down(record)


def _claim(record: State) -> None:
    """Take the name, and see that nobody else has namespaces of such names: teardown deletes
    whatever has the names of a claimed lab."""
    state.refuse_taken(record.name)
    for name in record.namespaces.values():
        if namespaces.path(name).exists():
            raise LabError(f"a network namespace {name} exists already, and is not of a lab")
    state.claim(record)


def _cluster(etcd: bool) -> dict[str, str]:
    """What pyflat has to know to find the lab's etcd."""
    return {"PYFLAT_CLUSTER": f"etcd://{underlay.OUTSIDE[0]}:{PORT}"} if etcd else {}


def _this_process() -> tuple[int, int]:
    this = Process.of(os.getpid())
    if this is None:
        raise LabError("/proc is not mounted")
    return this.pid, this.start


def _pyflat() -> Path:
    """The pyflat program: PYFLAT_LAB_PYFLAT, the repository's, or the one in PATH."""
    own = settings.REPOSITORY / ".venv/bin/pyflat"
    chosen = os.environ.get("PYFLAT_LAB_PYFLAT") or (own if own.exists() else None)
    found = chosen or shutil.which("pyflat")
    if found is None or not Path(found).exists():
        raise LabError("there is no pyflat program: make the repository's .venv, or leave it out")
    return Path(found)
