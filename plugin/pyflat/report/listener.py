"""HTTP on a TCP address, for strangers: few at once, briefly, with small requests."""

import logging
import socket
import socketserver
import threading
import time
from http.client import LineTooLong
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import WSGIApplication

log = logging.getLogger(__name__)

#: Who may be served at once; another one's connection is closed.
THREADS = 16
#: Seconds for a connection, from its first byte to the last of the answer.
PATIENCE = 10.0
#: Bytes that a request's head may have.
LARGEST = 16 << 10
#: Seconds between two tries to get the address.
RETRY = 5.0

_FREEBIND = 15  # linux/in.h: IP_FREEBIND, an address that the host may have later


def listen(address: tuple[str, int], application: WSGIApplication) -> None:
    """Serve an application from now on, in a thread of its own; end with the process.

    An address that cannot be had is tried again: networks do not depend on it.
    """
    arguments = (address, application)
    threading.Thread(target=_run, args=arguments, name="web", daemon=True).start()


def _run(address: tuple[str, int], application: WSGIApplication) -> None:
    known = ""
    while True:
        try:
            with Listener(address, application) as listener:
                log.info("metrics and page are on %s port %d", *address)
                listener.serve_forever()
        except OSError as error:
            if str(error) != known:
                log.warning("metrics and page are not on %s port %d yet: %s", *address, error)
            known = str(error)
            time.sleep(RETRY)


class Listener(WSGIServer):
    """Serves each connection in a thread of its own, for one request."""

    request_queue_size = THREADS

    def __init__(self, address: tuple[str, int], application: WSGIApplication) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._slots = threading.Semaphore(THREADS)
        self._since: dict[Any, float] = {}
        super().__init__(address, _Handler)
        self.set_app(application)

    def server_bind(self) -> None:
        """Take the address, also if the host has none such yet."""
        self.socket.setsockopt(socket.IPPROTO_IP, _FREEBIND, 1)
        # Not HTTPServer's, which asks a name server who we are.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection, or close it if there are too many."""
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        self._since[request] = time.monotonic()
        arguments = (request, client_address)
        threading.Thread(target=self._serve, args=arguments, name="web", daemon=True).start()

    def service_actions(self) -> None:
        """End connections that take too long; called twice a second."""
        now = time.monotonic()
        for request, since in list(self._since.items()):
            if now - since > PATIENCE:
                try:
                    request.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # it has just ended

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Note what came of a connection: clients may go when they like."""
        log.debug("a client at %s was not served", client_address[0], exc_info=True)

    def _serve(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except Exception:
            self.handle_error(request, client_address)
        finally:
            del self._since[request]
            self.shutdown_request(request)
            self._slots.release()


class _Handler(WSGIRequestHandler):
    """Reads a request whose head is small."""

    server_version, sys_version = "pyflat", ""
    timeout = PATIENCE

    def setup(self) -> None:
        """Begin."""
        super().setup()
        self.rfile = _Head(self.rfile)  # type: ignore[assignment]

    def address_string(self) -> str:
        """Give the client's address."""
        return str(self.client_address[0])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name for it
        """Say nothing: who reads is no news."""


class _Head:
    """What a client sends, as far as it is read: the head of its request."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._left = LARGEST

    def readline(self, size: int = LARGEST) -> bytes:
        """Give a line. Raises LineTooLong if the head is too large."""
        if not self._left:
            raise LineTooLong("head")
        line: bytes = self._file.readline(min(size, self._left))
        self._left -= len(line)
        return line

    def close(self) -> None:
        """Close it."""
        self._file.close()
