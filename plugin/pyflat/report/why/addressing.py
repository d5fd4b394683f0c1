"""Which address a source has for a name."""

import socket

from netaddr import IPAddress

from pyflat.dataplane.ways import find_way
from pyflat.errors import NotFound, PyflatError
from pyflat.report.why.places import HOST, OUTSIDE, Place, Places, read_address
from pyflat.report.why.resolving import resolve
from pyflat.report.why.story import End, Story

#: Any address of a default route; nothing is sent there.
_ANYWHERE = (IPAddress("198.51.100.1"), IPAddress("2001:db8:ffff::1"))


class Addressing:
    """Finds addresses as a source does; how is told in the story."""

    def __init__(self, places: Places, source: Place, story: Story) -> None:
        self._places = places
        self._source = source
        self._story = story

    def find(self, name: str) -> IPAddress | None:
        """Find the target's address, by the source's own resolver; None ends the story."""
        if address := read_address(name):
            return address
        if name == OUTSIDE:
            return self._gateway_of_host()
        if name == HOST:
            return self._own_address()
        try:
            address, by = self._resolve(name)
        except (PyflatError, OSError) as error:
            return self._known(name, str(error))
        self._story.tell("name", f"{name} is {address}, says {by}")
        return address

    def _resolve(self, name: str) -> tuple[IPAddress, str]:
        if self._source.namespace:
            return resolve(name, self._source.namespace)
        if place := self._places.find(name):
            return self._best(place), "pyflat"
        return IPAddress(socket.getaddrinfo(name, None)[0][4][0]), "this host's resolver"

    def _known(self, name: str, reason: str) -> IPAddress | None:
        """Go on with what pyflat knows of a name that the source's resolver does not."""
        place = self._places.find(name)
        if place is None or not place.connections:
            self._story.finish(
                End.NAME,
                f"{self._source.name} finds no address for {name}: {reason}",
                "names are those of containers in a network that both are in",
            )
            return None
        address = self._best(place)
        self._story.tell("name", f"not found by {self._source.name} ({reason}): {address}")
        return address

    def _best(self, place: Place) -> IPAddress:
        """Give an address in a network that both are in, else the first."""
        ours = {connection.network.id for connection in self._source.connections}
        both = [each for each in place.connections if each.network.id in ours]
        found = [a for each in (*both, *place.connections) for a in each.addresses]
        if not found:
            raise NotFound(f"{place.name} has no address")
        return found[0]

    def _gateway_of_host(self) -> IPAddress | None:
        for anywhere in _ANYWHERE:
            try:
                gateway = find_way(anywhere).gateway
            except OSError:
                continue
            if gateway:
                self._story.tell("name", f"{OUTSIDE} is {gateway}, this host's way out")
                return gateway
        self._story.finish(End.ROUTE, "this host has no way out", "ip route add default via …")
        return None

    def _own_address(self) -> IPAddress | None:
        for connection in self._source.connections:
            for subnet in connection.network.subnets:
                if subnet.gateway:
                    return IPAddress(subnet.gateway)
        self._story.finish(End.NAME, "the host has no address in its networks")
        return None
