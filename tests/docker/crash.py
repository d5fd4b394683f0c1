"""Crashes of daemons, and what has to outlive them."""

import os
import signal
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.docker.client import Container
from tests.docker.traces import DATABASE, Traces, family, records

from dockerlab.host import Host
from dockerlab.processes import wait_until


@dataclass(frozen=True, slots=True)
class Identity:
    """The endpoint of a container, and the MAC and IP addresses that have to outlive it."""

    endpoint: str
    addresses: tuple[str, ...]


def identities(network: str, *containers: Container) -> list[Identity]:
    """Who the containers are in a network."""
    fields = ("MacAddress", "IPAddress", "GlobalIPv6Address")
    endpoints = (container.on(network) for container in containers)
    return [
        Identity(one["EndpointID"], tuple(str(one[field]) for field in fields)) for one in endpoints
    ]


def kinds(found: Traces) -> Counter[str]:
    """How many traces there are of each kind; their ids are new after a crash."""
    return Counter(trace.kind for trace in found.elements())


def recorded_endpoints(host: Host) -> set[str]:
    return {row.split()[1] for row in records(host) if row.startswith("endpoint ")}


def age_endpoints(host: Host) -> None:
    """Make pyflat believe that its endpoints are old; it must not run."""
    with closing(sqlite3.connect(host.path(DATABASE))) as database, database:
        database.execute(
            "UPDATE records SET body = json_set(body, '$.since', 1.0) WHERE kind = 'endpoint'"
        )


def kill_pyflat(host: Host) -> None:
    """End its master and its worker as a crash would."""
    processes = list(family(host.pyflat.pid))
    for pid in processes:
        os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: not any(map(_runs, processes)) and not host.pyflat.running, 5)


def _runs(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
