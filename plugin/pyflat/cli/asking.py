"""Talks with the running plugin, over its socket."""

import http.client
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from pyflat.errors import BackendError
from pyflat.report.topology import Topology
from pyflat.settings import Settings

#: Seconds that a report may take.
TIMEOUT = 30

Command = TypeVar("Command", bound=Callable[..., Any])


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def socket_option(command: Command) -> Command:
    """Give a command the flag that names the plugin's socket."""
    return click.option(
        "--socket",
        type=click.Path(path_type=Path),
        default=Settings().socket,
        show_default=True,
        envvar="PYFLAT_SOCKET",
        help="Unix socket of the plugin.",
    )(command)


def read(path: Path, report: str) -> dict[str, Any]:
    """Give a report of the plugin on a socket. Raises BackendError if it gives none."""
    return _ask(path, "GET", report)


def read_topology(path: Path) -> Topology:
    """Give what the plugin on a socket knows. Raises BackendError if it does not say."""
    return msgspec.convert(read(path, "topology"), Topology)


def ask(path: Path, method: str, **fields: str) -> dict[str, Any]:
    """Call a method of the plugin on a socket. Raises BackendError if it refuses."""
    return _ask(path, "POST", method, json.dumps(fields))


def _ask(path: Path, verb: str, what: str, body: str | None = None) -> dict[str, Any]:
    connection = _Connection(path)
    try:
        connection.request(verb, f"/{what}", body)
        answer = connection.getresponse()
        found: dict[str, Any] = json.loads(answer.read())
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise BackendError(f"no pyflat answers on {path}: {error}") from error
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise BackendError(found["Err"])
    return found
