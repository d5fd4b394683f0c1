"""Mark 5: many containers at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from dockerbench import peers
from dockerbench.api import Engine
from dockerbench.results import Outcome
from dockerbench.rounds import Run, settle, timed

MARKS = (("start", 1.0), ("kill", 0.85))


def run(run: Run) -> Outcome:
    """Start, then kill, all containers of one network at once; each has a connection of its own."""
    count = run.pick(50, 20)
    with run.lab() as lab, ThreadPoolExecutor(count) as threads:
        docker = run.docker(lab.host("h1"))
        variants = {}
        for number, (variant, driver) in enumerate(peers.DRIVERS.items()):
            network = f"net{number}"
            docker.create_network(network, driver, f"10.64.{number}.0/24")
            names = [f"{network}-{place}" for place in range(count)]
            for name in names:
                docker.create_container(name, network)
            variants[variant] = partial(_crowd, docker, threads, names)
        samples = run.interleave(f"{count} at once", variants, run.pick(7, 2))
    lines = [
        peers.line(5, f"{count} at once: {name}", samples, name, limit) for name, limit in MARKS
    ]
    return Outcome(lines, samples)


def _crowd(docker: Engine, threads: ThreadPoolExecutor, names: list[str]) -> dict[str, float]:
    def all_of(action: Callable[[str], None]) -> float:
        return timed(lambda: list(threads.map(action, names)))

    settle()
    start = all_of(docker.start)
    settle()
    return {"start": start, "kill": all_of(docker.kill)}
