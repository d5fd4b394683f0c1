"""What was made and removed, a line of the log for each: read from State before and after."""

import logging
from collections.abc import Iterable, Set
from typing import Any, Protocol, TypeAlias

from pyflat.addressing import Pool
from pyflat.logs import short
from pyflat.model import Endpoint, Key, Network, PortBinding, Publication, Record
from pyflat.peers import Peer
from pyflat.state import State

log = logging.getLogger(__name__)

#: Ports that a line names; what is more is counted.
NAMED = 20

About: TypeAlias = dict[str, Any]
#: What has happened, and to what.
Event: TypeAlias = tuple[str, About]


class Readable(Protocol):
    """The engine, as far as it can be read."""

    @property
    def state(self) -> State:
        """The present State."""


class Audit:
    """Is told of commits, and logs them."""

    def __init__(self, engine: Readable) -> None:
        self._engine = engine

    def follow(self, before: State, touched: Set[Key]) -> None:
        """Log what a commit has made, changed and removed."""
        if not log.isEnabledFor(logging.INFO):
            return
        after = self._engine.state
        for key in sorted(touched):
            event = event_of(before.lookup(key), after.lookup(key))
            if event is not None:
                log.info("%s", event[0], extra={"about": event[1]})


def event_of(old: Record | None, new: Record | None) -> Event | None:
    """Say what has become of a record; None if nobody need know."""
    match new or old:
        case Network() as network:
            return _event("network", old, new, _network(network))
        case Endpoint() as endpoint:
            about = {"endpoint": short(endpoint.id), "network": short(endpoint.network)}
            return _endpoint(old, new, about)
        case Publication() as publication:
            return _publication(old, new, {"endpoint": short(publication.id)})
        case Pool(space=space, cidr=cidr):
            return _event("pool", old, new, {"pool": str(cidr), "space": space})
        case Peer(vni=vni, host=host, vtep=vtep):
            return _peer(old, new, {"host": host, "vni": vni, "vtep": str(vtep or "")})
        case _:
            return None


def _event(what: str, old: Record | None, new: Record | None, about: About) -> Event | None:
    if old is not None and new is not None:
        return None
    return f"{what} {'removed' if new is None else 'made'}", about


def _network(network: Network) -> About:
    subnets = tuple(str(subnet.cidr) for subnet in network.subnets)
    vni = {"vni": network.vni} if network.vni is not None else {}
    return {"network": short(network.id), "bridge": network.bridge, "subnets": subnets, **vni}


def _endpoint(old: Record | None, new: Record | None, about: About) -> Event | None:
    match old, new:
        case Endpoint(sandbox=before), Endpoint(sandbox=after) if before != after:
            joined = ("endpoint joined", about | {"sandbox": after})
            return joined if after else ("endpoint left", about)
        case None, Endpoint(mac=mac, addresses=addresses, host_end=interface):
            made = {"interface": interface, "mac": mac, "addresses": tuple(map(str, addresses))}
            return "endpoint made", about | made
        case _:
            return _event("endpoint", old, new, about)


def _publication(old: Record | None, new: Record | None, about: About) -> Event | None:
    before, after = (set(r.bindings) if isinstance(r, Publication) else set() for r in (old, new))
    opened, closed = _named(after - before), _named(before - after)
    if opened and closed:
        return "ports changed", about | {"published": opened, "withdrawn": closed}
    if opened:
        return "ports published", about | {"ports": opened}
    return ("ports withdrawn", about | {"ports": closed}) if closed else None


def _peer(old: Record | None, new: Record | None, about: About) -> Event | None:
    match old, new:
        case Peer(expired=before), Peer(expired=after) if bool(before) != bool(after):
            return f"host {'is not heard of' if after else 'is heard of again'}", about
        case _:
            return _event("host", old, new, about)


def _named(bindings: Iterable[PortBinding]) -> tuple[str, ...]:
    ordered = sorted(bindings, key=lambda b: (b.protocol, b.host_port, str(b.host)))
    texts = tuple(map(_port, ordered[:NAMED]))
    return (*texts, f"and {len(ordered) - NAMED} more") if len(ordered) > NAMED else texts


def _port(binding: PortBinding) -> str:
    target = _place(str(binding.container), binding.container_port)
    if binding.host is None:
        return f"{target}/{binding.protocol}"
    return f"{_place(str(binding.host), binding.host_port)}->{target}/{binding.protocol}"


def _place(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
