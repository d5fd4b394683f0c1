"""From State to the objects that the kernel should hold. Pure; one function per kind of record.

Every object comes from exactly one record, so the objects of the records that a change touched
are all that the change is about.
"""

from collections.abc import Iterable, Iterator
from functools import partial

from netaddr import IPAddress, IPNetwork

from pyflat import naming
from pyflat.dataplane import overlay
from pyflat.dataplane.mappings import mappings
from pyflat.dataplane.objects import (
    Address,
    DockerAccept,
    Element,
    Forwarding,
    Hairpin,
    HostPort,
    Object,
    Sysctl,
    Table,
    Uplink,
    Veth,
)
from pyflat.dataplane.ruleset import TABLES, listed
from pyflat.model import (
    ANY,
    LOOPBACK6,
    Endpoint,
    Key,
    Network,
    PortBinding,
    Publication,
)
from pyflat.peers import Peer, Remote, Resolver
from pyflat.state import State


def desired(state: State, keys: Iterable[Key], uplinks: Iterable[Uplink]) -> set[Object]:
    """Give the objects of the records that ``keys`` name, and those that all records share."""
    objects = set(_shared(state, uplinks))
    for key in keys:
        match state.lookup(key):
            case Network() as network:
                objects.update(_network(network))
            case Endpoint() as endpoint:
                objects.update(_endpoint(state, endpoint))
            case Publication() as publication:
                objects.update(_publication(state, publication))
            case Peer() as peer:
                objects.update(overlay.peer(state, peer))
            case Remote() as remote:
                objects.update(overlay.remote(state, remote))
            case Resolver() as resolver:
                objects.update(overlay.resolver(state, resolver))
    return objects


def desired_all(state: State, uplinks: Iterable[Uplink]) -> set[Object]:
    """Give all objects that the kernel should hold."""
    keys = ((kind, identifier) for kind, table in state.tables.items() for identifier in table)
    return desired(state, keys, uplinks)


def _shared(state: State, uplinks: Iterable[Uplink]) -> Iterator[Object]:
    """Give the objects that no single record needs; the cost is the same for any State."""
    yield Table(family="inet")
    yield DockerAccept(family="ip")
    yield DockerAccept(family="ip6")
    # Each hook costs all packets or frames of the host.
    if state.tables.get(Publication.kind):
        yield Table(family="hairpin")
    for family in TABLES:
        if any(state.ids("tables", family)):
            yield Table(family=family)
    for uplink in uplinks:
        yield _element("uplinks", uplink.device)
        for version in (4, 6):
            if any(state.ids("family", str(version))):
                yield from _way_in(uplink, version)


def _way_in(uplink: Uplink, version: int) -> Iterator[Object]:
    yield Forwarding(device=uplink.device, version=version)
    if version not in uplink.routed:
        yield _element("opened", f"ipv{version}", uplink.device)


def _network(network: Network) -> Iterator[Object]:
    name, options = network.bridge, network.options
    gateways = [s.gateway for s in network.subnets if s.gateway]
    mac = naming.mac_of_address(gateways[0].ip) if gateways else naming.mac_of_id(network.id)
    yield from overlay.gateway(network, mac)
    if network.vni is not None:
        yield from overlay.tunnel(network, mac)
    for gateway in gateways:
        if network.has_address(gateway.version):
            yield Address(device=name, address=gateway)
    yield from _switches(network)
    yield _element("bridges", name)
    yield _element("inside", name, name)
    if network.internal:
        yield _element("internal", name)
    if not options.icc:
        yield _element("noicc", name)
        if not network.inside:
            yield Element(family="icc", name="noicc", match=(name,))
    for trusted in options.trusted:
        yield _element("trusted", trusted, name)
    for subnet in network.subnets:
        yield from _way_out(network, subnet.cidr)


