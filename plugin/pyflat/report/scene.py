"""The parts of a picture of networks, and what connects them. Pure.

Every interface that is drawn has a key of its own; cables run from key to key.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import msgspec

from pyflat import naming as interfaces
from pyflat.report.rows import Naming, by_name, natural, published
from pyflat.report.sight import Interface, Sight, Space
from pyflat.report.topology import EndpointView, NetworkView, PeerView, Topology

#: Containers of a network up to which each has a box of its own; of more, those that are in no
#: smaller network stand in rows.
CROWD = 8

#: Kinds of cables: a veth pair, the way to the outside, and a tunnel.
PAIR, OUT, TUNNEL = "pair", "out", "tunnel"


class Plug(msgspec.Struct, frozen=True, kw_only=True):
    """An interface; ``index`` is 0 if it is gone."""

    key: str
    name: str
    index: int
    mac: str
    addresses: tuple[str, ...]
    note: str = ""


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """A container in a network: ``port`` is the bridge's end of the pair, ``end`` its own."""

    network: str
    container: str
    sandbox: str
    port: Plug
    end: Plug
    published: tuple[str, ...]


class Switch(msgspec.Struct, frozen=True, kw_only=True):
    """A network's bridge with its ports.

    If it is ``inside``, it lies in pyflat's namespace, and a pair leads from ``inner`` to
    ``gateway``, which bears the network's addresses with the host. ``tunnel`` sends to the port
    ``udp`` of other hosts. ``crowd`` are containers that have no box of their own.
    """

    network: str
    kind: str
    inside: bool
    bridge: Plug
    gateway: Plug | None
    inner: Plug | None
    tunnel: Plug | None
    udp: int
    ports: tuple[Plug, ...]
    crowd: tuple[Connection, ...]


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """A container's namespace."""

    container: str
    sandbox: str
    connections: tuple[Connection, ...]


class Neighbour(msgspec.Struct, frozen=True, kw_only=True):
    """Another host: ``containers`` are network, name and addresses of each.

    If it is not ``heard`` of any more, its lease is over.
    """

    key: str
    host: str
    heard: bool
    vteps: tuple[str, ...]
    containers: tuple[tuple[str, str, tuple[str, ...]], ...]


class Cable(msgspec.Struct, frozen=True, kw_only=True):
    """What connects two keys."""

    one: str
    other: str
    kind: str
    label: str


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """A host with its networks; ``namespace`` is pyflat's own."""

    host: str
    namespace: str
    uplinks: tuple[Plug, ...]
    switches: tuple[Switch, ...]
    rooms: tuple[Room, ...]
    neighbours: tuple[Neighbour, ...]
    cables: tuple[Cable, ...]


def scene(
    topology: Topology, networks: Sequence[NetworkView], naming: Naming, sight: Sight
) -> Scene:
    """Give the picture of some networks of a host."""
    return _Painter(topology, networks, naming, sight).paint()


