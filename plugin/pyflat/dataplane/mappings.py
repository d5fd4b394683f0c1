"""Published ports as elements of the maps that chain ``publish`` asks, and back. Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from netaddr import IPAddress

from pyflat.dataplane.objects import Element
from pyflat.model import ANY, LOOPBACK6, PortBinding

#: From so many neighbouring ports on, one interval is cheaper than a hash element for each: an
#: update of an interval map costs as much as the map has elements.
SPAN = 64

_MAP = re.compile("(any)?(port|span)[46]")


def mappings(bindings: Iterable[PortBinding]) -> Iterator[Element]:
    """Give the elements that translate to the containers' ports; ::1 has none."""
    for run in _runs(b for b in bindings if b.host is not None and b.host != LOOPBACK6):
        first = run[0]
        if len(run) < SPAN or first.host_port != first.container_port:
            yield from map(_single, run)
        else:
            ports = f"{first.host_port}-{run[-1].host_port}"
            yield _element("span", first, ports, (str(first.container),))


def bindings_of(elements: Iterable[Element]) -> Iterator[PortBinding]:
    """Give the published ports that elements of the maps stand for, others are passed over."""
    for element in elements:
        if not _MAP.fullmatch(element.name):
            continue
        protocol, *host, ports = element.match
        container, *inner = element.data
        first, _, last = ports.partition("-")
        for port in range(int(first), int(last or first) + 1):
            yield PortBinding(
                protocol=protocol,
                host=IPAddress(host[0]) if host else ANY[IPAddress(container).version],
                host_port=port,
                container=IPAddress(container),
                container_port=int(inner[0]) if inner else port,
            )


def _runs(bindings: Iterable[PortBinding]) -> Iterator[Sequence[PortBinding]]:
    """Group neighbouring ports that lead to neighbouring ports of one container."""
    ordered = sorted(bindings, key=lambda binding: (_way(binding), binding.host_port))
    places = enumerate(ordered)
    for _, run in groupby(places, lambda place: (_way(place[1]), place[1].host_port - place[0])):
        yield [binding for _, binding in run]


def _way(binding: PortBinding) -> tuple[str, str, str, int]:
    offset = binding.container_port - binding.host_port
    return binding.protocol, str(binding.host), str(binding.container), offset


def _single(binding: PortBinding) -> Element:
    data = (str(binding.container), str(binding.container_port))
    return _element("port", binding, str(binding.host_port), data)


def _element(kind: str, binding: PortBinding, ports: str, data: tuple[str, ...]) -> Element:
    version = binding.container.version
    host, any_host = str(binding.host), binding.host == ANY[version]
    return Element(
        family="inet",
        name=f"any{kind}{version}" if any_host else f"{kind}{version}",
        match=(binding.protocol, ports) if any_host else (binding.protocol, host, ports),
        data=data,
    )
