"""A program for any machine: answers on TCP and UDP ports, each with a name and who asks.

``answer.py PORT=NAME…``
"""

import asyncio
import socket
import sys
from typing import cast


class _Packets(asyncio.DatagramProtocol):
    def __init__(self, name: str) -> None:
        self._name = name

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._transport.sendto(_line(self._name, addr[0]), addr)


def _line(name: str, peer: str) -> bytes:
    return f"{name} {peer}\n".encode()


async def _serve(port: int, name: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.read(4096):
            writer.write(_line(name, writer.get_extra_info("peername")[0]))
        writer.close()

    packets = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    packets.bind(("::", port))
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: _Packets(name), sock=packets)
    listener = socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    await asyncio.start_server(answer, sock=listener)


async def main() -> None:
    for word in sys.argv[1:]:
        port, _, name = word.partition("=")
        await _serve(int(port), name)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
