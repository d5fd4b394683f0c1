"""How claims are written in the cluster's store; ``claims`` says what they mean. Pure."""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from netaddr import AddrFormatError, IPNetwork

from pyflat.overlay.etcd import Snapshot
from pyflat.peers import Claim

POOLS, ADDRESSES, VNIS = "pools/", "addresses/", "vnis/"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """The value of a VNI: what it is, and who has it."""

    parts: tuple[str, ...] = ()
    auto: bool = False
    hosts: tuple[str, ...] = ()

    def without(self, host: str) -> "Entry":
        """Give the entry as it is when a host has left."""
        return msgspec.structs.replace(self, hosts=tuple(h for h in self.hosts if h != host))

    def told(self) -> str:
        """Describe it as the docker command is told."""
        return tell(self.parts)


def tell(parts: Collection[str]) -> str:
    """Describe a network as the docker command is told."""
    return " ".join(parts) or "without a subnet"


def prefix_of(pool: str) -> str:
    """Give what the keys of a pool's claims begin with; ``pool`` as in ``Claim``."""
    space, _, rest = pool.partition("|")
    return f"{ADDRESSES}{rest}/" if space == "vni" else f"{POOLS}{_spelled(rest)}/blocks/"


def key_of(claim: Claim) -> str:
    """Give the key of a claim."""
    prefix = prefix_of(claim.pool)
    tail = str(claim.cidr.ip) if prefix.startswith(ADDRESSES) else _spelled(str(claim.cidr))
    return prefix + tail


def vni_key(vni: int) -> str:
    """Give the key of a VNI."""
    return f"{VNIS}{vni}"


def vni_of(key: str) -> int:
    """Give the VNI of a key, 0 if it is none's."""
    number = key.removeprefix(VNIS)
    return int(number) if number.isdecimal() else 0


def holder(host: str) -> dict[str, str]:
    """Give the value of a claim."""
    return {"host": host}


def holder_of(value: Any) -> str:
    """Say whose a claim is; a value that cannot be read is nobody's that we know."""
    name = value.get("host") if isinstance(value, Mapping) else None
    return name if isinstance(name, str) and name else "(unknown)"


def held_in(seen: Snapshot, prefix: str) -> dict[IPNetwork, str]:
    """Give the blocks, or addresses, below a prefix, and whose they are."""
    found = {}
    for key in seen.changed:
        if key.startswith(prefix):
            try:
                cidr = IPNetwork(key.removeprefix(prefix).replace("-", "/"))
            except (AddrFormatError, ValueError):
                continue
            found[cidr] = holder_of(seen.values.get(key))
    return found


def entry_of(seen: Snapshot, key: str) -> Entry:
    """Give the value of a VNI, an empty one if there is none that can be read."""
    try:
        return msgspec.convert(seen.values.get(key, {}), Entry)
    except msgspec.ValidationError:
        return Entry()


def _spelled(subnet: str) -> str:
    """Write a subnet without what parts keys."""
    return subnet.replace("/", "-")
