"""Marks 1 to 3: the life of a network and of a container in it, one operation after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from dockerbench import floor, peers
from dockerbench.api import Engine
from dockerbench.peers import DRIVERS, KERNEL, MACVLAN, NONE
from dockerbench.results import Line, Outcome, Samples
from dockerbench.rounds import Run, Variant, settle, timed

MOVED = "{}, gateway moves"

#: Mark, operation, and the ratio to the bridge driver that it must not exceed.
MARKS: tuple[tuple[int, str, float | None], ...] = (
    (1, "network create", 0.15),
    (1, "network rm", 0.30),
    (2, "container rm", None),
    (2, "disconnect", 0.60),
    (2, "kill", 0.75),
    (3, "container create", None),
    (3, "start", 1.10),
    (3, "connect", 1.05),
    (2, MOVED.format("disconnect"), 0.60),
    (3, MOVED.format("connect"), 1.05),
)

HOW = (
    "The containers that are connected are in a bridge network already. A container's gateway is "
    "in the network that comes first by name: it stays where it is in the plain connect and "
    "disconnect, and moves to the new network and back in the others. That of macvlan has eth0 for "
    "its parent. None is a container without a network: what dockerd itself takes. The kernel's "
    "floor is what netlink alone takes, in a namespace of its own, with all that dockerd does in "
    "the container's: nobody remembers anything, and nobody is asked by HTTP."
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
        with floor.start() as kernel:
            drivers = DRIVERS | {MACVLAN: MACVLAN}
            variants: dict[str, Variant] = {
                **{name: partial(_life, docker, driver) for name, driver in drivers.items()},
                NONE: partial(_taken, _alone(docker, NONE)),
                KERNEL: floor.life(kernel),
            }
            samples = run.interleave("one at a time", variants, run.pick(21, 2))
    return Outcome([line for mark in MARKS for line in _lines(samples, *mark)], samples, HOW)


def _lines(samples: Samples, mark: int, name: str, limit: float | None) -> Iterator[Line]:
    yield peers.line(mark, name, samples, name, limit)
    for peer in (MACVLAN, NONE, KERNEL):
        if peer in samples[name]:
            yield peers.line(mark, name, samples, name, None, peer=peer)


def _alone(docker: Engine, network: str) -> dict[str, Callable[[], object]]:
    """Give the steps of a container's life."""
    return {
        "container create": partial(docker.create_container, "one", network),
        "start": partial(docker.start, "one"),
        "kill": partial(docker.kill, "one"),
        "container rm": partial(docker.remove_container, "one"),
    }


def _life(docker: Engine, driver: str) -> dict[str, float]:
    create = partial(docker.create_network, "net", driver, "10.61.0.0/24", **peers.options(driver))
    steps: dict[str, Callable[[], object]] = {
        "network create": create,
        **_alone(docker, "net"),
        "connect": partial(docker.connect, "net", "keeps"),
        "disconnect": partial(docker.disconnect, "net", "keeps"),
        MOVED.format("connect"): partial(docker.connect, "net", "moves"),
        MOVED.format("disconnect"): partial(docker.disconnect, "net", "moves"),
        "network rm": partial(docker.remove_network, "net"),
    }
    return _taken(steps)


def _taken(steps: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    taken = {}
    for name, step in steps.items():
        settle()
        taken[name] = timed(step)
    return taken
