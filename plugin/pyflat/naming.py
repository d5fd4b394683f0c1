"""Names of interfaces, made from Docker's ids; nothing else decides on them.

The kernel allows 15 bytes (``IFNAMSIZ`` less its terminator): a three-byte prefix and twelve
characters of the id. Endpoint ids are never used twice, so neither are these names.
"""

import hashlib
import re
import secrets

from netaddr import EUI, IPAddress, mac_unix_expanded

from pyflat.errors import InvalidRequest

#: Every link of such a name was made by pyflat, even if nothing else says so yet.
LINK_NAME = re.compile(r"p[befgvx]-[0-9a-z]{12}")

_SWARM_ID = re.compile(r"[0-9a-z]{25}")
_ID = re.compile(rf"[0-9a-f]{{64}}|{_SWARM_ID.pattern}")
_INTERFACE = re.compile(r"[A-Za-z0-9_.+-]{1,15}")


def check_id(kind: str, value: str) -> str:
    """Return ``value`` if it is an id as dockerd makes them.

    64 hexadecimal digits, or 25 base36 characters for what a swarm made
    (swarmkit ``identity/randomid.go``). Raises InvalidRequest.
    """
    if not _ID.fullmatch(value):
        raise InvalidRequest(
            f"{kind} {value!r} is not an id: 64 hexadecimal digits or 25 base36 characters"
        )
    return value


def is_of_swarm(value: str) -> bool:
    """Say whether an id is of what a swarm made."""
    return bool(_SWARM_ID.fullmatch(value))


def is_interface_name(name: str) -> bool:
    """Say whether the kernel, nftables and sysctl paths all take ``name`` for an interface."""
    return bool(_INTERFACE.fullmatch(name)) and name not in {".", ".."}


def bridge(network_id: str) -> str:
    """Name the bridge of a network that has no name of the user's."""
    return f"pf-{network_id[:12]}"


def inner_bridge(network_id: str) -> str:
    """Name the bridge of a network that lies in the namespace of pyflat's own."""
    return f"pb-{network_id[:12]}"


def gateway_port(network_id: str) -> str:
    """Name the port of such a bridge that leads to the host."""
    return f"pg-{network_id[:12]}"


def vxlan(network_id: str) -> str:
    """Name the port of an overlay's bridge that leads through the tunnel."""
    return f"px-{network_id[:12]}"


def further_links(network_id: str) -> tuple[str, ...]:
    """Name the interfaces that a network may have beside the one that bears its gateways."""
    return inner_bridge(network_id), gateway_port(network_id), vxlan(network_id)


def host_end(endpoint_id: str) -> str:
    """Name the end of an endpoint's veth pair that stays a port of the bridge."""
    return f"pv-{endpoint_id[:12]}"


def container_end(endpoint_id: str) -> str:
    """Name the end that dockerd moves into the container."""
    return f"pe-{endpoint_id[:12]}"


def other_end(host_end: str) -> str:
    """Name the container's end of the pair of which a host end is named."""
    return f"pe-{host_end.removeprefix('pv-')}"


def link_local_of(mac: str) -> IPAddress:
    """Give the link-local address that the kernel makes of a MAC (RFC 4291, appendix A)."""
    return EUI(mac).ipv6_link_local()


def mac_of_address(address: IPAddress) -> str:
    """Derive a locally administered MAC from an address, always the same one.

    A restarted container that keeps its address keeps its MAC, so that its neighbours' caches
    stay right (Engine 27 and older announce nothing).
    """
    if address.version == 4:
        tail = address.packed
    else:
        tail = hashlib.blake2s(address.packed, digest_size=4).digest()
    return str(EUI((b"\x02\x42" + tail).hex(), dialect=mac_unix_expanded))


def random_mac() -> str:
    """Make a locally administered MAC that nothing tells beforehand."""
    return str(EUI((b"\x02\x42" + secrets.token_bytes(4)).hex(), dialect=mac_unix_expanded))


def mac_of_id(identifier: str) -> str:
    """Derive a locally administered MAC from an id, for what has no address."""
    tail = hashlib.blake2s(identifier.encode(), digest_size=4).digest()
    return str(EUI((b"\x02\x42" + tail).hex(), dialect=mac_unix_expanded))
