"""A program for any machine: sends a packet of UDP every 5 ms and says, in the words of ping,
what came back; or sends back what comes to a port."""

import signal
import socket
import sys
import time
from contextlib import suppress

INTERVAL = 0.005
#: Seconds in which answers to the last packets may still come.
LINGER = 0.5
#: Bytes of packets that wait for a program that gets no time: some seconds of them.
_BUFFER = 8 << 20
_SO_RCVBUFFORCE = 33  # asm-generic/socket.h; not in Python's socket module


def main(role: str, *words: str) -> None:
    if role == "echo":
        _echo(int(words[0]))
    else:
        _send(words[0], int(words[1]))


def _socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
    return made


def _echo(port: int) -> None:
    server = _socket()
    server.bind(("", port))
    while True:
        data, peer = server.recvfrom(64)
        server.sendto(data, peer)


def _send(address: str, port: int) -> None:
    client = _socket()
    client.connect((address, port))
    ended: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: ended.append(number))
    sent, due = 0, time.monotonic()
    while not ended:
        sent += 1
        # A refusal of an earlier packet may be told here, and is no answer.
        with suppress(OSError):
            client.send(str(sent).encode())
        due = max(due + INTERVAL, time.monotonic())
        _read(client, due)
    _read(client, time.monotonic() + LINGER)
    print(f"{sent} packets transmitted")


def _read(client: socket.socket, until: float) -> None:
    while (left := until - time.monotonic()) > 0:
        client.settimeout(left)
        with suppress(OSError):
            number = client.recv(64).decode()
            print(f"[{time.time():.6f}] seq={number}")


if __name__ == "__main__":
    main(*sys.argv[1:])
