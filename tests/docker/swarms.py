"""Swarms of lab hosts with the managed plugin, and containers of one network on their nodes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import product

from tests.docker.client import Container, Docker
from tests.docker.overlays import own_address
from tests.docker.reach import pings
from tests.docker.starting import bare_lab
from tests.docker.traces import records

from dockerlab import Lab, parallel, pluginfiles
from dockerlab.host import Host
from dockerlab.managed import Managed
from dockerlab.processes import wait_until
from dockerlab.traces import Inside, ip

SETTINGS = ("PYFLAT_SCOPE=global",)
#: Seconds until a swarm has come to rest: a leader elected, a node's tasks started elsewhere.
PATIENCE = 60.0


@contextmanager
def swarm_of_three(engine: str, version: int = 4) -> Iterator[Lab]:
    """Three managers, h1 the leader; the plugin of h3 is installed when it is a node already."""
    files = pluginfiles.fetch()
    with bare_lab(engine, hosts=3, plugin=False) as lab:
        early, late = lab.hosts[:2], lab.hosts[2:]
        parallel.each(_start, lab.hosts)
        parallel.each(lambda host: Managed(host).install(files, *SETTINGS), early)
        first = own_address(lab.host("h1"), version)
        h1 = Docker(lab.host("h1"))
        h1("swarm", "init", "--advertise-addr", first)
        token = h1("swarm", "join-token", "--quiet", "manager")
        door = f"[{first}]:2377" if version == 6 else f"{first}:2377"
        for host in lab.hosts[1:]:
            own = own_address(host, version)
            Docker(host)("swarm", "join", "--advertise-addr", own, "--token", token, door)
        parallel.each(lambda host: Managed(host).install(files, *SETTINGS), late)
        yield lab


def _start(host: Host) -> None:
    host.dockerd.start()
    host.load_image("busybox")


def set_scope(lab: Lab, scope: str) -> None:
    """Say on all nodes whose networks are made: the swarm's (global), or each node's (local)."""
    for host in lab.hosts:
        plugin = Managed(host)
        plugin("disable", "--force")
        plugin("set", f"PYFLAT_SCOPE={scope}")
        plugin("enable")


def leader(lab: Lab) -> Host | None:
    """The leader of a swarm, as the managers know it whose Docker runs."""
    running = [host for host in lab.hosts if host.dockerd.running]
    words = ("docker", "node", "ls", "--format", "{{.Hostname}} {{.ManagerStatus}}")
    lines = [line for host in running for line in host.run(*words).stdout.splitlines()]
    return next((host for host in running if f"{host.name} Leader" in lines), None)


def new_leader(lab: Lab) -> Docker:
    """The docker command of the leader, as soon as there is one."""
    assert wait_until(lambda: leader(lab) is not None, PATIENCE, 0.2)
    host = leader(lab)
    assert host is not None
    return Docker(host)


def is_worker(host: Host) -> bool:
    """Whether a node has heard that it is no manager."""
    told = ("docker", "info", "--format", "{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}")
    return host.run(*told).stdout.strip() == "active false"


class Spread:
    """A network of a swarm, and a container of it on each node, called after node and network."""

    def __init__(self, manager: Docker, hosts: Iterable[Host], name: str, *options: str) -> None:
        self.name = name
        manager.network(name, "--attachable", *options)
        self.containers = [
            Docker(host).run(f"{host.name}-{name}", "--network", name) for host in hosts
        ]

    def on(self, host: Host) -> Container:
        """The container of a node."""
        return next(each for each in self.containers if each.docker.host is host)

    def silent(self, containers: Sequence[Container] | None = None) -> list[str]:
        """Who does not reach whom, by address and by name."""
        some = self.containers if containers is None else containers
        return silent(some, {each.name: each.address(self.name) for each in some})

    def remove(self, manager: Docker) -> None:
        """Remove the containers, and the network."""
        for each in self.containers:
            each.docker("rm", "-f", each.name)
        manager("network", "rm", self.name)


def silent(places: Iterable[Container], targets: Mapping[str, str]) -> list[str]:
    """Who does not reach which of some names, and the addresses behind them."""
    pairs = list(product(places, targets))
    with ThreadPoolExecutor(9) as pool:
        heard = pool.map(
            lambda pair: pings(pair[0], targets[pair[1]]) and pair[0].pings_name(pair[1]), pairs
        )
        return [f"{p.name} to {name}" for (p, name), ok in zip(pairs, heard, strict=True) if not ok]


def tasks(place: Container, service: str) -> set[str]:
    """The addresses that a container finds a service's tasks under."""
    lookup = ("nslookup", "-type=a", f"tasks.{service}", "127.0.0.11")
    lines = place.exec("timeout", "3", *lookup).stdout.splitlines()[2:]
    return {line.removeprefix("Address: ") for line in lines if line.startswith("Address: ")}


def vnis(manager: Docker, *networks: str) -> list[str]:
    """The VNIs that a manager knows for networks."""
    return [manager.inspect("network", name)["Options"]["vni"] for name in networks]


def remains(host: Host) -> list[str]:
    """What a host's pyflat has of networks: records, and links in both places."""
    known = [record for record in records(host) if not record.startswith("node ")]
    inside = Inside(host)
    places: list[Host | Inside] = [host, *([inside] if inside.exists() else [])]
    links = [link["ifname"] for place in places for link in ip(place, "link")]
    return known + [name for name in links if name.startswith(("pf-", "pb-", "px-", "pg-", "pv-"))]


def leaves_nothing(lab: Lab) -> bool:
    """Whether all nodes have forgotten all networks before long."""
    return wait_until(lambda: not any(map(remains, lab.hosts)), 30, 0.5)
