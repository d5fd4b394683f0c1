"""Pyflat's socket, asked as dockerd asks it."""

import http.client
import json
import socket
from pathlib import Path
from typing import Any

from dockerlab.host import Host
from dockerlab.processes import wait_until

SOCKET = "/run/docker/plugins/pyflat.sock"


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("plugin.moby.localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def activate(host: Host, timeout: float = 5) -> Any:
    """The answer to dockerd's first question; None if there is none in time."""
    connection = _Connection(host.path(SOCKET), timeout)
    try:
        connection.request("POST", "/Plugin.Activate")
        return json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def answers(host: Host, timeout: float = 5) -> bool:
    """Whether pyflat answers in time: only then has it made everything that its State says."""
    return wait_until(lambda: activate(host, timeout) is not None, timeout)
