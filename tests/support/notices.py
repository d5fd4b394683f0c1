"""A socket to which a service tells how it is, as systemd has one (sd_notify(3))."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path


class Notices:
    """What has been told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))

    def take(self, seconds: float) -> str | None:
        """Give what is told next; None if nothing is, in time."""
        self._socket.settimeout(seconds)
        try:
            return self._socket.recv(4096).decode()
        except TimeoutError:
            return None

    def forget(self) -> None:
        """Leave out what has been told until now."""
        self._socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self._socket.recv(4096)

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()


@contextlib.contextmanager
def notices(folder: Path) -> Iterator[Notices]:
    """Have such a socket in a folder."""
    told = Notices(folder / "notify.sock")
    try:
        yield told
    finally:
        told.close()
