"""Ends of daemons, and what has to outlive them."""

import itertools
import os
import signal
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from tests.docker.client import Container
from tests.docker.plugin import answers, call
from tests.docker.traces import DATABASE, Traces, family, records

from dockerlab.host import Host
from dockerlab.processes import wait_until

HALF_A_PAGE = 2000


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


@contextmanager
def busy(host: Host, network: str, address: str) -> Iterator[None]:
    """Requests without a pause, until pyflat has ended: an endpoint comes and goes."""
    answered: list[dict[str, Any]] = []
    asking = threading.Thread(target=_ask, args=(host, network, address, answered))
    asking.start()
    assert wait_until(lambda: len(answered) > 20, 10), "pyflat is not asked"
    yield
    asking.join(30)
    assert not asking.is_alive(), "pyflat answers on"
    assert [answer for answer in answered if answer.get("Err")] == []


def _ask(host: Host, network: str, address: str, answered: list[dict[str, Any]]) -> None:
    with suppress(OSError, HTTPException):
        for number in itertools.count():
            # An interface is called after the first digits.
            endpoint = f"{number:012x}".ljust(64, "0")
            own: dict[str, Any] = {"NetworkID": network, "EndpointID": endpoint}
            interface = {"Address": address}
            answered.append(call(host, "NetworkDriver.CreateEndpoint", **own, Interface=interface))
            answered.append(call(host, "NetworkDriver.DeleteEndpoint", **own))


def tear_write(host: Host) -> None:
    """Leave half a page of a write at the end of pyflat's database; it must not run."""
    log = host.path(f"{DATABASE}-wal")
    assert log.stat().st_size > 0, "it has ended in order"
    with log.open("ab") as end:
        end.write(os.urandom(HALF_A_PAGE))


def age_endpoints(host: Host) -> None:
    """Make pyflat believe that its endpoints are old; it must not run."""
    with closing(sqlite3.connect(host.path(DATABASE))) as database, database:
        database.execute(
            "UPDATE records SET body = json_set(body, '$.since', 1.0) WHERE kind = 'endpoint'"
        )


def start_pyflat(host: Host) -> None:
    """Return when it has made everything that its State says."""
    host.pyflat.start()
    assert answers(host, 30)


def renew_worker(host: Host, number: signal.Signals) -> None:
    """Have its worker replaced: by HUP to the master, or by an end of the worker."""
    master, worker = family(host.pyflat.pid)
    os.kill(master if number == signal.SIGHUP else worker, number)
    assert wait_until(lambda: worker not in family(master) and answers(host), 30)


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