class _Painter:
    """Puts together what is known and what is seen."""

    def __init__(
        self, topology: Topology, networks: Sequence[NetworkView], naming: Naming, sight: Sight
    ) -> None:
        self._topology = topology
        self._networks = networks
        self._naming = naming
        self._sight = sight
        small = (network for network in networks if len(network.endpoints) <= CROWD)
        self._boxed = {_room(endpoint) for network in small for endpoint in network.endpoints}

    def paint(self) -> Scene:
        pairs = [(network, self._connections(network)) for network in self._networks]
        switches = tuple(self._switch(network, found) for network, found in pairs)
        boxed = [c for _, found in pairs for key, c in found if key in self._boxed]
        neighbours = tuple(self._neighbours())
        return Scene(
            host=self._topology.host,
            namespace=self._topology.namespace,
            uplinks=tuple(self._uplinks()),
            switches=switches,
            rooms=tuple(_rooms(boxed)),
            neighbours=neighbours,
            cables=(
                *(_cable(each.port, each.end, PAIR) for each in boxed),
                *(
                    _cable(switch.gateway, switch.inner, PAIR)
                    for switch in switches
                    if switch.gateway and switch.inner
                ),
                *self._ways_out(switches),
                *self._tunnels(neighbours),
            ),
        )

    def _switch(self, network: NetworkView, found: list[tuple[str, Connection]]) -> Switch:
        space = self._space(network)
        place = _place(network)
        within = network.inside
        bridge = _plug(place, network.port_bridge, space)
        return Switch(
            network=self._naming.network(network),
            kind=_kind(network),
            inside=within,
            bridge=bridge,
            gateway=_plug("host", network.bridge, self._sight.host) if within else None,
            inner=_plug(place, interfaces.gateway_port(network.id), space) if within else None,
            tunnel=_plug(place, network.tunnel.device, space) if network.tunnel else None,
            udp=network.tunnel.port if network.tunnel else 0,
            ports=tuple(each.port for key, each in found if key in self._boxed),
            crowd=tuple(each for key, each in found if key not in self._boxed),
        )

    def _connections(self, network: NetworkView) -> list[tuple[str, Connection]]:
        """Give each container of a network, with what tells namespaces apart, by its name."""
        named = by_name(network, self._naming)
        return [(_room(e), self._connection(network, name, e)) for name, e in named]

    def _connection(self, network: NetworkView, name: str, endpoint: EndpointView) -> Connection:
        port = self._space(network).named(endpoint.host_end)
        sandbox = self._sight.sandboxes.get(endpoint.sandbox, self._sight.host)
        end = sandbox.other_end(port) if port else None
        addresses = end.addresses if end and end.addresses else endpoint.addresses
        return Connection(
            network=self._naming.network(network),
            container=name,
            sandbox=endpoint.sandbox.rpartition("/")[2],
            port=_plug_of(_place(network), endpoint.host_end, port),
            end=Plug(
                key=f"{endpoint.id[:12]}/end",
                name=end.name if end else endpoint.container_end,
                index=end.index if end else 0,
                mac=endpoint.mac,
                addresses=addresses,
            ),
            published=tuple(published(endpoint)),
        )

    def _space(self, network: NetworkView) -> Space:
        return self._sight.inside if network.inside else self._sight.host

    def _uplinks(self) -> Iterator[Plug]:
        beneath = (network.tunnel.underlay for network in self._networks if network.tunnel)
        for name in dict.fromkeys((*self._sight.uplinks, *beneath)):
            yield _plug("host", name, self._sight.host)

    def _ways_out(self, switches: Iterable[Switch]) -> Iterator[Cable]:
        for network, switch in zip(self._networks, switches, strict=True):
            end = switch.gateway or switch.bridge
            label = " / ".join(dict.fromkeys(_ways(network)))
            for name in self._sight.uplinks if label else ():
                yield Cable(one=f"host/{name}", other=end.key, kind=OUT, label=label)
            if network.tunnel and switch.tunnel:
                beneath = f"host/{network.tunnel.underlay}"
                yield Cable(one=beneath, other=switch.tunnel.key, kind=TUNNEL, label="")

    def _neighbours(self) -> Iterator[Neighbour]:
        found: dict[str, list[PeerView]] = {}
        for peer in chain.from_iterable(network.peers for network in self._networks):
            found.setdefault(peer.host, []).append(peer)
        for host in sorted(found, key=natural):
            yield Neighbour(
                key=f"neighbour/{host}",
                host=host,
                heard=not any(peer.expired for peer in found[host]),
                vteps=tuple(dict.fromkeys(peer.vtep for peer in found[host] if peer.vtep)),
                containers=tuple(self._theirs(host)),
            )

    def _theirs(self, host: str) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        for network in self._networks:
            name = self._naming.network(network)
            remotes = [remote for remote in network.remotes if remote.host == host]
            named = [(r.names[0] if r.names else r.id[:12], r.addresses) for r in remotes]
            for container, addresses in sorted(named, key=lambda pair: natural(pair[0])):
                yield name, container, addresses

    def _tunnels(self, neighbours: Iterable[Neighbour]) -> Iterator[Cable]:
        for neighbour in neighbours:
            beneath = {
                network.tunnel.underlay
                for network in self._networks
                if network.tunnel and any(peer.host == neighbour.host for peer in network.peers)
            }
            for name in sorted(beneath):
                yield Cable(one=neighbour.key, other=f"host/{name}", kind=TUNNEL, label="")


def _rooms(connections: Iterable[Connection]) -> Iterator[Room]:
    found: dict[str, list[Connection]] = {}
    for each in connections:
        found.setdefault(each.sandbox or each.end.key, []).append(each)
    for members in found.values():
        first = members[0]
        yield Room(container=first.container, sandbox=first.sandbox, connections=tuple(members))


def _plug(place: str, name: str, space: Space) -> Plug:
    return _plug_of(place, name, space.named(name))


def _plug_of(place: str, name: str, seen: Interface | None) -> Plug:
    return Plug(
        key=f"{place}/{name}",
        name=name,
        index=seen.index if seen else 0,
        mac=seen.mac if seen else "",
        addresses=seen.addresses if seen else (),
        note="" if seen is None or seen.up else "down",
    )


def _cable(one: Plug, other: Plug, kind: str) -> Cable:
    return Cable(one=one.key, other=other.key, kind=kind, label="")


def _room(endpoint: EndpointView) -> str:
    return endpoint.sandbox or endpoint.id


def _place(network: NetworkView) -> str:
    return "inside" if network.inside else "host"


def _kind(network: NetworkView) -> str:
    words = ["internal"] if network.internal else []
    if network.tunnel:
        words.append(f"VXLAN {network.tunnel.vni}")
        words += [f"group {network.tunnel.group}"] if network.tunnel.group else []
        words += ["direct"] if network.tunnel.direct else []
    return ", ".join(words)


def _ways(network: NetworkView) -> Iterator[str]:
    """Say how packets of each family leave the host; with ports=docker they leave elsewhere."""
    if network.internal or network.ports == "docker":
        return
    for subnet in network.subnets:
        mode = network.modes["ipv6" if ":" in subnet.cidr else "ipv4"]
        yield "NAT" if mode.startswith("nat") and network.masquerade else "routed"
