"""Hosts with an overlay in common, and who reaches whom there."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import permutations, product
from typing import Any

from tests.docker.client import Container, Docker
from tests.docker.outage import Loss, pinging
from tests.docker.reach import Answer, pings
from tests.docker.starting import bare_lab, start
from tests.docker.ways import Way, astray

from dockerlab import Lab, parallel
from dockerlab.host import Host
from dockerlab.processes import wait_until

SUBNET, SUBNET6 = "10.42.0.0/16", "fd42::/64"
GATEWAY = {4: "10.42.0.1", 6: "fd42::1"}
_GATEWAYS = ("--gateway", GATEWAY[4], "--gateway", GATEWAY[6])
DUAL = ("--subnet", SUBNET, "--ipv6", "--subnet", SUBNET6, *_GATEWAYS)
VNI = 42
PORT = 81
_ASK = r"printf 'GET /cgi-bin/who HTTP/1.0\r\n\r\n'"
#: The settings of hosts that tell each other by the lab's etcd, by the underlay's family.
CLUSTER = {
    4: {"PYFLAT_CLUSTER": "etcd://192.0.2.200:2379"},
    6: {"PYFLAT_CLUSTER": "etcd://[2001:db8:1::200]:2379"},
}
#: Has a container ask the overlay's gateway for names, with any engine.
ASKING = ("--dns", GATEWAY[4])


@contextmanager
def lab_of_three(engine: str, *, outer: str = "h3", far: int = 0, **how: Any) -> Iterator[Lab]:
    """Three hosts with an etcd; the bridges of overlays lie with the host on ``outer``, on others
    in a namespace of their own, so that what crosses between hosts crosses between both kinds."""
    with bare_lab(engine, hosts=3, etcd=True, far=far, **how) as lab:
        lab.host(outer).pyflat.env["PYFLAT_NAMESPACE"] = ""
        assert lab.etcd is not None
        lab.etcd.start()
        parallel.each(start, lab.hosts)
        yield lab


def own_address(host: Host, version: int) -> str:
    """A host's address of a family."""
    return {4: host.address4, 6: host.address6}[version]


def over(lab: Lab, version: int = 4) -> Sequence[str]:
    """The options that name the hosts of a lab by their addresses."""
    return ("-o", f"peers={','.join(own_address(host, version) for host in lab.hosts)}")


def amiss(lab: Lab) -> dict[str, str]:
    """The hosts where pyflat finds something other than it should be, and what it finds."""
    found = {host.name: host.run("pyflat", "plan") for host in lab.hosts}
    return {name: plan.stdout for name, plan in found.items() if plan.returncode}


class Overlay:
    """A network of some hosts, called blue, and on each a server of it, called after its host.

    Docker's address manager gives each host its part of the subnet.
    """

    def __init__(
        self, dockers: Sequence[Docker], *options: str, run: Sequence[str] = (), vni: int = VNI
    ) -> None:
        self.dockers = dockers
        self.options = ("-o", f"vni={vni}", *DUAL, *options)
        self.run = run
        parallel.each(self._make, dockers)
        self.webs = [Container(docker, docker.host.name) for docker in dockers]
        self._addresses = {
            (web.name, version): web.address("blue", version)
            for web in self.webs
            for version in (4, 6)
        }

    def address(self, web: Container, version: int) -> str:
        """A server's address of a family."""
        return self._addresses[web.name, version]

    def inside(self) -> list[str]:
        """All addresses."""
        return list(self._addresses.values())

    def others(self, web: Container) -> list[str]:
        """The addresses of all servers but one."""
        return [address for (name, _), address in self._addresses.items() if name != web.name]

    def ways(self) -> Iterator[Way]:
        """From each server to each other one, by its address."""
        for (one, other), version in product(permutations(self.webs, 2), (4, 6)):
            name = f"{one.name} to {other.name}, IPv{version}"
            address, client = self.address(other, version), self.address(one, version)
            yield Way(name, one, address, 80, other.name, client)

    def wrong(self) -> dict[str, Answer | None]:
        """The ways that do not lead where they have to."""
        return astray(self.ways())

    def silent(self) -> list[str]:
        """The ways on which a ping is not answered."""
        ways = list(self.ways())
        with ThreadPoolExecutor(len(ways)) as pool:
            answered = pool.map(lambda way: pings(way.place, way.address), ways)
            return [way.name for way, heard in zip(ways, answered, strict=True) if not heard]

    def nameless(self) -> list[str]:
        """The ways on which another server is not found by its name, pinged and asked."""
        pairs = list(permutations(self.webs, 2))
        with ThreadPoolExecutor(len(pairs)) as pool:
            found = pool.map(lambda pair: wait_until(partial(_finds, *pair), 5), pairs)
            missed = (pair for pair, leads in zip(pairs, found, strict=True) if not leads)
            return [f"{one.name} to {other.name}" for one, other in missed]

    def _make(self, docker: Docker) -> None:
        name = docker.host.name
        number = name.removeprefix("h")
        parts = ("--ip-range", f"10.42.{number}.0/24", "--ip-range", f"fd42::{number}:0/112")
        docker.network("blue", *self.options, *parts)
        docker.web(name, "--network", "blue", "-p", f"{PORT}:80", *self.run)


def _finds(one: Container, other: Container) -> bool:
    # Busybox's own wget breaks down with names.
    asked = one.exec("sh", "-c", f"{_ASK} | nc -w3 {other.name} 80").stdout
    return f"\n{other.name} " in asked and one.pings_name(other.name)


def lost(blue: Overlay, event: Callable[[], None]) -> list[Loss]:
    """What is lost of a flow from each host to the next while something happens."""
    with ExitStack() as stack:
        pairs = zip(blue.webs, (*blue.webs[1:], blue.webs[0]), strict=True)
        flows = [stack.enter_context(pinging(one, blue.address(two, 4))) for one, two in pairs]
        # Into the middle of them.
        time.sleep(0.3)
        event()
        time.sleep(0.5)
    return [flow.loss for flow in flows]
