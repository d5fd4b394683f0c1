"""What the firewall holds for networks and containers, in a form to be read and compared."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import wrap

from netaddr import IPNetwork
from tests.support import dockerd, witness
from tests.support.dockerd import Call, docker_id
from tests.support.namespaces import within

from pyflat import naming
from pyflat.dataplane.ruleset import INSIDE, TABLES
from pyflat.peers import Peer

#: Our tables by the files that have their rules.
RULES = {name: words for name, words in TABLES.items() if name not in INSIDE}
DUAL = ("172.30.0.0/24", "fd00::/64")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A network with one container, as the docker command makes them."""

    network: str = "lan"
    container: str = "web"
    pools: tuple[str, ...] = DUAL
    internal: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[str, ...] = ("8080:80",)
    peers: tuple[Peer, ...] = ()

    def calls(self) -> Iterator[Call]:
        """Give the requests of dockerd."""
        network, endpoint = docker_id(self.network), docker_id(self.container)
        labels = dict(self.labels)
        yield dockerd.create_network(network, *self.pools, internal=self.internal, labels=labels)
        own = {IPNetwork(pool).version: _second(pool) for pool in self.pools}
        yield dockerd.create_endpoint(network, endpoint, own.get(4, ""), own.get(6, ""))
        yield dockerd.join(network, endpoint, *self.ports)
        # Asked of the driver that gave the container its gateway.
        if labels.get("ports") != "docker":
            yield dockerd.program(network, endpoint, *self.ports)

    def commands(self) -> Iterator[str]:
        """Give the commands of a user, line by line."""
        versions = {IPNetwork(pool).version for pool in self.pools}
        yield from _command(
            "docker network create -d pyflat",
            *(["--internal"] if self.internal else []),
            *([] if 4 in versions else ["--ipv4=false"]),
            *(["--ipv6"] if 6 in versions else []),
            *(f"--subnet {pool}" for pool in self.pools),
            *(f"-o {key}={value}" for key, value in self.labels.items()),
            self.network,
        )
        ports = (f"-p {port}" for port in self.ports)
        network = f"--network {self.network}"
        yield from _command(f"docker run -d --name {self.container}", network, *ports, "nginx")
        for peer in self.peers:
            yield f"host {peer.host} at {peer.vtep} gives out {', '.join(map(str, peer.blocks))}"


def written(*cases: Case, namespace: Path | None = None) -> str:
    """Write what the tables hold, below the commands that led to it; first those of the host."""
    lines = [f"# {line}" for case in cases for line in case.commands()]
    lines += _tables(cases)
    if namespace is not None:
        with within(namespace.name):
            lines += ["", "in pyflat's namespace", *_tables(cases)]
    return "\n".join(lines) + "\n"


def _tables(cases: Iterable[Case]) -> Iterator[str]:
    for table in RULES.values():
        if table in witness.tables():
            yield from ("", f"table {table}")
            for name, elements in witness.listing(table).items():
                named = sorted(_named(element, cases) for element in elements)
                yield from (f"    {name}: {element}" for element in named)


def _named(element: str, cases: Iterable[Case]) -> str:
    """Put names where interfaces have digits of ids."""
    for case in cases:
        element = element.replace(naming.bridge(docker_id(case.network)), f"pf-{case.network}")
        element = element.replace(naming.vxlan(docker_id(case.network)), f"px-{case.network}")
        element = element.replace(
            naming.host_end(docker_id(case.container)), f"pv-{case.container}"
        )
    return element


def _command(*words: str) -> Iterator[str]:
    # A word may be an option and its value, which stay together.
    text = " ".join(word.replace(" ", "\0") for word in words)
    *lines, last = wrap(text, 90, subsequent_indent="    ", break_on_hyphens=False)
    yield from (f"{line} \\".replace("\0", " ") for line in lines)
    yield last.replace("\0", " ")


def _second(pool: str) -> str:
    cidr = IPNetwork(pool)
    return f"{cidr[2]}/{cidr.prefixlen}"
