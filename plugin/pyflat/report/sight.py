"""What the kernel holds at this moment, in every namespace that the networks of a host reach."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from pyflat.dataplane.links import list_addresses, list_links
from pyflat.dataplane.namespace import visit
from pyflat.dataplane.routes import read_routes
from pyflat.errors import BackendError
from pyflat.report.topology import Topology


class Interface(msgspec.Struct, frozen=True, kw_only=True):
    """One interface; ``bridge`` is the one that it is a port of, or "".

    ``lower`` is the index of a veth pair's other end, in the namespace where that is.
    """

    name: str
    index: int
    kind: str
    mac: str
    mtu: int
    up: bool
    bridge: str
    lower: int
    addresses: tuple[str, ...]


class Space(msgspec.Struct, frozen=True, kw_only=True):
    """A network namespace; empty if it is gone."""

    interfaces: tuple[Interface, ...] = ()

    def named(self, name: str) -> Interface | None:
        """Give an interface by its name."""
        return next((each for each in self.interfaces if each.name == name), None)

    def other_end(self, of: Interface) -> Interface | None:
        """Give the interface here that makes a veth pair with one that lies elsewhere."""
        ends = (each for each in self.interfaces if each.kind == "veth")
        return next((e for e in ends if (e.lower, of.lower) == (of.index, e.index)), None)


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """The host's namespace, pyflat's own (``inside``), and those of containers by their paths.

    ``uplinks`` are the interfaces of the host's default routes.
    """

    host: Space
    inside: Space
    sandboxes: dict[str, Space]
    uplinks: tuple[str, ...]


def see(topology: Topology, process: int) -> Sight:
    """Look into every namespace, as a process has them and finds them by its paths.

    Raises BackendError where this process may not.
    """
    own = Path(f"/proc/{process}/ns/net")
    paths = {endpoint.sandbox for network in topology.networks for endpoint in network.endpoints}
    try:
        return Sight(
            host=visit(own, _space),
            inside=_enter(process, topology.namespace),
            sandboxes={path: _enter(process, path) for path in sorted(filter(None, paths))},
            uplinks=tuple(sorted(visit(own, _uplinks))),
        )
    except OSError as error:
        raise BackendError(f"namespaces can be entered by root only: {error}") from error


def _enter(process: int, path: str) -> Space:
    """Look into the namespace of a path; one that is gone is empty. Raises PermissionError."""
    for place in _places(process, path):
        try:
            return visit(place, _space)
        except PermissionError:
            raise
        except OSError:
            continue
    return Space()


def _places(process: int, path: str) -> Iterator[Path]:
    """Give what a path of a process may be for this one: their mount namespaces may differ."""
    if path:
        direct = path.replace("/var/run/", "/run/", 1)  # a link that would lead to our own
        yield Path(f"/proc/{process}/root{direct}")
        yield Path(path)


def _space() -> Space:
    links = list_links()
    names = {link.index: link.name for link in links}
    addresses: dict[int, list[str]] = {}
    for info in list_addresses():
        addresses.setdefault(info.index, []).append(str(info.address))
    found = (
        Interface(
            name=link.name,
            index=link.index,
            kind=link.kind,
            mac=link.mac,
            mtu=link.mtu,
            up=link.up,
            bridge=names.get(link.master, ""),
            lower=link.lower,
            addresses=tuple(addresses.get(link.index, ())),
        )
        for link in links
    )
    return Space(interfaces=tuple(found))


def _uplinks() -> set[str]:
    ways_out = (route for route in read_routes() if not route.destination.prefixlen)
    return {device for route in ways_out for device in route.devices}
