"""A program for the outside machine: returns when web servers on neighbouring ports have answered.

Its arguments are the address, the first port and the number of ports.
"""

from __future__ import annotations

import asyncio
import sys

#: Seconds for one attempt, and between two: enough for a SYN that is dropped while a host boots.
ATTEMPT = 0.5
PAUSE = 0.2


async def _wait(address: str, port: int) -> None:
    while True:
        try:
            async with asyncio.timeout(ATTEMPT):
                await _ask(address, port)
                return
        except (OSError, EOFError):
            await asyncio.sleep(PAUSE)


async def _ask(address: str, port: int) -> None:
    reader, writer = await asyncio.open_connection(address, port)
    try:
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        await reader.readexactly(1)
    finally:
        writer.close()


async def _all(address: str, first: int, count: int) -> None:
    await asyncio.gather(*(_wait(address, first + number) for number in range(count)))


if __name__ == "__main__":
    asyncio.run(_all(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
