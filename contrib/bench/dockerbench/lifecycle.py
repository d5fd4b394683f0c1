"""Marks 1 to 3: the life of a network and of a container in it, one operation after another."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from dockerbench import peers
from dockerbench.api import Engine
from dockerbench.results import Outcome
from dockerbench.rounds import Run, settle, timed

MOVED = "{}, gateway moves"

#: Mark, operation, and the ratio to the bridge driver that it must not exceed.
MARKS = (
    (1, "network create", 0.15),
    (1, "network rm", 0.30),
    (2, "disconnect", 0.60),
    (2, "kill", 0.75),
    (3, "start", 1.10),
    (3, "connect", 1.05),
    (2, MOVED.format("disconnect"), 0.60),
    (3, MOVED.format("connect"), 1.05),
)

HOW = (
    "The containers that are connected are in a bridge network already. A container's gateway is "
    "in the network that comes first by name: it stays where it is in the plain connect and "
    "disconnect, and moves to the new network and back in the others."
)


#: Containers with the network they are in: one sorts before "net", the other after it.
STANDING = (("keeps", "base", "10.60.0.0/24"), ("moves", "other", "10.59.0.0/24"))


def run(run: Run) -> Outcome:
    """Measure on one host, on which containers stand ready to be connected."""
    with run.lab() as lab:
        docker = run.docker(lab.host("h1"))
        for name, network, subnet in STANDING:
            docker.create_network(network, "bridge", subnet)
            docker.create_container(name, network)
            docker.start(name)
        variants = {name: partial(_life, docker, driver) for name, driver in peers.DRIVERS.items()}
        samples = run.interleave("one at a time", variants, run.pick(31, 6))
    lines = [peers.line(mark, name, samples, name, limit) for mark, name, limit in MARKS]
    return Outcome(lines, samples, HOW)


def _life(docker: Engine, driver: str) -> dict[str, float]:
    steps: dict[str, Callable[[], None]] = {
        "network create": partial(docker.create_network, "net", driver, "10.61.0.0/24"),
        "container create": partial(docker.create_container, "one", "net"),
        "start": partial(docker.start, "one"),
        "kill": partial(docker.kill, "one"),
        "container rm": partial(docker.remove_container, "one"),
        "connect": partial(docker.connect, "net", "keeps"),
        "disconnect": partial(docker.disconnect, "net", "keeps"),
        MOVED.format("connect"): partial(docker.connect, "net", "moves"),
        MOVED.format("disconnect"): partial(docker.disconnect, "net", "moves"),
        "network rm": partial(docker.remove_network, "net"),
    }
    taken = {}
    for name, step in steps.items():
        settle()
        taken[name] = timed(step)
    return taken
