"""Mark 1, many times: networks in a row and at once, and a container that is in all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from dockerbench import peers
from dockerbench.api import Engine
from dockerbench.peers import DRIVERS
from dockerbench.results import Line, Outcome, Samples
from dockerbench.rounds import Run, settle, timed

ROW, ONCE, ALL = (
    "{} networks in a row: {}",
    "{} networks at once: {}",
    "container in {} networks: {}",
)

HOW = (
    "In a row: one connection asks for one network after another. At once: each is asked for by a "
    "connection of its own. The container is connected to the networks before it is started."
)


def run(run: Run) -> Outcome:
    """Measure on one host."""
    count, several = run.pick((20, 5), (5, 3))
    with run.lab() as lab, ThreadPoolExecutor(count) as threads:
        docker = run.docker(lab.host("h1"))
        variants = {
            variant: partial(_networks, docker, threads, driver, count, several)
            for variant, driver in DRIVERS.items()
        }
        samples = run.interleave(f"{count} networks", variants, run.pick(6, 1))
    return Outcome(list(_lines(samples)), samples, HOW)


def _lines(samples: Samples) -> Iterator[Line]:
    for what in samples:
        yield peers.line(1, what, samples, what, None)


def _networks(
    docker: Engine, threads: ThreadPoolExecutor, driver: str, count: int, several: int
) -> dict[str, float]:
    numbers = range(count)

    def create(number: int) -> None:
        docker.create_network(f"net{number}", driver, f"10.76.{number}.0/24")

    def remove(number: int) -> None:
        docker.remove_network(f"net{number}")

    def in_a_row(action: Callable[[int], None]) -> Callable[[], object]:
        return lambda: list(map(action, numbers))

    def at_once(action: Callable[[int], None]) -> Callable[[], object]:
        return lambda: list(threads.map(action, numbers))

    steps = {
        ROW.format(count, "create"): in_a_row(create),
        **_container(docker, several),
        ROW.format(count, "rm"): in_a_row(remove),
        ONCE.format(count, "create"): at_once(create),
        ONCE.format(count, "rm"): at_once(remove),
    }
    taken = {}
    for name, step in steps.items():
        settle()
        taken[name] = timed(step)
    return taken


def _container(docker: Engine, several: int) -> dict[str, Callable[[], object]]:
    """Give the steps of a container that is in the first of the networks."""

    def begin() -> None:
        docker.create_container("one", "net0")
        for number in range(1, several):
            docker.connect(f"net{number}", "one")
        docker.start("one")

    return {
        ALL.format(several, "run"): begin,
        ALL.format(several, "rm -f"): lambda: docker.remove_container("one"),
    }
