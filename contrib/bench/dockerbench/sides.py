"""Two hosts with networks in common: by pyflat, or by the overlay of Docker's own swarm."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dockerbench.api import IMAGE, Engine
from dockerbench.rounds import Run
from dockerlab.host import Host


@dataclass(frozen=True, slots=True)
class Side:
    """Two hosts whose daemons run, and what a network over both takes."""

    hosts: tuple[Host, Host]
    engines: tuple[Engine, Engine]
    driver: str
    makers: tuple[Engine, ...]
    """The engines that have to be told of a network."""
    fields: dict[str, Any] = field(default_factory=dict)
    """What each network has."""

    def share(self, network: str, subnet: str, **options: str) -> None:
        """Make a network on both hosts."""
        for engine in self.makers:
            engine.create_network(network, self.driver, subnet, **self.fields, Options=options)


def pyflat(run: Run, hosts: tuple[Host, Host]) -> Side:
    """Start pyflat and dockerd of two hosts, which find each other by the lab's etcd."""
    engines = _start(run, hosts, plugin=True)
    return Side(hosts, engines, "pyflat", engines)


def swarm(run: Run, hosts: tuple[Host, Host]) -> Side:
    """Start dockerd of two hosts, without pyflat, and make a swarm of them."""
    engines = _start(run, hosts, plugin=False)
    manager, worker = hosts
    begin = ("docker", "swarm")
    manager.run(*begin, "init", "--advertise-addr", manager.address4, check=True)
    token = manager.run(*begin, "join-token", "--quiet", "worker", check=True).stdout.strip()
    words = ("--token", token, "--advertise-addr", worker.address4, f"{manager.address4}:2377")
    worker.run(*begin, "join", *words, check=True)
    return Side(hosts, engines, "overlay", engines[:1], {"Attachable": True})


def _start(run: Run, hosts: tuple[Host, Host], *, plugin: bool) -> tuple[Engine, Engine]:
    for host in hosts:
        host.start("pyflat", plugin=plugin)
        host.load_image(IMAGE)
    first, second = hosts
    return run.docker(first), run.docker(second)
