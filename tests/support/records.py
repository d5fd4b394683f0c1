"""Records with as few words as a test needs."""

from netaddr import IPAddress, IPNetwork
from tests.support.dockerd import docker_id

from pyflat import naming
from pyflat.addressing import AddressBlock, InterfaceAddress, Pool
from pyflat.model import Endpoint, Network, NetworkOptions, PortBinding, Publication, Record, Subnet
from pyflat.state import State


def network(
    name: str,
    *pools: str,
    bridge: str = "",
    internal: bool = False,
    options: NetworkOptions | None = None,
    space: str = "",
    auxiliary: tuple[str, ...] = (),
) -> Network:
    """Make a network whose gateways are the first addresses of its pools."""
    identifier = docker_id(name)
    cidrs = [IPNetwork(pool) for pool in pools]
    return Network(
        id=identifier,
        bridge=bridge or naming.bridge(identifier),
        subnets=tuple(
            Subnet(
                cidr=c,
                gateway=InterfaceAddress(f"{IPAddress(c.first + 1)}/{c.prefixlen}"),
                space=space,
                auxiliary=tuple(map(IPAddress, auxiliary)),
            )
            for c in cidrs
        ),
        internal=internal,
        options=options or NetworkOptions(bridge=bridge),
    )


def endpoint(name: str, within: Network, *addresses: str, sandbox: str | None = None) -> Endpoint:
    """Make an endpoint of a network."""
    return Endpoint(
        id=docker_id(name),
        network=within.id,
        mac="02:42:00:00:00:02",
        addresses=tuple(InterfaceAddress(address) for address in addresses),
        sandbox=sandbox,
    )


def binding(host: str, host_port: int, container: str, container_port: int = 80) -> PortBinding:
    """Make a TCP binding."""
    return PortBinding(
        protocol="tcp",
        host=IPAddress(host),
        host_port=host_port,
        container=IPAddress(container),
        container_port=container_port,
    )


def publication(of: Endpoint, *bindings: PortBinding) -> Publication:
    """Make the publication of an endpoint."""
    return Publication(id=of.id, bindings=bindings)


def pool(cidr: str, space: str = "PyflatLocal") -> Pool:
    """Make a pool."""
    return Pool(id=f"{space}|{cidr}", space=space, cidr=IPNetwork(cidr))


def block(of: Pool, *offsets: int) -> AddressBlock:
    """Make the first block of a pool, with the addresses at the offsets given out."""
    bits = sum(1 << offset for offset in offsets)
    return AddressBlock(pool=of.id, number=0, taken=bits.to_bytes(2048, "little"), asked=b"")


def state_of(*records: Record) -> State:
    """Give a settled State of records."""
    state = State()
    for record in records:
        state = state.put(record)
    return state.settled()