def _way_out(network: Network, cidr: IPNetwork) -> Iterator[Object]:
    name, version, family = network.bridge, cidr.version, network.options.family(cidr.version)
    listed_cidr = listed(cidr)
    yield _element(f"local{version}", name, listed_cidr)
    if network.internal:
        return
    if family.mode == "nat-unprotected":
        yield _element("open", f"ipv{version}", name)
    if family.mode == "routed":
        yield _element("ping", f"ipv{version}", name)
    elif family.source is not None and network.options.masquerade:
        yield _element(f"snat{version}", f"ipv{version}", listed_cidr, data=(str(family.source),))
    elif network.options.masquerade:
        yield _element(f"masq{version}", f"ipv{version}", listed_cidr)


def _switches(network: Network) -> Iterator[Object]:
    name = network.bridge
    versions = {s.cidr.version for s in network.subnets if network.has_address(s.cidr.version)}
    off = "0" if 6 in versions else "1"
    yield Sysctl(path=f"ipv6/conf/{name}/disable_ipv6", value=off, device=name)
    yield Sysctl(path=f"ipv6/conf/{name}/accept_ra", value="0", device=name)
    if network.internal:
        return
    for version in sorted(versions):
        yield Forwarding(device=name, version=version)
    if 4 in versions:
        # Lets the host reach published ports through 127.0.0.1; chain "raw" guards it.
        yield Sysctl(path=f"ipv4/conf/{name}/route_localnet", value="1", device=name)


def _endpoint(state: State, endpoint: Endpoint) -> Iterator[Object]:
    network = state.require(Network, endpoint.network)
    yield Veth(
        name=endpoint.host_end,
        bridge=network.port_bridge,
        mtu=network.options.mtu,
        owner=endpoint.id,
        inside=network.inside,
        peer=endpoint.container_end,
        mac=endpoint.mac,
        made=endpoint.sandbox is not None,
    )
    if not network.options.icc:
        yield overlay.frames(network, "quiet", endpoint.host_end)
    if network.options.antispoof:
        yield from _guard(network, endpoint)


def _guard(network: Network, endpoint: Endpoint) -> Iterator[Element]:
    """Give the MAC and the addresses that the container may send from."""
    own = (endpoint.host_end, endpoint.mac)
    frames = partial(overlay.frames, network)
    yield frames("guarded", endpoint.host_end)
    yield frames("mac", *own)
    addresses = [address.ip for address in endpoint.addresses]
    if endpoint.address(6):
        addresses.append(naming.link_local_of(endpoint.mac))
    for address in addresses:
        yield frames(f"allow{address.version}", *own, str(address))
        if address.version == 6:
            yield frames("target6", *own, f"{int(address):#034x}")


def _publication(state: State, publication: Publication) -> Iterator[Object]:
    port = naming.host_end(publication.id)
    network = state.require(Network, state.require(Endpoint, publication.id).network)
    translated = [*mappings(publication.bindings)]
    yield from translated
    # A port inside needs none: what is translated has gone through the host, not the bridge.
    if translated and not network.inside:
        yield Hairpin(port=port)
        yield Element(family="hairpin", name="mirror", match=(port, port))
    for binding in publication.bindings:
        if binding.host is None:
            yield _opening("routed", binding)
        else:
            yield _held(binding, binding.host)
            if network.options.trusted:
                yield _opening("direct", binding)


def _opening(name: str, binding: PortBinding) -> Element:
    words = (str(binding.container), binding.protocol, str(binding.container_port))
    return _element(f"{name}{binding.container.version}", *words)


def _held(binding: PortBinding, host: IPAddress) -> HostPort:
    relayed = binding.protocol == "tcp" and host in {LOOPBACK6, ANY[6]}
    target = (binding.container, binding.container_port) if relayed else None
    return HostPort(protocol=binding.protocol, host=host, port=binding.host_port, relay=target)


def _element(name: str, *match: str, data: tuple[str, ...] = ()) -> Element:
    return Element(family="inet", name=name, match=match, data=data)
