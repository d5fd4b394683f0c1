"""State as Docker and the kernel remember it, for a host that has lost its own. Pure.

Docker knows networks and the endpoints of running containers, but neither the ports that were
chosen nor always the gateways. Those are in the firewall's maps and on the bridges, as long as
the host has not been started anew; after a start no container runs that could have ports.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from netaddr import IPAddress, IPNetwork

from pyflat.addressing import InterfaceAddress
from pyflat.dataplane.mappings import bindings_of
from pyflat.dataplane.objects import Address, Bridge, Element, Object
from pyflat.dataplane.overlay_objects import Gateway
from pyflat.driver.endpoints import create_endpoint, join
from pyflat.driver.networks import create_network
from pyflat.driver.options import parse_options
from pyflat.driver.overlays import Site
from pyflat.ipam.addresses import request_address
from pyflat.ipam.pools import LOCAL, Lease, request_pool
from pyflat.model import Endpoint, Network, PortBinding, Publication, Subnet
from pyflat.naming import bridge
from pyflat.state import State

Facts = Mapping[str, Any]


def rebuild(
    networks: Iterable[Facts],
    containers: Iterable[Facts],
    present: Iterable[Object],
    *,
    driver: str,
    now: float,
    site: Site,
) -> State:
    """Give the State that fits to what Docker inspects, and to what the kernel holds.

    ``driver`` is the name that Docker knows this plugin by. Raises PyflatError for what does
    not fit together.
    """
    present = list(present)
    connections = [*_connections(containers)]
    state = State()
    for facts in networks:
        state = _add_network(state, facts, connections, present, driver, site)
    for connection in connections:
        if state.get(Network, connection["NetworkID"]):
            state = _add_endpoint(state, connection, now)
    return _add_publications(state, (o for o in present if isinstance(o, Element)))


def _connections(containers: Iterable[Facts]) -> Iterator[Facts]:
    for container in containers:
        settings = container["NetworkSettings"]
        for connection in settings["Networks"].values():
            if connection["EndpointID"]:
                yield {**connection, "SandboxKey": settings["SandboxKey"]}


def _add_network(
    state: State,
    facts: Facts,
    connections: Sequence[Facts],
    present: Sequence[Object],
    driver: str,
    site: Site,
) -> State:
    own = facts["IPAM"]["Driver"] == driver
    name = parse_options(facts["Options"] or {}).bridge or bridge(facts["Id"])
    known = [o.address for o in present if isinstance(o, Address) and o.device == name]
    told = [c for c in connections if c["NetworkID"] == facts["Id"]]
    gateways = [IPAddress(c[key]) for c in told for key in ("Gateway", "IPv6Gateway") if c[key]]
    subnets = []
    for config in facts["IPAM"]["Config"] or ():
        cidr = IPNetwork(config["Subnet"])
        gateway = _gateway(config, cidr, [*(a.ip for a in known), *gateways], own)
        subnets.append(Subnet(cidr=cidr, gateway=gateway, space=LOCAL if own else ""))
        if own:
            state = _add_pool(state, cidr, gateway, config)
    state = create_network(
        state,
        identifier=facts["Id"],
        subnets=subnets,
        internal=facts["Internal"],
        labels=facts["Options"] or {},
        alive=lambda _: True,
        site=site,
    )
    return _where_it_lies(state, state.require(Network, facts["Id"]), present)


def _where_it_lies(state: State, network: Network, present: Iterable[Object]) -> State:
    """Have a network where its bridge is, wherever it would be made today."""
    ends = (o for o in present if isinstance(o, Bridge | Gateway) and o.name == network.bridge)
    for end in ends:
        state = state.put(replace(network, inside=isinstance(end, Gateway)))
    return state


def _gateway(
    config: Facts, cidr: IPNetwork, known: Iterable[IPAddress], own: bool
) -> InterfaceAddress:
    """Give the gateway that Docker or the host names, else the one that is always chosen."""
    named = config.get("Gateway", "").partition("/")[0]
    found = IPAddress(named) if named else next((a for a in known if a in cidr), None)
    if found is None:
        part = IPNetwork(config["IPRange"]) if config.get("IPRange") and not own else cidr
        found = part[1] if part.first == cidr.first else part[0]
    return InterfaceAddress(f"{found}/{cidr.prefixlen}")


def _add_pool(state: State, cidr: IPNetwork, gateway: InterfaceAddress, config: Facts) -> State:
    state, lease = request_pool(state, space=LOCAL, cidr=cidr, part=None)
    others = map(IPAddress, (config.get("AuxiliaryAddresses") or {}).values())
    for address in chain([gateway.ip], others):
        state, _ = request_address(state, lease, wanted=address)
    return state


def _add_endpoint(state: State, connection: Facts, now: float) -> State:
    network = state.require(Network, connection["NetworkID"])
    addresses = [
        InterfaceAddress(f"{connection[address]}/{connection[length]}")
        for address, length in (
            ("IPAddress", "IPPrefixLen"),
            ("GlobalIPv6Address", "GlobalIPv6PrefixLen"),
        )
        if connection[address]
    ]
    state = create_endpoint(
        state,
        network_id=network.id,
        identifier=connection["EndpointID"],
        addresses=addresses,
        mac=connection["MacAddress"],
        now=now,
        alive=lambda _: True,
    )
    for address in addresses:
        subnet = network.subnet_of(address.ip)
        if subnet is not None and subnet.space:
            state, _ = request_address(state, Lease(pool=subnet.pool), wanted=address.ip)
    sandbox = connection["SandboxKey"]
    return join(state, identifier=connection["EndpointID"], sandbox=sandbox, now=now)


def _add_publications(state: State, elements: Iterable[Element]) -> State:
    """Publish what the firewall's maps say, for the endpoints that have the addresses."""
    ports: dict[IPAddress, list[PortBinding]] = {}
    for binding in bindings_of(elements):
        ports.setdefault(binding.container, []).append(binding)
    for endpoint in list(state.all(Endpoint)):
        own = [binding for a in endpoint.addresses for binding in ports.get(a.ip, ())]
        if own:
            state = state.put(Publication(id=endpoint.id, bindings=tuple(own)))
    return state
