"""A Docker host: a machine with an engine and a plugin of its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

from dockerlab import cgroups, images, mounts, namespaces, sockets
from dockerlab.daemon import Daemon
from dockerlab.engines import Engine
from dockerlab.errors import LabError
from dockerlab.machine import Machine
from dockerlab.managed import Managed
from dockerlab.processes import Process, family

_CONTAINERD = "/run/containerd/containerd.sock"


class Dockerd(Daemon):
    """dockerd, with containerd beside it as on a machine that systemd booted.

    Starting it starts containerd first if need be; its end, however it comes, leaves containerd
    and the containers' shims alone.
    """

    def __init__(self, host: Host, args: Sequence[str]) -> None:
        socket = host.path("/run/docker.sock")
        parent = cgroups.parent(host.lab, host.name)
        super().__init__(
            host,
            "dockerd",
            host.folder,
            command=lambda: ["dockerd", "--containerd", _CONTAINERD, "--cgroup-parent", parent],
            ready=lambda: sockets.get(socket, "/_ping") == "OK",
            args=args,
        )
        self._containerd = host.containerd

    def start(self, *, wait: bool = True, timeout: float = 60) -> None:
        """As Daemon.start(), once containerd answers."""
        if not self._containerd.running:
            self._containerd.start(timeout=timeout)
        super().start(wait=wait, timeout=timeout)


class Host(Machine):
    """One Docker host of a lab."""

    def __init__(
        self,
        lab: str,
        name: str,
        *,
        folder: Path,
        addresses: tuple[IPv4Address, IPv6Address],
        engine: Engine,
        plugin: Path | None,
        dockerd_args: Sequence[str] = (),
        pyflat_args: Sequence[str] = (),
        pyflat_env: dict[str, str] | None = None,
    ) -> None:
        super().__init__(lab, name, f"{lab}-{name}")
        self.folder = folder
        self.engine = engine
        self._plugin = plugin
        self.address4 = str(addresses[0])
        """Its IPv4 address on the underlay."""
        self.address6 = str(addresses[1])
        """Its IPv6 address on the underlay."""
        self.managed: Managed | None = None
        """The managed plugin, where that takes pyflat's place."""
        self.driver = "pyflat"
        """What the driver of its networks is called."""
        self.state = "/var/lib/pyflat"
        """The folder of pyflat's state."""
        self.socket = self.path("/run/docker/plugins/pyflat.sock")
        """Where pyflat's socket lies on the machine."""
        self.docker_config = folder / "docker-config"
        """A DOCKER_CONFIG with the plugins (compose, buildx), inside and outside alike."""
        self.programs = folder / "programs"
        """Programs of its own, first in its PATH."""
        self.docker_host = f"unix://{self.path('/run/docker.sock')}"
        """A DOCKER_HOST for use outside the host's namespaces."""
        self.containerd = Daemon(
            self,
            "containerd",
            folder,
            command=lambda: ["containerd", "--config", str(folder / "containerd.toml")],
            ready=lambda: sockets.accepts(self.path(_CONTAINERD)),
        )
        self.dockerd: Daemon = Dockerd(self, dockerd_args)
        self.pyflat = Daemon(
            self,
            "pyflat",
            folder,
            command=lambda: [str(_required(plugin)), "serve"],
            ready=lambda: sockets.accepts(self.socket),
            args=pyflat_args,
            env=pyflat_env,
        )

    def ask_pyflat(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the command `pyflat`, for a managed plugin inside of it."""
        if self.managed:
            return self.run(*self.managed.command(*words))
        return self.run("pyflat", *words, env={"PYFLAT_SOCKET": str(self.socket)})

    @property
    def plugin_pids(self) -> list[int]:
        """The processes of pyflat, its main process first; none if it does not run."""
        main = self.managed.pid if self.managed else self.pyflat.running and self.pyflat.pid
        return list(family(main)) if main else []

    @property
    def daemons(self) -> dict[str, Daemon]:
        """Its daemons by name."""
        return {each.name: each for each in (self.containerd, self.dockerd, self.pyflat)}

    def make(self, gateway: tuple[str, str], daemon_config: Mapping[str, Any]) -> None:
        """Make its namespaces and folders; its uplink eth0 must be there already."""
        mounts.prepare(self.folder, gateway[0])
        self.programs.mkdir()
        self.write_daemon_config(daemon_config)
        # Kubernetes' part of containerd would take ports and time.
        (self.folder / "containerd.toml").write_text(
            'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
        )
        plugins = self.engine.cli_plugins
        extra = {"cliPluginsExtraDirs": [str(plugins)]} if plugins else {}
        (self.docker_config / "config.json").write_text(json.dumps(extra))
        holder = namespaces.pin(self.netns, self.name, cgroups.door(self.lab, self.name))
        (self.folder / "holder.json").write_text(
            json.dumps({"pid": holder.pid, "start": holder.start})
        )
        mounts.mount(self.folder, self._enter())
        namespaces.configure(
            self.netns,
            (
                "link set lo up",
                "link set eth0 up",
                f"address add {self.address4}/24 dev eth0",
                f"address add {self.address6}/64 dev eth0 nodad",
                f"route add 0.0.0.0/0 via {gateway[0]}",
                f"route add ::/0 via {gateway[1]}",
            ),
        )

    def write_daemon_config(self, config: Mapping[str, Any]) -> None:
        """Replace /etc/docker/daemon.json; dockerd reads it at its next start."""
        self.path("/etc/docker/daemon.json").write_text(json.dumps(dict(config), indent=2) + "\n")

    def path(self, inside: str) -> Path:
        """Where a path inside the host lies on the machine."""
        return mounts.outside(self.folder, inside)

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """As for every machine, with the host's own programs and its engine first in PATH,
        pyflat last in it, and its DOCKER_CONFIG."""
        own = super().environment()
        own["DOCKER_CONFIG"] = str(self.docker_config)
        if self.engine.programs is not None:
            own["PATH"] = f"{self.engine.programs}:{own['PATH']}"
        own["PATH"] = f"{self.programs}:{own['PATH']}"
        if self._plugin is not None:
            own["PATH"] = f"{own['PATH']}:{self._plugin.parent}"
        return own | dict(more or {})

    def load_image(self, name: str) -> None:
        """Give the engine a local image (see `images`); it is made first if need be."""
        archive = images.archive(images.get(name))
        self.run("docker", "load", "--quiet", "--input", str(archive), check=True, timeout=300)

    def start(self, first: str, *, plugin: bool) -> None:
        """Start dockerd and, with `plugin`, pyflat, the one named `first` before the other."""
        order = [self.pyflat, self.dockerd] if plugin else [self.dockerd]
        for daemon in sorted(order, key=lambda daemon: daemon.name != first):
            daemon.start()

    @property
    def holder(self) -> Process | None:
        """The process that pins the host's namespaces, or None when it is gone."""
        try:
            record = json.loads((self.folder / "holder.json").read_text())
        except FileNotFoundError:
            return None
        process = Process(record["pid"], record["start"])
        return process if process.alive else None

    def _enter(self) -> list[str]:
        holder = self.holder
        if holder is None:
            raise LabError(f"{self.name} of lab {self.lab} has lost its namespaces")
        return namespaces.enter(self.netns, holder.pid)


def _required(plugin: Path | None) -> Path:
    if plugin is None:
        raise LabError("there is no pyflat program: make the repository's .venv, or leave it out")
    return plugin
