"""Mark 6: what connect and disconnect cost on a host that is full of endpoints."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from dockerbench import peers
from dockerbench.api import Engine
from dockerbench.peers import OURS, OURS_AGAIN, PEER, PEER_AGAIN
from dockerbench.results import Line, Outcome, Samples, compare
from dockerbench.rounds import Run, settle, timed
from dockerlab.host import Host

LIMIT = 1.15
#: Networks that each container of a full host is in: one container costs much more than one
#: endpoint, but a network with few ports would not be a full one.
NETWORKS = 5

HOW = (
    "{endpoints} endpoints are {containers} real containers in {networks} networks each, all made "
    "through the engine, on a host of the driver's own; connect goes to one of these networks. The "
    "other host has one container. Both are asked in every repetition: the ratio is full ÷ other."
)


def run(run: Run) -> Outcome:
    """Measure on three hosts: one with a single endpoint, and a full one for each driver."""
    containers = run.pick(100, 20)
    with run.lab(hosts=3) as lab:
        one, ours, peer = (_Standing(run, host) for host in lab.hosts)
        one.fill("pyflat", 1, 1)
        one.fill("bridge", 1, 1)
        for number, (full, driver) in enumerate(((ours, "pyflat"), (peer, "bridge"))):
            run.progress(f"filling a host of {driver}", number, 2)
            full.fill(driver, containers, NETWORKS)
        variants = {
            OURS: partial(one.cycle, "pyflat"),
            OURS_AGAIN: partial(one.cycle, "pyflat"),
            PEER: partial(one.cycle, "bridge"),
            PEER_AGAIN: partial(one.cycle, "bridge"),
            f"{OURS}, full": partial(ours.cycle, "pyflat"),
            f"{PEER}, full": partial(peer.cycle, "bridge"),
        }
        samples = run.interleave("full hosts", variants, run.pick(31, 7))
    endpoints = containers * NETWORKS
    how = HOW.format(endpoints=endpoints, containers=containers, networks=NETWORKS)
    return Outcome(_lines(samples, endpoints), samples, how)


def _lines(samples: Samples, endpoints: int) -> list[Line]:
    lines = []
    for driver, again, limit in ((OURS, OURS_AGAIN, LIMIT), (PEER, PEER_AGAIN, None)):
        for operation, of in samples.items():
            what = f"{operation}, 1 → {endpoints} endpoints: growth of {driver}"
            control = (of[again], of[driver])
            lines.append(
                compare(6, what, of[f"{driver}, full"], of[driver], limit=limit, control=control)
            )
    return lines


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
