"""Name servers, asked from a namespace; the machine needs dig and dnsmasq."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import witness
from tests.support.inhabited import inside

from pyflat.names.dnsmasq import PROGRAM


@contextmanager
def name_server(place: str, address: str) -> Iterator[None]:
    """A name server in a namespace, which has its own address for the name "whoami.example"."""
    words = ("--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=root")
    names = ("--no-resolv", "--no-hosts", f"--host-record=whoami.example,{address}")
    log = ("--log-queries", f"--log-facility={_log(place, address)}")
    own = (f"--listen-address={address}", "--bind-interfaces", *names, *log)
    server = subprocess.Popen(("ip", "netns", "exec", place, str(PROGRAM), *words, *own))
    try:
        yield
    finally:
        server.kill()
        server.wait()
        _log(place, address).unlink()


def queries(place: str, address: str) -> str:
    """Give what such a server has written of who asked it for what."""
    return _log(place, address).read_text()


def dig(place: str | None, server: str, *words: str) -> str:
    """What dig says, in a namespace or here; it waits for a second."""
    command = ("dig", "+tries=1", "+time=1", "+noall", "+answer", "+comments", f"@{server}", *words)
    if place is None:
        return witness.run(*command, check=False)
    return inside(place, *command, check=False)


def ask(place: str, server: str, *words: str) -> set[str]:
    """The addresses or names that a server gives."""
    return set(dig(place, server, *words, "+short", "+nocomments").split())


def status(place: str, server: str, name: str, *words: str) -> str:
    return dig(place, server, name, *words).partition("status: ")[2].partition(",")[0]


def _log(place: str, address: str) -> Path:
    return Path(f"/tmp/{place}-{address}")
