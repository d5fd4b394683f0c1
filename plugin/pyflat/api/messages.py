"""dockerd's requests, spelled as the protocol spells them.

Sources: moby ``libnetwork/drivers/remote/api/api.go``, ``libnetwork/ipams/remote/api/api.go``
and ``libnetwork/types/types.go``. Go writes nil maps and slices as null, so every collection
may be None; keys that are not named here are ignored.
"""

from typing import Any

from msgspec import Struct

GENERIC = "com.docker.network.generic"
INTERNAL = "com.docker.network.internal"
NO_IPV6 = "com.docker.network.driver.private.no_proxy_6to4"
PORT_MAP = "com.docker.network.portmap"
NAME_SERVERS = "com.docker.network.endpoint.dnsservers"
NODE_DISCOVERY = 1
ADDRESS_TYPE = "RequestAddressType"
GATEWAY = "com.docker.network.gateway"

OptionMap = dict[str, Any] | None


class Request(Struct, frozen=True, kw_only=True):
    """A request that needs nothing; an empty body will do."""


class IPAMData(Struct, frozen=True, kw_only=True):
    """One subnet; addresses carry the mask that the address manager gave."""

    AddressSpace: str = ""
    Pool: str
    Gateway: str | None = None
    AuxAddresses: dict[str, str] | None = None


class GwAllocCheck(Request, frozen=True, kw_only=True):
    """NetworkDriver.GwAllocCheck (Engine 28.0 and later)."""

    Options: OptionMap = None


class CreateNetwork(Request, frozen=True, kw_only=True):
    """NetworkDriver.CreateNetwork."""

    NetworkID: str
    Options: OptionMap = None
    IPv4Data: list[IPAMData] | None = None
    IPv6Data: list[IPAMData] | None = None


class AllocateNetwork(Request, frozen=True, kw_only=True):
    """NetworkDriver.AllocateNetwork (Swarm managers, drivers of global scope)."""

    NetworkID: str
    Options: dict[str, str] | None = None
    IPv4Data: list[IPAMData] | None = None
    IPv6Data: list[IPAMData] | None = None


class NetworkRequest(Request, frozen=True, kw_only=True):
    """NetworkDriver.DeleteNetwork and FreeNetwork."""

    NetworkID: str


class EndpointInterface(Struct, frozen=True, kw_only=True):
    """An endpoint's interface; "" where dockerd leaves the choice to the driver."""

    Address: str = ""
    AddressIPv6: str = ""
    MacAddress: str = ""


class CreateEndpoint(Request, frozen=True, kw_only=True):
    """NetworkDriver.CreateEndpoint."""

    NetworkID: str
    EndpointID: str
    Interface: EndpointInterface | None = None
    Options: OptionMap = None


class EndpointRequest(Request, frozen=True, kw_only=True):
    """NetworkDriver.DeleteEndpoint, EndpointOperInfo, Leave, RevokeExternalConnectivity."""

    NetworkID: str
    EndpointID: str


class Join(Request, frozen=True, kw_only=True):
    """NetworkDriver.Join."""

    NetworkID: str
    EndpointID: str
    SandboxKey: str
    Options: OptionMap = None


class ProgramExternalConnectivity(Request, frozen=True, kw_only=True):
    """NetworkDriver.ProgramExternalConnectivity."""

    NetworkID: str
    EndpointID: str
    Options: OptionMap = None


class NodeDiscovery(Struct, frozen=True, kw_only=True):
    """A node of a swarm (moby ``libnetwork/discoverapi``); ``Self`` is the one that is asked."""

    Address: str = ""
    Self: bool = False


class Discover(Request, frozen=True, kw_only=True):
    """NetworkDriver.DiscoverNew and DiscoverDelete."""

    DiscoveryType: int = 0
    DiscoveryData: NodeDiscovery | None = None


class Forget(Request, frozen=True, kw_only=True):
    """Pyflat.Forget: of an administrator, not of dockerd."""

    Kind: str
    Name: str


class ForgetHost(Request, frozen=True, kw_only=True):
    """Pyflat.ForgetHost: of an administrator, about another host of the cluster."""

    Name: str


class PortBinding(Struct, frozen=True, kw_only=True):
    """One entry of the option ``com.docker.network.portmap``."""

    Proto: int
    Port: int
    IP: str = ""
    HostIP: str = ""
    HostPort: int = 0
    HostPortEnd: int = 0


class RequestPool(Request, frozen=True, kw_only=True):
    """IpamDriver.RequestPool."""

    AddressSpace: str
    Pool: str = ""
    SubPool: str = ""
    Options: dict[str, str] | None = None
    V6: bool = False


class ReleasePool(Request, frozen=True, kw_only=True):
    """IpamDriver.ReleasePool."""

    PoolID: str


class RequestAddress(Request, frozen=True, kw_only=True):
    """IpamDriver.RequestAddress."""

    PoolID: str
    Address: str = ""
    Options: dict[str, str] | None = None


class ReleaseAddress(Request, frozen=True, kw_only=True):
    """IpamDriver.ReleaseAddress."""

    PoolID: str
    Address: str
