"""Finds the running plugin, and talks with it over its socket."""

import http.client
import json
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pyflat.errors import BackendError
from pyflat.settings import Settings

if TYPE_CHECKING:
    from pyflat.report.topology import Topology

#: Seconds that a report may take.
TIMEOUT = 30

#: Where the engine has the sockets of managed plugins, each in a folder called by the plugin's id.
_MANAGED = "*/pyflat.sock"

_CREDENTIALS = struct.Struct("iII")  # struct ucred

Command = TypeVar("Command", bound=Callable[..., Any])


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = _connect(self._path)


def socket_option(command: Command) -> Command:
    """Give a command the flag that names the plugin's socket; without it one is looked for.

    The command's parameter ``socket`` is a path in any case. Raises BackendError if none is found.
    """
    return _socket_option(_choose)(command)


def plain_socket_option(command: Command) -> Command:
    """Do the same for a command that works without a plugin: then it is the service's path."""
    return _socket_option(_guess)(command)


def find_sockets(service: Path) -> list[Path]:
    """Give the sockets on which a plugin listens: the service's, then those of managed plugins.

    Raises BackendError where this process may not ask.
    """
    found = (service, *sorted(service.parent.glob(_MANAGED)))
    return [path for path in found if _listens(path)]


def process_of(path: Path) -> int:
    """Give the process that listens on a socket; systemd's where systemd holds it.

    Raises BackendError.
    """
    try:
        with _connect(path) as connection:
            size = _CREDENTIALS.size
            found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    except OSError as error:
        raise _silent(path, error) from error
    number: int = _CREDENTIALS.unpack(found)[0]
    return number


def read(path: Path, report: str) -> dict[str, Any]:
    """Give a report of the plugin on a socket. Raises BackendError if it gives none."""
    return _ask(path, "GET", report)


def read_topology(path: Path) -> "Topology":
    """Give what the plugin on a socket knows. Raises BackendError if it does not say."""
    import msgspec

    from pyflat.report.topology import Topology

    return msgspec.convert(read(path, "topology"), Topology)


def ask(path: Path, method: str, **fields: str) -> dict[str, Any]:
    """Call a method of the plugin on a socket. Raises BackendError if it refuses."""
    return _ask(path, "POST", method, json.dumps(fields))


def _socket_option(choose: Callable[..., Path]) -> Callable[[Command], Command]:
    return click.option(
        "--socket",
        type=click.Path(path_type=Path),
        envvar="PYFLAT_SOCKET",
        show_envvar=True,
        callback=choose,
        help="Unix socket of the plugin; without it, that of the host's service or, if it does "
        "not run, of the managed plugin.",
    )


def _guess(_: click.Context, __: object, given: Path | None) -> Path:
    service = Settings().socket
    return given or next(iter(find_sockets(service)), service)


def _choose(context: click.Context, _: object, given: Path | None) -> Path:
    service = Settings().socket
    if given or context.resilient_parsing:
        return given or service
    found = find_sockets(service)
    if not found:
        managed = service.parent / _MANAGED
        raise BackendError(f"no pyflat runs here: nobody answers on {service} or {managed}")
    if len(found) > 1:
        others = ", ".join(map(str, found[1:]))
        click.echo(f"pyflat: this is {found[0]}; --socket chooses another: {others}", err=True)
    return found[0]


def _listens(path: Path) -> bool:
    try:
        _connect(path).close()
    except PermissionError as error:
        raise BackendError(f"{path} is for root: {error.strerror}") from error
    except OSError:
        return False
    return True


def _connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(TIMEOUT)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return connection


def _silent(path: Path, error: Exception) -> BackendError:
    return BackendError(f"no pyflat answers on {path}: {error}")


def _ask(path: Path, verb: str, what: str, body: str | None = None) -> dict[str, Any]:
    connection = _Connection(path)
    try:
        connection.request(verb, f"/{what}", body)
        answer = connection.getresponse()
        found: dict[str, Any] = json.loads(answer.read())
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise _silent(path, error) from error
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise BackendError(found["Err"])
    return found
