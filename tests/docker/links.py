"""What `ip` says of the interfaces of a place."""

from typing import Any

from tests.docker.reach import Place

from dockerlab import traces
from dockerlab.traces import ip as ip


def interfaces(place: Place) -> list[str]:
    """The names of the interfaces, but for the loopback."""
    return sorted(link["ifname"] for link in ip(place, "link") if link["ifname"] != "lo")


def link(place: Place, name: str) -> dict[str, Any]:
    (found,) = ip(place, "-d", "link", "show", "dev", name)
    return found


def default_routes(place: Place, version: int = 4) -> list[str]:
    return [route["gateway"] for route in ip(place, f"-{version}", "route", "show", "default")]


def device_with(place: Place, address: str) -> str:
    """The name of the interface that has an address."""
    (found,) = (
        entry["ifname"]
        for entry in ip(place, "address")
        if any(own.get("local") == address for own in entry["addr_info"])
    )
    return str(found)


def peer(container: Place, name: str, switches: traces.Place) -> dict[str, Any]:
    """The other end, where the bridges are, of an interface of a container."""
    index = link(container, name)["link_index"]
    (found,) = (entry for entry in ip(switches, "-d", "link") if entry["ifindex"] == index)
    return found
