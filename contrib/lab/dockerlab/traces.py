"""Everything that networks leave on a host, to be compared before and after."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from dockerlab.errors import LabError
from dockerlab.host import Host

DATABASE = "/var/lib/pyflat/pyflat.db"
"""Where a service has it."""
NAMESPACE = "/run/netns/pyflat"


class Place(Protocol):
    """Where commands run: a machine, or a part of one."""

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""


@dataclass(frozen=True, slots=True)
class Trace:
    """One thing that a look at the host has found."""

    kind: str
    text: str


Traces = Counter[Trace]


@dataclass(frozen=True, slots=True)
class Inside:
    """The namespace that a host's overlays lie in; it stays when the last of them has gone."""

    host: Host

    def exists(self) -> bool:
        """Whether an overlay has needed it."""
        return self.host.run("mountpoint", "--quiet", NAMESPACE).returncode == 0

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A program of the host in there."""
        return self.host.run("nsenter", f"--net={NAMESPACE}", "--", *words)


def traces(host: Host) -> Traces:
    """Links, addresses, routes, firewall, held ports and records of a host, and of its overlays."""
    return Counter(
        Trace(kind, text)
        for kind, found in (
            ("link", _links(host)),
            ("address", _addresses(host)),
            ("route", _routes(host)),
            ("nft", _firewall(host)),
            ("port", _ports(host)),
            ("held socket", _held(host)),
            ("record", records(host)),
            ("inside", _inside(Inside(host))),
        )
        for text in found
    )


def difference(before: Traces, after: Traces) -> list[str]:
    """What has come (+) and what has gone (-)."""
    signed = (("+", after - before), ("-", before - after))
    return sorted(
        f"{sign} {trace.kind} {trace.text}" for sign, some in signed for trace in some.elements()
    )


def ip(place: Place, *words: str) -> list[dict[str, Any]]:
    """What `ip` says of a place; LabError when it fails."""
    done = place.run("ip", "-j", *words)
    if done.returncode:
        raise LabError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    # ip writes nothing at all, or {}, where it has nothing to say.
    found = json.loads(done.stdout or "[]")
    return [entry for entry in found if entry]


def records(host: Host) -> list[str]:
    """The rows of pyflat's database."""
    file = host.path(f"{host.state}/pyflat.db")
    if not file.exists():
        return []
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        return [" ".join(row) for row in database.execute("SELECT kind, id, body FROM records")]


def _inside(place: Inside) -> Iterator[str]:
    if place.exists():
        for found in (_links(place), _addresses(place), _routes(place), _firewall(place)):
            yield from found


def _links(place: Place) -> Iterator[str]:
    for link in ip(place, "-d", "link"):
        if "LOOPBACK" in link["flags"]:
            continue
        kind = link.get("linkinfo", {}).get("info_kind")
        facts = {key: link.get(key) for key in ("ifname", "address", "mtu", "master", "ifalias")}
        yield _text(facts | {"kind": kind, "up": "UP" in link["flags"]})


def _addresses(place: Place) -> Iterator[str]:
    for link in ip(place, "address"):
        for address in link["addr_info"]:
            if not _of_the_link(address["local"]):
                yield f"{link['ifname']} {address['local']}/{address['prefixlen']}"


def _routes(place: Place) -> Iterator[str]:
    for version in ("-4", "-6"):
        for route in ip(place, version, "route", "show", "table", "all"):
            if not _of_the_link(route["dst"]):
                yield _text({key: route[key] for key in route if key not in ("flags", "expires")})


def _of_the_link(destination: str) -> bool:
    """Whether the kernel itself adds and removes it, with the link that it is about."""
    return destination.startswith(("fe80:", "ff00:"))


def _firewall(place: Place) -> Iterator[str]:
    done = place.run("nft", "-j", "list", "ruleset")
    if done.returncode:
        raise LabError(f"nft list ruleset: {done.stderr.strip()}")
    listing = json.loads(done.stdout)
    chains: dict[str, list[Any]] = defaultdict(list)
    for entry in listing["nftables"]:
        ((kind, body),) = entry.items()
        if kind == "rule":
            chains[f"{body['family']} {body['table']} {body['chain']}"].append(_plain(body["expr"]))
        elif kind != "metainfo" and body.get("table", body["name"]).partition("_")[0] == "pyflat":
            yield f"{kind} {_text(_plain(body))}"
    for name, rules in chains.items():
        if name == "ip filter FORWARD":
            # Some dockerds order their jumps in there anew when they start again, and one that
            # was killed meanwhile may leave a jump twice.
            yield f"{name}: {sorted({_text(rule) for rule in rules})}"
        else:
            yield f"{name}: {_text(rules)}"


def _plain(value: Any) -> Any:
    """An nft object without what changes by itself: handles, counters, the order of elements."""
    if isinstance(value, dict):
        kept = {k: _plain(v) for k, v in value.items() if k not in {"handle", "counter"}}
        if "elem" in kept and isinstance(kept["elem"], list):
            kept["elem"] = sorted(kept["elem"], key=_text)
        return kept
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _ports(host: Host) -> list[str]:
    return host.run("ss", "-Htuln", check=True).stdout.splitlines()


def _held(host: Host) -> Iterator[str]:
    """Pyflat's own sockets of these protocols: `ss` lists none that is bound and no more.

    Not where it has connections to a cluster, which come and go.
    """
    if not host.pyflat.env.get("PYFLAT_CLUSTER"):
        for pid in host.plugin_pids:
            yield from (name for name in _sockets(pid) if name.startswith(("TCP", "UDP")))


def _sockets(pid: int) -> Iterator[str]:
    """The protocols of a process's sockets, but for connections: those come and go."""
    connected = _connected(pid)
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            # Other kinds of files have no such attribute.
            name = os.getxattr(descriptor, "system.sockprotoname")
            if str(descriptor.readlink()) not in connected:
                yield name.rstrip(b"\0").decode()


def _connected(pid: int) -> set[str]:
    """The sockets of TCP that have another end."""
    tables = (Path(f"/proc/{pid}/net/{name}").read_text() for name in ("tcp", "tcp6"))
    rows = [line.split() for table in tables for line in table.splitlines()[1:]]
    return {f"socket:[{row[9]}]" for row in rows if not row[2].endswith(":0000")}


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
