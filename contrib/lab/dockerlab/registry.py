"""A registry on the machine outside, which hosts push to and pull from."""

from __future__ import annotations

import json
from pathlib import Path

from dockerlab import store, underlay
from dockerlab.daemon import Daemon
from dockerlab.debian import unpack_packages
from dockerlab.lab import Lab

PORT = 5000
ADDRESS = f"{underlay.OUTSIDE[0]}:{PORT}"
DAEMON_CONFIG = {"insecure-registries": [ADDRESS]}
"""What daemon.json has to say of it: it speaks HTTP."""


def fetch() -> Path:
    """The folder of its program, which is fetched if need be."""
    unpack = "bookworm", ("docker-registry",)
    files = store.folder("registry", lambda work: unpack_packages(*unpack, work, work))
    return files / "usr/bin"


class Registry(Daemon):
    """It keeps what it is given in the lab's folder."""

    def __init__(self, lab: Lab) -> None:
        folder = lab.record.folder
        config = folder / "registry.yml"  # as JSON, which is YAML
        config.write_text(
            json.dumps(
                {
                    "version": 0.1,
                    "log": {"level": "warn", "accesslog": {"disabled": True}},
                    "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}},
                    "http": {"addr": f":{PORT}"},
                }
            )
        )
        super().__init__(
            lab.outside,
            "registry",
            folder,
            command=lambda: [str(fetch() / "docker-registry"), "serve", str(config)],
            ready=lambda: lab.outside.run("nc", "-z", "127.0.0.1", str(PORT)).returncode == 0,
        )
