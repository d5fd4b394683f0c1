"""A program for any machine: asks many servers at once what they say.

``questions.py TEXT`` reads lines of ``PROTOCOL ADDRESS PORT SECONDS``, sends the text to each, and
writes the last line that came within the time; an empty line if none did.
"""

import asyncio
import sys

# A packet that is lost is sent again.
_AGAIN = 0.7


class _Packets(asyncio.DatagramProtocol):
    def __init__(self, answer: "asyncio.Future[str]") -> None:
        self._answer = answer

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._end(data.decode())

    def error_received(self, exc: Exception) -> None:
        self._end("")

    def _end(self, said: str) -> None:
        if not self._answer.done():
            self._answer.set_result(said)


async def _by_packets(address: str, port: int) -> str:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Packets(answer), remote_addr=(address, port)
    )
    try:
        while not answer.done():
            transport.sendto(sys.argv[1].encode())
            await asyncio.wait((answer,), timeout=_AGAIN)
        return answer.result()
    finally:
        transport.close()


async def _by_connection(address: str, port: int) -> str:
    reader, writer = await asyncio.open_connection(address, port)
    try:
        writer.write(sys.argv[1].encode())
        return (await reader.read()).decode()
    finally:
        writer.close()


async def _ask(line: str) -> str:
    protocol, address, port, seconds = line.split()
    ask = _by_packets if protocol == "udp" else _by_connection
    try:
        said = await asyncio.wait_for(ask(address, int(port)), float(seconds))
    except (OSError, TimeoutError):
        return ""
    return said.strip().rpartition("\n")[2]


async def main() -> None:
    for said in await asyncio.gather(*map(_ask, sys.stdin)):
        print(said)


if __name__ == "__main__":
    asyncio.run(main())
