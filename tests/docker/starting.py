"""Labs whose daemons start one after the other."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.docker.plugin import answers

from dockerlab import Lab
from dockerlab.host import Host


@contextmanager
def bare_lab(engine: str | None = None, **how: Any) -> Iterator[Lab]:
    """A lab of one host, or as Lab.up() has it otherwise, in which nothing runs."""
    name = f"t{secrets.token_hex(3)}"
    with Lab.up(name, engine=engine, start=False, **how) as lab:
        yield lab


def start(host: Host, first: str = "pyflat") -> None:
    """Start dockerd and pyflat, the second when the first answers, and load busybox."""
    for daemon in sorted((host.dockerd, host.pyflat), key=lambda each: each.name != first):
        daemon.start()
        # Pyflat's socket is there before it is ready.
        assert daemon is host.dockerd or answers(host)
    host.load_image("busybox")
