"""The managed plugin of a host, and what it is made of."""

from __future__ import annotations

import json
import subprocess
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dockerlab.host import Host

NAME = "pyflat:latest"
_CONTAINERS = "/run/docker/runtime-runc/plugins.moby"


class Managed:
    """A plugin that `docker plugin` knows by a name, on one host.

    `install` and `adopt` have it take the place of the host's pyflat.
    """

    def __init__(self, host: Host, name: str = NAME) -> None:
        self.host = host
        self.name = name
        """Its name and tag in Docker, and the driver of its networks."""

    def __call__(self, command: str, *words: str, timeout: float = 120) -> str:
        """Run `docker plugin COMMAND …` for it and give what it wrote; CommandError if it fails."""
        return self.attempt(command, *words, timeout=timeout, check=True).stdout.strip()

    def attempt(
        self, command: str, *words: str, timeout: float = 120, check: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """As a call, but it may fail. The plugin's name stands behind options, before the rest."""
        options = [word for word in words if word.startswith("-")]
        rest = [word for word in words if not word.startswith("-")]
        return self.host.run(
            *("docker", "plugin", command, *options, self.name, *rest), timeout=timeout, check=check
        )

    def install(self, files: Path, *settings: str) -> None:
        """Create it of a folder (see `pluginfiles`) and enable it; it is the host's pyflat then.

        A setting is as PYFLAT_LOG_LEVEL=debug.
        """
        self("create", str(files))
        if settings:
            self("set", *settings)
        self("enable")
        self.adopt()

    def adopt(self) -> None:
        """Be the host's pyflat, having been installed somehow."""
        self.host.managed = self
        self.host.driver = self.name
        self.host.state = self.state
        self.host.socket = self.host.path(f"/run/docker/plugins/{self.id}/pyflat.sock")

    def inspect(self) -> dict[str, Any]:
        """What Docker says of it."""
        (found,) = json.loads(self("inspect"))
        assert isinstance(found, dict)
        return found

    @cached_property
    def id(self) -> str:
        """Its id, which stays the same over upgrades; asked for once."""
        return str(self.inspect()["Id"])

    def command(self, *words: str) -> list[str]:
        """The command `pyflat` inside the plugin, as the host runs it."""
        return ["runc", "--root", _CONTAINERS, "exec", self.id, "pyflat", *words]

    @property
    def state(self) -> str:
        """The folder of pyflat's state on the host."""
        return f"/var/lib/docker/plugins/{self.id}/propagated-mount"

    @property
    def pid(self) -> int | None:
        """Its main process; None if it does not run."""
        folder = self.host.path(f"{_CONTAINERS}/{self.id}")
        try:
            return int(json.loads((folder / "state.json").read_text())["init_process_pid"])
        except FileNotFoundError:
            return None

    def log(self) -> list[str]:
        """What it has written, as dockerd has it in its log."""
        lines = self.host.dockerd.log.read_text(errors="replace").splitlines()
        return [line for line in lines if f"plugin={self.id}" in line]
