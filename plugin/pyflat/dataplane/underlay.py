"""Where a tunnel of this host begins: the device and the address that packets to others have."""

import socket
from collections.abc import Iterable

from netaddr import IPAddress, IPNetwork

from pyflat.dataplane.links import AddressInfo, find_link, list_addresses
from pyflat.dataplane.ways import Way, find_way
from pyflat.errors import InvalidRequest
from pyflat.peers import Tunnel


def find_tunnel(
    device: str, towards: Iterable[IPAddress], known_by: IPAddress | None = None
) -> Tunnel:
    """Find this host's end of a tunnel to the given addresses.

    ``device`` names its interface; "" takes the one that has the address that the others know this
    host by, else that of the route to the first of the addresses that is another host's. Raises
    InvalidRequest where there is no such interface, address or route.
    """
    addresses = list_addresses()
    own = {info.address.ip for info in addresses}
    others = [address for address in towards if address not in own]
    if device:
        return _tunnel(device, _first(device, addresses, others))
    for info in addresses:
        if info.address.ip == known_by:
            return _tunnel(socket.if_indextoname(info.index), info)
    for other in others:
        way = _route_to(other)
        if way.device != "lo":
            found = (info for info in addresses if info.address.ip == way.source)
            return _tunnel(way.device, next(found, None))
    raise InvalidRequest("the underlay is not known: say underlay=INTERFACE")


def _first(
    device: str, addresses: Iterable[AddressInfo], others: list[IPAddress]
) -> AddressInfo | None:
    """Give the device's first address, of the others' family if they are known."""
    try:
        index = socket.if_nametoindex(device)
    except OSError as error:
        raise InvalidRequest(f"option underlay={device!r}: there is no such interface") from error
    wanted = others[0].version if others else None
    own = [info for info in addresses if info.index == index]
    fitting = [info for info in own if wanted in {None, info.address.version}]
    return min(fitting, key=lambda info: info.address.version, default=None)


def _tunnel(device: str, info: AddressInfo | None) -> Tunnel:
    link = find_link(device)
    if info is None or link is None:
        raise InvalidRequest(f"underlay {device}: it has no address that others could reach")
    address = info.address
    segment = IPNetwork(f"{address.ip}/{address.prefixlen}").cidr
    return Tunnel(device=device, address=address.ip, segment=segment, mtu=link.mtu)


def _route_to(address: IPAddress) -> Way:
    try:
        return find_way(address)
    except OSError as error:
        raise InvalidRequest(
            f"no route to {address}: {error.strerror}; say underlay=INTERFACE"
        ) from error
