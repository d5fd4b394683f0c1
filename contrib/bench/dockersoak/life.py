"""The life of two networks and the containers in them, in random order."""

from __future__ import annotations

import itertools
import random

from dockerbench.api import Engine, Port
from dockersoak.journal import FailedError, Journal

DRIVER = "pyflat"
#: The most containers that live at once, and the most ports of one.
CONTAINERS, PORTS = 4, 3
STEPS = 12


class Numbers:
    """Names, subnets and ports that no two lives share. Any thread may take one."""

    def __init__(self) -> None:
        self._names = itertools.count()
        self._subnets = itertools.cycle(range(2**16))
        self._ports = itertools.cycle(range(20000, 30000))

    def name(self) -> str:
        """Give a name."""
        return f"soak{next(self._names)}"

    def subnet(self) -> str:
        """Give a subnet; it comes again after all others."""
        number = next(self._subnets)
        return f"10.{number >> 8}.{number & 255}.0/24"

    def ports(self, count: int) -> list[Port]:
        """Give ports under which to publish the same of a container; they come again last."""
        return [(port, port) for port in itertools.islice(self._ports, count)]


class Life:
    """One life; an operation that fails ends it, and leaves what there is to others."""

    def __init__(
        self, engine: Engine, journal: Journal, numbers: Numbers, chance: random.Random, shared: str
    ) -> None:
        self._engine = engine
        self._do = journal.do
        self._numbers = numbers
        self._chance = chance
        self._networks = [shared]
        self._containers: dict[str, list[str]] = {}

    def live(self) -> bool:
        """Make, use and remove everything but the shared network; say whether all went well."""
        try:
            self._begin()
            for _ in range(STEPS):
                self._chance.choice(
                    (self._run, self._run, self._connect, self._disconnect, self._restart,
                     self._remove)
                )()  # fmt: skip
            self._end()
        except FailedError:
            return False
        return True

    def _begin(self) -> None:
        for _ in range(2):
            name, subnet = self._numbers.name(), self._numbers.subnet()
            manager = self._chance.choice(("default", DRIVER))
            create = self._engine.create_network
            self._do("network create", create, name, DRIVER, subnet, manager)
            self._networks.append(name)

    def _end(self) -> None:
        while self._containers:
            self._remove()
        for name in self._networks[1:]:
            self._do("network rm", self._engine.remove_network, name)

    def _run(self) -> None:
        if len(self._containers) == CONTAINERS:
            return
        name, network = self._numbers.name(), self._chance.choice(self._networks)
        ports = self._numbers.ports(self._chance.randint(0, PORTS))
        self._do("create", self._engine.create_container, name, network, ports)
        self._do("start", self._engine.start, name)
        self._containers[name] = [network]

    def _restart(self) -> None:
        for name in self._some():
            self._do("kill", self._engine.kill, name)
            self._do("start", self._engine.start, name)

    def _remove(self) -> None:
        for name in self._some():
            if self._chance.random() < 0.5:
                self._do("kill", self._engine.kill, name)
            self._do("rm", self._engine.remove_container, name)
            del self._containers[name]

    def _connect(self) -> None:
        for name in self._some():
            others = [each for each in self._networks if each not in self._containers[name]]
            if others:
                network = self._chance.choice(others)
                self._do("connect", self._engine.connect, network, name)
                self._containers[name].append(network)

    def _disconnect(self) -> None:
        for name in self._some():
            # A container without a network at all could not be started again.
            if len(connected := self._containers[name]) > 1:
                network = self._chance.choice(connected)
                self._do("disconnect", self._engine.disconnect, network, name)
                connected.remove(network)

    def _some(self) -> list[str]:
        """Give one of the containers, or none if there is none."""
        return self._chance.sample(list(self._containers), min(1, len(self._containers)))
