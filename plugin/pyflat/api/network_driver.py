"""NetworkDriver.*: each method as a change of State."""

from collections.abc import Iterable

from netaddr import IPAddress

from pyflat.api import messages
from pyflat.api.calls import Answer, Method, Result, World
from pyflat.api.codec import mac_address, option, plain_address, subnet_address
from pyflat.driver import connectivity, endpoints, networks, swarm
from pyflat.driver.connectivity import PortRequest
from pyflat.driver.options import parse_options
from pyflat.errors import InvalidRequest
from pyflat.model import Endpoint, Network, Subnet
from pyflat.state import State

#: IANA protocol numbers, as moby's libnetwork/types sends them.
PROTOCOLS = {6: "tcp", 17: "udp", 132: "sctp"}

_BROADCAST = IPAddress("255.255.255.255")


def _capabilities(state: State, _: messages.Request, world: World) -> Result:
    scope = "global" if world.site.in_swarm() else "local"
    return state, {"Scope": scope, "ConnectivityScope": "global", "GwAllocChecker": True}


def _check_gateway(state: State, request: messages.GwAllocCheck, _: World) -> Result:
    # Bad options are refused here already, before any address is reserved.
    options = parse_options(option(request.Options, messages.GENERIC, dict[str, str], {}))
    internal = option(request.Options, messages.INTERNAL, bool, False)
    # As moby's bridge driver has it (GetSkipGwAlloc): an address that nothing would bear.
    unused = options.inhibit_ipv4 and internal
    return state, {
        "SkipIPv4": options.ipv4.mode == "isolated" or unused,
        "SkipIPv6": options.ipv6.mode == "isolated",
    }


def _create_network(state: State, request: messages.CreateNetwork, world: World) -> Result:
    subnets = (*(request.IPv4Data or ()), *(request.IPv6Data or ()))
    state = networks.create_network(
        state,
        identifier=request.NetworkID,
        subnets=[_subnet(data) for data in subnets],
        internal=option(request.Options, messages.INTERNAL, bool, False),
        labels=option(request.Options, messages.GENERIC, dict[str, str], {}),
        alive=world.alive,
        site=world.site,
    )
    return state, {}


def _delete_network(state: State, request: messages.NetworkRequest, _: World) -> Result:
    return networks.delete_network(state, request.NetworkID), {}


def _allocate_network(state: State, request: messages.AllocateNetwork, world: World) -> Result:
    # The answer's options replace the user's, so they are given back whole.
    options = request.Options or {}
    if not world.site.in_swarm():
        return state, {"Options": options}
    subnets = (*(request.IPv4Data or ()), *(request.IPv6Data or ()))
    state, answer = swarm.allocate(
        state,
        identifier=request.NetworkID,
        labels=options,
        subnets=[_subnet(data).cidr for data in subnets],
        site=world.site,
    )
    return state, {"Options": answer}


def _free_network(state: State, request: messages.NetworkRequest, _: World) -> Result:
    return swarm.free(state, request.NetworkID), {}


def _discover_new(state: State, request: messages.Discover, world: World) -> Result:
    node = _node(request, world)
    if node is None:
        return state, {}
    address = plain_address("DiscoveryData", node.Address)
    return swarm.meet(state, address, own=node.Self), {}


def _discover_delete(state: State, request: messages.Discover, world: World) -> Result:
    node = _node(request, world)
    if node is None:
        return state, {}
    address = plain_address("DiscoveryData", node.Address)
    return swarm.miss(state, address, now=world.now()), {}


def _create_endpoint(state: State, request: messages.CreateEndpoint, world: World) -> Result:
    interface = request.Interface or messages.EndpointInterface()
    v4, v6 = interface.Address, interface.AddressIPv6
    state = endpoints.create_endpoint(
        state,
        network_id=request.NetworkID,
        identifier=request.EndpointID,
        addresses=[
            *([subnet_address("Address", v4, version=4)] if v4 else ()),
            *([subnet_address("AddressIPv6", v6, version=6)] if v6 else ()),
        ],
        mac=mac_address("MacAddress", interface.MacAddress),
        now=world.now(),
        alive=world.away,
        servers=_name_servers(request, world),
        leased=world.site.leased(),
    )
    # What the request brought must not come back, not even unchanged.
    if interface.MacAddress:
        return state, {"Interface": {}}
    mac = state.require(Endpoint, request.EndpointID).mac
    return state, {"Interface": {"MacAddress": mac}}


def _delete_endpoint(state: State, request: messages.EndpointRequest, _: World) -> Result:
    return endpoints.delete_endpoint(state, request.EndpointID), {}


def _endpoint_info(state: State, _: messages.EndpointRequest, __: World) -> Result:
    return state, {"Value": {}}


