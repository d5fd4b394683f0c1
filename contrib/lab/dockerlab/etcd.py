"""An etcd on the machine outside, where hosts agree on overlays."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from dockerlab import store
from dockerlab.daemon import Daemon
from dockerlab.debian import unpack_packages
from dockerlab.machine import Machine

PORT = 2379
_SUITE, _PACKAGES = "sid", ("etcd-server", "etcd-client")  # bookworm's is 3.4


def fetch() -> Path:
    """The folder of etcd's programs; they are fetched if need be."""
    files = store.folder("etcd", lambda work: unpack_packages(_SUITE, _PACKAGES, work, work))
    return files / "usr/bin"


class Keeper(Machine):
    """A machine that has etcd's programs first in its PATH, and etcdctl ask its own etcd."""

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """As for every machine, with what etcdctl needs."""
        own = super().environment()
        own["PATH"] = f"{fetch()}:{own['PATH']}"
        return own | dict(more or {})


class Etcd(Daemon):
    """An etcd of one member, with its data in the lab's folder."""

    def __init__(self, machine: Keeper, folder: Path, address: str) -> None:
        self._data = folder / "etcd"
        super().__init__(
            machine,
            "etcd",
            folder,
            command=lambda: [
                "etcd",
                f"--data-dir={self._data}",
                f"--listen-client-urls=http://0.0.0.0:{PORT}",
                f"--advertise-client-urls=http://{address}:{PORT}",
                "--log-level=warn",
            ],
            # Within a time of its own: one that is not there yet is asked again.
            ready=lambda: self.ctl("endpoint", "health", "--command-timeout=1s").returncode == 0,
        )

    def ctl(self, *words: str, timeout: float = 20) -> subprocess.CompletedProcess[str]:
        """Run etcdctl against it."""
        return self.machine.run("etcdctl", *words, timeout=timeout)

    def wipe(self) -> None:
        """Remove everything it keeps; it must not run."""
        shutil.rmtree(self._data, ignore_errors=True)
