"""What the objects of a made-up kernel stand on, and what they take along when they go."""

from collections.abc import Callable, Container, MutableMapping
from dataclasses import replace
from typing import TypeAlias

from pyflat.dataplane.objects import (
    Address,
    Bridge,
    Forwarding,
    Hairpin,
    Object,
    Sysctl,
    Veth,
)
from pyflat.dataplane.overlay_objects import (
    Fdb,
    Flood,
    Gateway,
    GatewayPort,
    Neighbour,
    ProxyNeighbour,
    Route,
    Vxlan,
)
from pyflat.errors import BackendError, Conflict

Objects: TypeAlias = MutableMapping[tuple[object, ...], Object]


def check(item: Object, there: Objects, foreign: Container[str]) -> None:
    """Refuse what cannot stand; ``foreign`` are interfaces that are not ours."""
    match item:
        case Bridge(name=name) | GatewayPort(gateway=name) if name in foreign:
            raise Conflict(f"interface {name} exists already and is not pyflat's")
        case Address():
            _check_address(item, there, foreign)
        case Sysctl() | Forwarding() | Route() | ProxyNeighbour():
            _require_link(item.device, there, foreign)
        case Gateway():
            _check_gateway(item, there)
        case GatewayPort() | Vxlan() | Neighbour():
            _check_in_bridge(item, there, foreign)
        case Fdb() | Flood():
            _check_entry(item, there)
        case Veth():
            _check_veth(item, there)
        case Hairpin():
            port = there.get(("link", item.port))
            if not isinstance(port, Veth) or not port.bridge:
                raise BackendError(f"{item.port} is not a port of a bridge")


def take_along(item: Object, there: Objects) -> None:
    """Remove what stood on an item that is gone."""
    match item:
        case Bridge():
            _take_what_is_on(item.name, there)
            for other in list(there.values()):
                if isinstance(other, Veth | Vxlan | GatewayPort) and other.bridge == item.name:
                    there[other.key] = replace(other, bridge="")
                    _leave_bridge(other.name, there)
        case Gateway():
            _take_what_is_on(item.name, there)
            _take(there, lambda o: isinstance(o, GatewayPort) and o.gateway == item.name)
        case GatewayPort():
            there.pop(("link", item.gateway), None)
            _take_what_is_on(item.gateway, there)
        case Vxlan():
            _take(there, lambda o: isinstance(o, Fdb | Flood) and o.device == item.name)
        case Veth():
            _leave_bridge(item.name, there)


def _take_what_is_on(device: str, there: Objects) -> None:
    kinds = Address | Sysctl | Forwarding | Neighbour | ProxyNeighbour | Route
    _take(there, lambda o: isinstance(o, kinds) and o.device == device)


def _leave_bridge(port: str, there: Objects) -> None:
    there.pop(("hairpin", port), None)
    _take(there, lambda o: isinstance(o, Fdb) and o.device == port)


def _take(there: Objects, goes: Callable[[Object], bool]) -> None:
    for other in [o for o in there.values() if goes(o)]:
        del there[other.key]


def _check_address(item: Address, there: Objects, foreign: Container[str]) -> None:
    _require_link(item.device, there, foreign)
    switch = there.get(("sysctl", f"ipv6/conf/{item.device}/disable_ipv6"))
    off = isinstance(switch, Sysctl) and switch.value == "1"
    if item.address.version == 6 and off:
        raise BackendError(f"{item}: IPv6 is switched off there")


def _check_gateway(item: Gateway, there: Objects) -> None:
    if not any(isinstance(o, GatewayPort) and o.gateway == item.name for o in there.values()):
        raise BackendError(f"{item}: there is no such pair")


def _check_in_bridge(
    item: GatewayPort | Vxlan | Neighbour, there: Objects, foreign: Container[str]
) -> None:
    name = item.device if isinstance(item, Neighbour) else item.bridge
    bridge = there.get(("link", name))
    if not isinstance(bridge, Bridge) or bridge.inside != item.inside:
        raise BackendError(f"{item}: there is no such bridge")
    if isinstance(item, Vxlan):
        _require_link(item.underlay, there, foreign)
        rivals = (o for o in there.values() if isinstance(o, Vxlan) and o.name != item.name)
        if any((o.vni, o.port) == (item.vni, item.port) for o in rivals):
            raise BackendError(f"{item}: File exists")


def _check_entry(item: Fdb | Flood, there: Objects) -> None:
    device = there.get(("link", item.device))
    if not isinstance(device, Vxlan) or device.inside != item.inside:
        raise BackendError(f"{item}: there is no such tunnel")
    if device.local.version != item.vtep.version:
        raise BackendError(f"{item}: the tunnel is of another family")
    if isinstance(item, Fdb) and not device.bridge:
        raise BackendError(f"{item}: the tunnel is no port of a bridge")


def _check_veth(item: Veth, there: Objects) -> None:
    bridge = there.get(("link", item.bridge))
    if not isinstance(bridge, Bridge) or bridge.inside != item.inside:
        raise BackendError(f"{item}: there is no such bridge")
    if item.key in there:
        return
    if item.made:
        raise BackendError(f"{item}: only dockerd can finish a pair that was in a container")
    if not (item.peer and item.mac) or int(item.mac[:2], 16) & 1:
        raise BackendError(f"{item}: cannot assign its peer's name or MAC")


def _require_link(name: str, there: Objects, foreign: Container[str]) -> None:
    if ("link", name) not in there and name not in foreign:
        raise BackendError(f"interface {name} is gone")
