"""Mark 16: how long after `docker run` a container has its first answer from another host."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from itertools import count

from dockerbench import pairs, peers, sides
from dockerbench.pairs import SERVED, Pair
from dockerbench.peers import OURS, SWARM, again
from dockerbench.places import ECHO, ONE
from dockerbench.results import Line, Outcome, Samples
from dockerbench.rounds import Run, Variant, settle, timed
from dockerbench.sides import Side

LIMIT = 0.8
#: Network → what is on the new container's host already, beside it.
NETWORKS = {"alone": "the first on its host", "beside": "beside another"}
#: Seconds in which an answer has to come.
PATIENCE = 60.0
RUN, ANSWER = "create + start", "docker run until an answer from another host"

HOW = (
    "The time is from the request to create a container until a server on the other host has got "
    "a byte from it, and so the container an answer to its SYN. The server has been there for "
    "long, the container gets an address that none has had before."
)


def run(run: Run) -> Outcome:
    """Measure on four hosts, two of each kind."""
    with run.lab(hosts=4, etcd=True, start=False) as lab:
        sides.start_etcd(lab)
        first, second, third, fourth = lab.hosts
        ours, theirs = sides.pyflat(run, (first, second)), sides.swarm(run, (third, fourth))
        samples: Samples = {}
        for number, network in enumerate(NETWORKS):
            variants = {
                name: variant
                for side, name in ((ours, OURS), (theirs, SWARM))
                for name, variant in _variants(side, name, network, number)
            }
            samples |= run.interleave(f"arrival, {network}", variants, run.pick(11, 3))
    return Outcome(list(_lines(samples)), samples, HOW)


def _variants(side: Side, name: str, network: str, number: int) -> Iterator[tuple[str, Variant]]:
    prefix = f"10.{72 + number}"
    side.share(network, f"{prefix}.0.0/16", 72 + number)
    pair = pairs.across(side, network, f"{prefix}.0.10", f"{prefix}.0.20")
    if network == "alone":
        side.engines[0].remove_container(f"{network}-client")
    addresses = (f"{prefix}.1.{last}" for last in count(1))
    variant = partial(_arrive, side, network, pair, addresses)
    yield from ((name, variant), (again(name), variant))


def _arrive(side: Side, network: str, pair: Pair, addresses: Iterator[str]) -> dict[str, float]:
    docker = side.engines[0]
    words = (sys.executable, "-I", str(ECHO), "once", str(SERVED + 1))
    server = pair.server.start(ONE, *words, ready="ready")
    # What cannot be reached yet is asked again.
    ask = f"until echo | nc {pair.address} {SERVED + 1}; do :; done"
    settle()

    def begin() -> None:
        docker.create_container("new", network, address=next(addresses), command=("sh", "-c", ask))
        docker.start("new")

    taken = timed(begin)
    rest = timed(lambda: server.communicate(timeout=PATIENCE))
    docker.remove_container("new")
    return {f"{RUN}, {network}": taken, f"{ANSWER}, {network}": taken + rest}


def _lines(samples: Samples) -> Iterator[Line]:
    for network, where in NETWORKS.items():
        for what, limit in ((ANSWER, LIMIT), (RUN, None)):
            operation = f"{what}, {network}"
            yield peers.line(16, f"{what}, {where}", samples, operation, limit, peer=SWARM)
