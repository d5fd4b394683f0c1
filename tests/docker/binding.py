"""Ports of the host as a stranger finds them who wants one for himself."""

import sys
from typing import NamedTuple

from dockerlab.host import Host


class Bind(NamedTuple):
    """What a stranger tries: an address, the names of a socket type and of an option, a port."""

    address: str
    kind: str
    option: str
    port: int


_BINDER = """
import errno, socket, sys
for line in sys.stdin:
    address, kind, option, port = line.split()
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET,
                       getattr(socket, kind)) as taker:
        taker.setsockopt(socket.SOL_SOCKET, getattr(socket, option), 1)
        if ":" in address:
            taker.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            taker.bind((address, int(port)))
            print("free")
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            print("taken")
"""


def bindable(host: Host, *binds: Bind) -> set[Bind]:
    """Those that succeed, one after the other, in a program of the host."""
    lines = "\n".join(" ".join(map(str, bind)) for bind in binds)
    done = host.run(sys.executable, "-c", _BINDER, input=lines, check=True)
    return {bind for bind, said in zip(binds, done.stdout.split(), strict=True) if said == "free"}
