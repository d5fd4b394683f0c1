"""Mark 14, all around it: what a host with pyflat takes of memory and of disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement

import pyflat
from dockerbench import process
from dockerbench.members import Network, start
from dockerbench.peers import OURS, PEER
from dockerbench.results import Line, Outcome, Samples, compare, figure
from dockerbench.rounds import Run
from dockerlab.host import Host

#: Published ports of each container: one that Docker publishes has a proxy of its own.
PORTS = 5
FIRST = 20000
IDLE, FULL, MORE = "nothing runs", "{} containers with {} ports", "what {} containers add"

HOW = (
    "Memory is the PSS of dockerd with its proxies and, on pyflat's host, of the plugin, without "
    "containerd and the containers. Each sample has a host of its own. Installed is what pip has "
    "put there: the program, and all that it depends on, compiled. The state is what the stopped "
    "plugin's folder has grown by, over {networks} networks and over {endpoints} endpoints."
)


def run(run: Run) -> Outcome:
    """Measure hosts that are made anew for each sample, then the disk."""
    containers = run.pick(20, 3)
    variants = {name: partial(_memory, run, name, containers) for name in (OURS, PEER)}
    samples = run.interleave("memory", variants, run.pick(3, 1))
    networks, endpoints = run.pick((100, 500), (20, 50))
    state = _state(run, networks, endpoints)
    how = HOW.format(networks=networks, endpoints=endpoints)
    return Outcome([*_lines(samples), *_disk(state)], samples, how)


def _lines(samples: Samples) -> Iterator[Line]:
    for what, of in samples.items():
        name = f"memory of dockerd and plugin, {what}"
        yield compare(14, name, of[OURS], of[PEER], peer=PEER, unit="MB")


def _memory(run: Run, driver: str, count: int) -> dict[str, float]:
    ours = driver == OURS
    with run.lab(plugin=ours) as lab:
        host = lab.host("h1")
        docker = run.docker(host)
        idle = _used(host, plugin=ours)
        docker.create_network("net", driver, "10.77.0.0/24")
        for number in range(count):
            ports = range(FIRST + PORTS * number, FIRST + PORTS * (number + 1))
            docker.create_container(f"c{number}", "net", [(port, port) for port in ports])
            docker.start(f"c{number}")
        full = _used(host, plugin=ours)
    return {IDLE: idle, FULL.format(count, PORTS): full, MORE.format(count): full - idle}


def _used(host: Host, *, plugin: bool) -> float:
    dockerd = process.pss(host.dockerd.pid)
    return dockerd + process.memory(host) if plugin else dockerd


def _disk(state: Mapping[str, float]) -> Iterator[Line]:
    program = _size(Path(pyflat.__file__).parent)
    yield figure(14, "installed: pyflat", [program / 2**20], "MB")
    whole = program + sum(map(_installed, _needed("pyflat") - {"pyflat"}))
    yield figure(14, "installed: pyflat and what it depends on", [whole / 2**20], "MB")
    for what, kilobytes in state.items():
        yield figure(14, what, [kilobytes], "kB")


def _state(run: Run, networks: int, endpoints: int) -> dict[str, float]:
    """Give what the state takes in kB (2**10 bytes): empty, for a network and for an endpoint."""
    with run.lab(start=False) as lab:
        host = lab.host("h1")
        sizes = []
        for crowd in ({}, dict.fromkeys(range(networks), 0), {networks: endpoints}):
            plugin = start(host)
            for number, size in crowd.items():
                Network(plugin, number, size)
            host.pyflat.stop()
            sizes.append(_size(host.path("/var/lib/pyflat")) / 2**10)
    empty, some, all_of_it = sizes
    return {
        "state on disk: empty": empty,
        "state on disk: a network": (some - empty) / networks,
        "state on disk: an endpoint": (all_of_it - some) / endpoints,
    }


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _installed(name: str) -> int:
    files = (Path(str(file.locate())) for file in distribution(name).files or ())
    return sum(path.stat().st_size for path in files if path.is_file())


def _needed(name: str) -> set[str]:
    """Give the names of a distribution and of all that it cannot do without."""
    found: set[str] = set()
    ahead = [name]
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            required = map(Requirement, distribution(name).requires or ())
            ahead += [
                each.name
                for each in required
                if each.marker is None or each.marker.evaluate({"extra": ""})
            ]
    return found
