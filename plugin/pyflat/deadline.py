"""Bounds: what a client may take to say its request, and what an answer may take.

dockerd waits for a plugin without end, with its own locks held. So a request that is not answered
in time ends the worker: its connections break, and the master starts another one, which makes
the kernel equal to what was committed.
"""

import faulthandler
import itertools
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from pyflat import counts

log = logging.getLogger(__name__)

#: Seconds that an answer may take.
LIMIT = 30.0
#: Seconds in which a client has to send its request, and again to read the answer.
PATIENCE = 10.0
#: How many clients may be slow at once before another has to wait for one of them. A thread is
#: made where none is idle, and stays; its netlink socket and its heap take up to 0.4 MB.
THREADS = 64

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn publishes no types
    """gunicorn's worker, which waits for no client longer than it may take."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._since: dict[Any, float] = {}

    def handle(self, conn: Any) -> Any:
        """Serve a connection, in a thread."""
        self._since[conn] = time.monotonic()
        try:
            return super().handle(conn)
        finally:
            del self._since[conn]
            # Else the main thread, which accepts all others, would wait two seconds for a client
            # that has its answer and does not close.
            _shut(conn.sock, socket.SHUT_RD)

    def notify(self) -> None:
        """Say that the main thread lives, as it does every second, and end what is too slow."""
        super().notify()
        now = time.monotonic()
        for conn, since in list(self._since.items()):
            if now - since > PATIENCE:
                _shut(conn.sock, socket.SHUT_RD)
            if now - since > PATIENCE + LIMIT + PATIENCE:
                _shut(conn.sock, socket.SHUT_WR)


def _shut(connection: socket.socket, how: int) -> None:
    """End one direction of a connection: who waits there sees its end."""
    with suppress(OSError):
        connection.shutdown(how)


class Deadline:
    """A WSGI application around another, which knows how long its requests have been under way."""

    def __init__(self, application: Wsgi, limit: float) -> None:
        self._application = application
        self._limit = limit
        self._numbers = itertools.count()
        self._since: dict[int, tuple[float, str]] = {}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer a request."""
        number = next(self._numbers)
        self._since[number] = (time.monotonic(), environ["PATH_INFO"])
        try:
            return self._application(environ, start_response)
        finally:
            del self._since[number]

    def overdue(self) -> str | None:
        """Give the path of a request that has taken too long, or None."""
        now = time.monotonic()
        found = (path for since, path in list(self._since.values()) if now - since > self._limit)
        return next(found, None)

    def watch(self, well: Callable[[], None], interval: float) -> None:
        """Say that all is well every ``interval`` seconds; end this process when it is not."""
        arguments = (well, interval)
        threading.Thread(target=self._run, args=arguments, name="deadline", daemon=True).start()

    def _run(self, well: Callable[[], None], interval: float) -> None:
        while True:
            if path := self.overdue():
                log.critical("%s has no answer after %d s: this worker ends", path, self._limit)
                faulthandler.dump_traceback()
                counts.OVERDUE.add()
                os._exit(1)
            well()
            time.sleep(interval)
