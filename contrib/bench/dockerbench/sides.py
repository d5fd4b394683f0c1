"""Two hosts with networks in common: by pyflat, or by the overlay of Docker's own swarm."""

from __future__ import annotations

from dataclasses import dataclass

from dockerbench.api import IMAGE, Engine
from dockerbench.rounds import Run
from dockerlab import Lab
from dockerlab.etcd import Etcd
from dockerlab.host import Host


@dataclass(frozen=True, slots=True)
class Side:
    """Two hosts whose daemons run."""

    hosts: tuple[Host, Host]
    engines: tuple[Engine, Engine]
    is_swarm: bool

    def share(self, network: str, subnet: str, vni: int, **options: str) -> None:
        """Make a network of both hosts; a swarm draws a VNI of its own, and has no options."""
        if self.is_swarm:
            self.engines[0].create_network(network, "overlay", subnet, Attachable=True)
            return
        for engine in self.engines:
            engine.create_network(network, "pyflat", subnet, Options=options | {"vni": str(vni)})


def pyflat(run: Run, hosts: tuple[Host, Host]) -> Side:
    """Start pyflat and dockerd of two hosts, which find each other by the lab's etcd."""
    return Side(hosts, _start(run, hosts, plugin=True), is_swarm=False)


def swarm(run: Run, hosts: tuple[Host, Host]) -> Side:
    """Start dockerd of two hosts, without pyflat, and make a swarm of them."""
    engines = _start(run, hosts, plugin=False)
    manager, worker = hosts
    do = ("docker", "swarm")
    manager.run(*do, "init", "--advertise-addr", manager.address4, check=True)
    token = manager.run(*do, "join-token", "--quiet", "worker", check=True).stdout.strip()
    words = ("--token", token, "--advertise-addr", worker.address4, f"{manager.address4}:2377")
    worker.run(*do, "join", *words, check=True)
    return Side(hosts, engines, is_swarm=True)


def start_etcd(lab: Lab) -> Etcd:
    """Start the etcd of a lab that was made with one."""
    assert lab.etcd is not None
    lab.etcd.start()
    return lab.etcd


def _start(run: Run, hosts: tuple[Host, Host], *, plugin: bool) -> tuple[Engine, Engine]:
    for host in hosts:
        host.start("pyflat", plugin=plugin)
        host.load_image(IMAGE)
    first, second = hosts
    return run.docker(first), run.docker(second)
