"""Labs whose daemons start one after the other."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from tests.docker.plugin import answers

from dockerlab import Lab
from dockerlab.host import Host


@contextmanager
def bare_lab(
    engine: str | None = None, *, hosts: int = 1, live_restore: bool = False, etcd: bool = False
) -> Iterator[Lab]:
    """A lab whose hosts, one or more, run nothing yet; of a cluster, if there is an etcd."""
    name = f"t{secrets.token_hex(3)}"
    with Lab.up(
        name, hosts=hosts, engine=engine, live_restore=live_restore, etcd=etcd, start=False
    ) as lab:
        yield lab


def start(host: Host, first: str = "pyflat") -> None:
    """Start dockerd and pyflat, the second when the first answers, and load busybox."""
    for daemon in sorted((host.dockerd, host.pyflat), key=lambda each: each.name != first):
        daemon.start()
        # Pyflat's socket is there before it is ready.
        assert daemon is host.dockerd or answers(host)
    host.load_image("busybox")
