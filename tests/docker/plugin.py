"""Pyflat's socket, asked as dockerd asks it."""

import http.client
import json
import os
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.support.dockerd import Call

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
        # That of a managed plugin is too long for a socket's address.
        folder = os.open(self._path.parent, os.O_PATH)
        try:
            self.sock.connect(f"/proc/self/fd/{folder}/{self._path.name}")
        finally:
            os.close(folder)


def call(host: Host, method: str, timeout: float = 5, **arguments: object) -> dict[str, Any]:
    """The answer to a request, be it an error; OSError or HTTPException if there is none."""
    body = json.dumps(arguments).encode() if arguments else None
    return _post(host, f"/{method}", body, timeout)


def send(host: Host, *requests: Call) -> None:
    """Send requests as dockerd writes them; none may be refused."""
    for request in requests:
        answer = _post(host, request.path, request.body, 5)
        assert "Err" not in answer, (request, answer)


def _post(host: Host, path: str, body: bytes | None, timeout: float) -> dict[str, Any]:
    connection = _Connection(host.socket, timeout)
    with closing(connection):
        connection.request("POST", path, body)
        answer = json.loads(connection.getresponse().read())
        assert isinstance(answer, dict)
        return answer


def activate(host: Host, timeout: float = 5) -> Any:
    """The answer to dockerd's first question; None if there is none in time."""
    try:
        return call(host, "Plugin.Activate", timeout)
    except (OSError, http.client.HTTPException):
        return None


def answers(host: Host, timeout: float = 15) -> bool:
    """Whether pyflat answers in time: only then has it made everything that its State says."""
    return wait_until(lambda: activate(host, timeout) is not None, timeout)
