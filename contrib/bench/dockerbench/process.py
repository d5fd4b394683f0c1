"""Mark 14: what the plugin itself takes: memory, and time to start."""

from __future__ import annotations

import time
from http.client import HTTPException
from pathlib import Path

from dockerbench.api import Plugin
from dockerbench.peers import OURS
from dockerbench.results import Outcome, figure
from dockerbench.rounds import Run
from dockerlab.host import Host
from dockerlab.processes import family

MEMORY_LIMIT = 60.0
START_LIMIT = 500.0

HOW = (
    "On a host without Docker, with an empty state. The start includes the way into the host's "
    "namespaces (sh and nsenter) and ends with the first answer to Plugin.Activate. Memory is the "
    "PSS of master and worker after that answer."
)


def run(run: Run) -> Outcome:
    """Start and stop the plugin on a host without Docker."""
    with run.lab(start=False) as lab:
        host = lab.host("h1")
        samples = run.interleave("starts", {OURS: lambda: _start(host)}, run.pick(15, 3))
    lines = [
        figure(14, "memory of master + worker", samples["PSS"][OURS], "MB", limit=MEMORY_LIMIT),
        figure(14, "start to first answer", samples["start"][OURS], "ms", limit=START_LIMIT),
    ]
    return Outcome(lines, samples, HOW)


def _start(host: Host) -> dict[str, float]:
    path = host.path("/run/docker/plugins/pyflat.sock")
    begin = time.perf_counter()
    host.pyflat.start(wait=False)
    while not answers(path):
        time.sleep(0.002)
    taken = (time.perf_counter() - begin) * 1000
    used = memory(host)
    host.pyflat.stop()
    return {"start": taken, "PSS": used}


def memory(host: Host) -> float:
    """Give the proportional set size of a host's plugin, master and worker, in MB (2**20 bytes)."""
    return pss(host.pyflat.pid)


def pss(pid: int) -> float:
    """Give the proportional set size of a process and its descendants in MB (2**20 bytes)."""
    return sum(map(_pss, family(pid)))


def answers(path: Path) -> bool:
    """Say whether a plugin answers on this socket."""
    try:
        Plugin(path).call("Plugin.Activate")
    except (OSError, HTTPException):
        return False
    return True


def _pss(pid: int) -> float:
    """Give the proportional set size of a process in MB (2**20 bytes)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"process {pid} has no memory of its own")
