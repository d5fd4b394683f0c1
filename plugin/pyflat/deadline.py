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
import struct
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

log = logging.getLogger(__name__)

#: Seconds that an answer may take.
LIMIT = 30.0
#: Seconds between two parts of a request, and until an answer is read.
PATIENCE = 10

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn publishes no types
    """gunicorn's worker, whose threads do not wait for a client that stops in mid-sentence."""

    def handle(self, conn: Any) -> Any:
        """Serve a connection, with limits that hold where gunicorn reads without one."""
        limit = struct.pack("@ll", PATIENCE, 0)  # struct timeval
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        return super().handle(conn)


class Deadline:
    """A WSGI application around another, which knows how long its requests have been under way."""

    def __init__(self, application: Wsgi, limit: float = LIMIT) -> None:
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
                os._exit(1)
            well()
            time.sleep(interval)
