"""How many times a second one byte goes there and back by TCP: both ends of it, by its path.

    echo.py serve PORT                           says "ready", then answers until it is killed
    echo.py once PORT                            says "ready", then answers one byte and ends
    echo.py trips ADDRESS PORT MILLISECONDS      writes the round trips per second
    echo.py connects ADDRESS PORT MILLISECONDS   writes the connections per second

A round trip is one byte there and back on a connection that stays. A connection is a connect, one
byte there and back, and a reset: a proxy accepts connections of its own, and only the answer shows
that this one has come to the server. Nobody waits for its end, so that no port is kept for it.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import time
from collections.abc import Callable

#: The byte says what the server does after its answer.
KEEP, CLOSE = b"k", b"c"
_RESET = struct.pack("ii", 1, 0)


def serve(listener: socket.socket) -> None:
    """Answer each byte with itself, one connection at a time."""
    while True:
        with listener.accept()[0] as connection, contextlib.suppress(ConnectionError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while byte := connection.recv(1):
                connection.sendall(byte)
                if byte == CLOSE:
                    break


def once(listener: socket.socket) -> None:
    """Answer one byte of one connection."""
    with listener.accept()[0] as connection:
        connection.sendall(connection.recv(1))


def listen(port: int) -> socket.socket:
    """Give a socket that listens on every IPv4 address of this namespace."""
    return socket.create_server(("0.0.0.0", port), backlog=128)


def trips(target: tuple[str, int], seconds: float) -> float:
    """Give the round trips per second. Raises OSError if there is no answer."""
    with _connect(target) as connection:
        return _rate(lambda: _ask(connection, KEEP), seconds)


def connects(target: tuple[str, int], seconds: float) -> float:
    """Give the connections per second. Raises OSError if one is not answered."""

    def once() -> None:
        with _connect(target) as connection:
            _ask(connection, CLOSE)

    return _rate(once, seconds)


def _connect(target: tuple[str, int]) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    connection.connect(target)
    return connection


def _ask(connection: socket.socket, byte: bytes) -> None:
    connection.sendall(byte)
    if connection.recv(1) != byte:
        raise ConnectionError("the server has closed without an answer")


def _rate(action: Callable[[], None], seconds: float) -> float:
    count, start, taken = 0, time.perf_counter(), 0.0
    while taken < seconds:
        action()
        count += 1
        taken = time.perf_counter() - start
    return count / taken


def main(what: str, *words: str) -> None:
    """Do what the words say."""
    if what in {"serve", "once"}:
        listener = listen(int(words[0]))
        print("ready", flush=True)
        (serve if what == "serve" else once)(listener)
        return
    measure = {"trips": trips, "connects": connects}[what]
    address, port, milliseconds = words
    print(measure((address, int(port)), int(milliseconds) / 1000))


if __name__ == "__main__":
    main(*sys.argv[1:])
