"""Asks the running plugin, over its socket."""

import http.client
import json
import socket
from pathlib import Path
from typing import Any

from pyflat.errors import BackendError

#: Seconds that a report may take.
TIMEOUT = 30


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def read(path: Path, report: str) -> dict[str, Any]:
    """Give a report of the plugin on a socket. Raises BackendError if it gives none."""
    connection = _Connection(path)
    try:
        connection.request("GET", f"/{report}")
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise BackendError(f"no pyflat answers on {path}: {error}") from error
    finally:
        connection.close()
    found: dict[str, Any] = json.loads(body)
    if answer.status != http.client.OK:
        # What is no route of this plugin's is answered as dockerd reads it.
        raise BackendError(found.get("error") or found["Err"])
    return found
