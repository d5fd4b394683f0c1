"""Mark 6: what connect and disconnect cost on a host that is full of endpoints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from dockerbench import peers
from dockerbench.api import Engine
from dockerbench.peers import OURS, PEER, again
from dockerbench.results import Line, Outcome, Samples, compare
from dockerbench.rounds import Run, Variant, settle, timed
from dockerlab.host import Host

LIMIT = 1.15
#: Networks that each container of a full host is in: one container costs much more than one
#: endpoint, but a network with few ports would not be a full one.
NETWORKS = 5

HOW = (
    "{endpoints} endpoints are {containers} real containers in {networks} networks each, all made "
    "through the engine, each crowd on a host of the driver's own; connect goes to one of these "
    "networks. Another host has one container, and is the peer. All are asked in every repetition."
)


def run(run: Run) -> Outcome:
    """Measure on a host with a single endpoint, and on one for each driver and crowd."""
    crowds = run.pick([20, 100], [4])
    full = [(driver, count) for count in crowds for driver in (OURS, PEER)]
    with run.lab(hosts=1 + len(full)) as lab:
        one, *others = (_Standing(run, host) for host in lab.hosts)
        variants: dict[str, Variant] = {}
        for driver in (OURS, PEER):
            one.fill(driver, 1, 1)
            for variant in (driver, again(driver)):
                variants[variant] = partial(one.cycle, driver)
        for number, (host, (driver, count)) in enumerate(zip(others, full, strict=True)):
            run.progress("filling hosts", number, len(full))
            host.fill(driver, count, NETWORKS)
            variants[_variant(driver, count)] = partial(host.cycle, driver)
        samples = run.interleave("full hosts", variants, run.pick(21, 3))
    counts = [str(count) for count in crowds]
    endpoints = [str(count * NETWORKS) for count in crowds]
    how = HOW.format(
        endpoints=" and ".join(endpoints), containers=" and ".join(counts), networks=NETWORKS
    )
    return Outcome(list(_lines(samples, full)), samples, how)


def _variant(driver: str, containers: int) -> str:
    return f"{driver}, {containers * NETWORKS} endpoints"


def _lines(samples: Samples, full: Sequence[tuple[str, int]]) -> Iterator[Line]:
    most = max(containers for _, containers in full)
    for driver, containers in full:
        for operation, of in samples.items():
            yield compare(
                6,
                f"{operation}, {_variant(driver, containers)}",
                of[_variant(driver, containers)],
                of[driver],
                peer="1 endpoint",
                series=f"{operation}, {driver}",
                size=containers * NETWORKS,
                limit=LIMIT if (driver, containers) == (OURS, most) else None,
                control=(of[again(driver)], of[driver]),
            )


class _Standing:
    """A host with a container that stands ready to be connected."""

    def __init__(self, run: Run, host: Host) -> None:
        self._docker: Engine = run.docker(host)
        self._docker.create_network(peers.BASE, "bridge", peers.BASE_SUBNET)
        self._docker.create_container("standing", peers.BASE)
        self._docker.start("standing")

    def fill(self, driver: str, containers: int, networks: int) -> None:
        """Start containers, each in all of the networks."""
        third = {"pyflat": 100, "bridge": 120}[driver]
        names = [f"{driver}{number}" for number in range(networks)]
        for number, name in enumerate(names):
            self._docker.create_network(name, driver, f"10.65.{third + number}.0/24")

        def start(container: str) -> None:
            self._docker.create_container(container, names[0])
            self._docker.start(container)
            for name in names[1:]:
                self._docker.connect(name, container)

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(start, [f"{driver}-c{number}" for number in range(containers)]))

    def cycle(self, driver: str) -> dict[str, float]:
        """Connect the standing container to the first network of a driver, and back."""
        network = f"{driver}0"
        settle()
        connect = timed(lambda: self._docker.connect(network, "standing"))
        settle()
        disconnect = timed(lambda: self._docker.disconnect(network, "standing"))
        return {"connect": connect, "disconnect": disconnect}
