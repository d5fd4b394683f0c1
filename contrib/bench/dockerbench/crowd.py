"""Mark 5: many containers at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from dockerbench import peers
from dockerbench.api import Engine
from dockerbench.peers import DRIVERS, MACVLAN, NONE, PEER
from dockerbench.results import Line, Outcome, Samples
from dockerbench.rounds import Run, settle, timed

MARKS = (("start", 1.0), ("kill", 0.85))
#: Those that have no mark.
MORE = {MACVLAN: MACVLAN, NONE: NONE}

HOW = (
    "That of macvlan has eth0 for its parent. None is containers without a network: what dockerd "
    "itself takes."
)


def run(run: Run) -> Outcome:
    """Start, then kill, all containers of one network at once; each has a connection of its own."""
    count = run.pick(50, 10)
    with run.lab() as lab, ThreadPoolExecutor(count) as threads:
        docker = run.docker(lab.host("h1"))
        variants = {}
        for number, (variant, driver) in enumerate((DRIVERS | MORE).items()):
            network = NONE
            if driver != NONE:
                network, subnet = f"net{number}", f"10.64.{number}.0/24"
                docker.create_network(network, driver, subnet, **peers.options(driver))
            names = [f"{network}-{place}" for place in range(count)]
            for name in names:
                docker.create_container(name, network)
            variants[variant] = partial(_crowd, docker, threads, names)
        samples = run.interleave(f"{count} at once", variants, run.pick(6, 1))
    return Outcome(list(_lines(samples, count)), samples, HOW)


def _lines(samples: Samples, count: int) -> Iterator[Line]:
    for name, limit in MARKS:
        for peer in (PEER, *MORE):
            what = f"{count} at once: {name}"
            held = limit if peer == PEER else None
            yield peers.line(5, what, samples, name, held, peer=peer)


def _crowd(docker: Engine, threads: ThreadPoolExecutor, names: list[str]) -> dict[str, float]:
    def all_of(action: Callable[[str], None]) -> float:
        return timed(lambda: list(threads.map(action, names)))

    settle()
    start = all_of(docker.start)
    settle()
    return {"start": start, "kill": all_of(docker.kill)}
