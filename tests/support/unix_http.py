"""HTTP over a Unix socket, as dockerd speaks to a plugin."""

import contextlib
import http.client
import json
import socket
from pathlib import Path
from typing import Any

from tests.support.dockerd import Call


class Connection(http.client.HTTPConnection):
    """A connection to the server behind a socket's path."""

    def __init__(self, path: Path, timeout: float = 10) -> None:
        super().__init__("plugin.moby.localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def post(path: Path, call: Call) -> tuple[int, dict[str, Any]]:
    """Send one request; raises OSError or HTTPException if there is no answer."""
    connection = Connection(path)
    try:
        connection.request("POST", call.path, body=call.body)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def dial(path: Path, sent: bytes = b"") -> socket.socket:
    """Connect, and send what may be the beginning of a request."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(30)
    connection.connect(str(path))
    connection.sendall(sent)
    return connection


def exchange(path: Path, *parts: bytes) -> bytes:
    """Send bytes, as far as they are taken, and give all that comes back until the end."""
    with dial(path) as connection, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        with contextlib.suppress(BrokenPipeError):
            for part in parts:
                connection.sendall(part)
        answer = b""
        while data := connection.recv(1 << 16):
            answer += data
    return answer
