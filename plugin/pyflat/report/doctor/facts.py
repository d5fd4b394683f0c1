"""What checks look at, read once."""

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pyflat.dataplane.libnftables import JSON, TERSE, Context
from pyflat.dataplane.links import LinkInfo, list_links
from pyflat.dataplane.namespace import visit
from pyflat.dataplane.routes import read_routes
from pyflat.errors import PyflatError
from pyflat.report.doctor import iptables_rules, nft_rules
from pyflat.report.doctor.rules import Chain
from pyflat.report.topology import NetworkView, Topology

T = TypeVar("T")

#: Where the kernel's switches of networks are.
SWITCHES = Path("/proc/sys/net")
_PROGRAMS = {"ip": "iptables", "ip6": "ip6tables"}
#: Seconds that a program of others may take.
PATIENCE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One host. What could not be read is empty, and ``unread`` says why, by what it is.

    ``mtu`` has that of each interface of the host, ``uplinks`` are those of its default routes,
    ``mark`` is the bit that pyflat vouches for packets with.
    """

    socket: Path
    state_dir: Path
    topology: Topology | None = None
    plan: Mapping[str, Any] = field(default_factory=dict)
    mtu: Mapping[str, int] = field(default_factory=dict)
    uplinks: tuple[str, ...] = ()
    chains: tuple[Chain, ...] = ()
    mark: int | None = None
    unread: Mapping[str, str] = field(default_factory=dict)
    switch: Callable[[str], str] = field(default=lambda path: read_switch(path))

    @property
    def networks(self) -> tuple[NetworkView, ...]:
        """All networks of pyflat."""
        return self.topology.networks if self.topology else ()

    @property
    def overlays(self) -> tuple[NetworkView, ...]:
        """Those that span hosts."""
        return tuple(network for network in self.networks if network.tunnel)

    def hooked(self, hook: str, version: int) -> list[Chain]:
        """Give the chains of others at a hook that see packets of a family."""
        seen = {"inet", "ip" if version == 4 else "ip6"}
        return [
            chain
            for chain in self.chains
            if chain.hook == hook and chain.family in seen and " pyflat" not in chain.name
        ]


class _Reader:
    """Reads what can be read, and notes why the rest cannot."""

    def __init__(self) -> None:
        self.unread: dict[str, str] = {}

    def read(self, what: str, how: Callable[[], T], instead: T) -> T:
        try:
            return how()
        except (PyflatError, OSError, ValueError, subprocess.SubprocessError) as error:
            self.unread[what] = str(error)
            return instead


def look(
    socket: Path,
    state_dir: Path,
    topology: Callable[[], Topology],
    plan: Callable[[], Mapping[str, Any]],
) -> Facts:
    """Read everything; what ``topology`` and ``plan`` raise is noted too."""
    reader = _Reader()
    nothing: Mapping[str, Any] = {"nftables": []}
    ruleset = reader.read("rules", _ruleset, nothing)
    chains = [*nft_rules.read_chains(ruleset)]
    for family in _PROGRAMS:
        if text := reader.read("legacy rules", partial(_legacy, family), ""):
            chains += iptables_rules.read_chains(text, family, legacy=True)
        if text := reader.read("rules", partial(_nf_tables, family, chains), ""):
            told = [*iptables_rules.read_chains(text, family, legacy=False)]
            names = {chain.name for chain in told}
            chains = [chain for chain in chains if chain.name not in names] + told
    none: list[LinkInfo] = []
    links = reader.read("interfaces", list_links, none)
    known = reader.read("plugin", topology, None)
    return Facts(
        socket=socket,
        state_dir=state_dir,
        topology=known,
        plan=reader.read("plan", plan, {}) if known else {},
        mtu={link.name: link.mtu for link in links},
        uplinks=reader.read("routes", _uplinks, ()),
        chains=tuple(chains),
        mark=nft_rules.mark_of(ruleset),
        unread=reader.unread,
    )


def read_switch(path: str) -> str:
    """Give a switch below ``/proc/sys/net`` of this thread's namespace, "" if there is none."""
    try:
        return (SWITCHES / path).read_text().strip()
    except OSError:
        return ""


def read_inside(namespace: str, paths: tuple[str, ...]) -> dict[str, str]:
    """Give switches of another namespace. Raises OSError if it cannot be entered."""
    return visit(Path(namespace), lambda: {path: read_switch(path) for path in paths})


def _ruleset() -> Mapping[str, Any]:
    context = Context()
    try:
        listing: Mapping[str, Any] = json.loads(context.run("list ruleset\n", JSON | TERSE))
    finally:
        context.close()
    return listing


def _legacy(family: str) -> str:
    """Give the rules of the legacy iptables; "" if there are none, as asking would make some."""
    names = Path(f"/proc/net/{family}_tables_names")
    if not names.exists() or not names.read_text().strip():
        return ""
    return _saved(f"{_PROGRAMS[family]}-legacy-save")


def _nf_tables(family: str, chains: Sequence[Chain]) -> str:
    """Give the rules of the other iptables, of which nftables shows some as names only."""
    tables = {f"table {family} {name}, " for name in iptables_rules.TABLES}
    if not any(chain.name.startswith(table) for chain in chains for table in tables):
        return ""
    return _saved(f"{_PROGRAMS[family]}-nft-save")


def _saved(program: str) -> str:
    """Give what a program writes, "" where it is not installed."""
    if not shutil.which(program):
        return ""
    words = (program,)
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=PATIENCE)
    return done.stdout


def _uplinks() -> tuple[str, ...]:
    ways_out = (route for route in read_routes() if not route.destination.prefixlen)
    return tuple(sorted({device for route in ways_out for device in route.devices}))