def _join(state: State, request: messages.Join, world: World) -> Result:
    state = endpoints.join(
        state, identifier=request.EndpointID, sandbox=request.SandboxKey, now=world.now()
    )
    endpoint = state.require(Endpoint, request.EndpointID)
    network = state.require(Network, endpoint.network)
    name = {"SrcName": endpoint.container_end, "DstPrefix": network.options.container_prefix}
    return state, {"InterfaceName": name, **_gateways(network, endpoint)}


def _leave(state: State, request: messages.EndpointRequest, world: World) -> Result:
    return endpoints.leave(state, identifier=request.EndpointID, now=world.now()), {}


def _program(state: State, request: messages.ProgramExternalConnectivity, world: World) -> Result:
    bindings = option(request.Options, messages.PORT_MAP, list[messages.PortBinding], [])
    state = connectivity.program(
        state,
        identifier=request.EndpointID,
        requests=[_port_request(binding, world.ephemeral()) for binding in bindings],
        # Said where another endpoint is the IPv6 gateway, of that one as well (moby
        # libnetwork/drivers/remote/driver.go).
        ipv6=not option(request.Options, messages.NO_IPV6, bool, False),
        alive=world.alive,
        free=world.free,
    )
    return state, {}


def _revoke(state: State, request: messages.EndpointRequest, _: World) -> Result:
    return connectivity.revoke(state, request.EndpointID), {}


METHODS = {
    "GetCapabilities": Method(messages.Request, _capabilities),
    "GwAllocCheck": Method(messages.GwAllocCheck, _check_gateway),
    "AllocateNetwork": Method(messages.AllocateNetwork, _allocate_network),
    "FreeNetwork": Method(messages.NetworkRequest, _free_network),
    "CreateNetwork": Method(messages.CreateNetwork, _create_network),
    "DeleteNetwork": Method(messages.NetworkRequest, _delete_network),
    "CreateEndpoint": Method(messages.CreateEndpoint, _create_endpoint),
    "DeleteEndpoint": Method(messages.EndpointRequest, _delete_endpoint),
    "EndpointOperInfo": Method(messages.EndpointRequest, _endpoint_info),
    "Join": Method(messages.Join, _join),
    "Leave": Method(messages.EndpointRequest, _leave),
    "ProgramExternalConnectivity": Method(messages.ProgramExternalConnectivity, _program),
    "RevokeExternalConnectivity": Method(messages.EndpointRequest, _revoke),
    "DiscoverNew": Method(messages.Discover, _discover_new),
    "DiscoverDelete": Method(messages.Discover, _discover_delete),
}


def _node(request: messages.Discover, world: World) -> messages.NodeDiscovery | None:
    """Give the node of the swarm that an event is about, None if it is about something else."""
    of_interest = request.DiscoveryType == messages.NODE_DISCOVERY and world.site.in_swarm()
    return request.DiscoveryData if of_interest else None


def _subnet(data: messages.IPAMData) -> Subnet:
    gateway = subnet_address("Gateway", data.Gateway) if data.Gateway else None
    cidr = subnet_address("Pool", data.Pool).cidr
    auxiliary = (data.AuxAddresses or {}).values()
    return Subnet(
        cidr=cidr,
        gateway=gateway,
        space=data.AddressSpace,
        auxiliary=tuple(sorted(subnet_address("AuxAddresses", text).ip for text in auxiliary)),
    )


def _gateways(network: Network, endpoint: Endpoint) -> Answer:
    if network.internal or network.options.ports == "docker":
        return {}
    families = {4: "Gateway", 6: "GatewayIPv6"}
    gateways = {
        field: network.gateway(version)
        for version, field in families.items()
        if endpoint.address(version)
    }
    return {field: str(gateway.ip) for field, gateway in gateways.items() if gateway}


def _port_request(binding: messages.PortBinding, ephemeral: range) -> PortRequest:
    protocol = PROTOCOLS.get(binding.Proto)
    if protocol is None:
        raise InvalidRequest(f"protocol {binding.Proto} is none of 6 (tcp), 17 (udp), 132 (sctp)")
    first, last = binding.HostPort, binding.HostPortEnd or binding.HostPort
    if not (0 < binding.Port < 65536 and 0 <= first <= last < 65536):
        raise InvalidRequest(f"port mapping {first}-{last}:{binding.Port} is out of range")
    return PortRequest(
        protocol=protocol,
        container_port=binding.Port,
        host=_host_address(binding.HostIP) if binding.HostIP else None,
        host_ports=range(first, last + 1) if first else ephemeral,
    )


def _name_servers(request: messages.CreateEndpoint, world: World) -> Iterable[IPAddress]:
    told = option(request.Options, messages.NAME_SERVERS, list[str], [])
    if told:
        return [plain_address("name server", text.partition("%")[0]) for text in told]
    return world.site.name_servers()


def _host_address(text: str) -> IPAddress:
    address = plain_address("HostIP", text)
    scoped = address.version == 6 and address.is_link_local()
    if scoped or address.is_multicast() or address == _BROADCAST:
        raise InvalidRequest(f"HostIP {text} is not an address that ports can be published on")
    return address
