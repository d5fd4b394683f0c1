"""Mark 6, from below: one more endpoint in a network that has a thousand already."""

from __future__ import annotations

from functools import partial
from ipaddress import IPv4Address

from dockerbench.api import Plugin
from dockerbench.peers import again
from dockerbench.results import Line, Outcome, Samples, compare
from dockerbench.rounds import Run, settle, timed
from dockerlab.host import Host

LEAST = "1 there"
OPERATION = "CreateEndpoint + DeleteEndpoint"

HOW = (
    "At the plugin's own socket, on a host without Docker: networks of so many endpoints, each a "
    "veth pair at a real bridge, which can have 1023 at most. The sandboxes are not there: dockerd "
    "makes them, and takes most of the time with a container. Another such network is the A/A."
)


def run(run: Run) -> Outcome:
    """Measure on one host, whose networks have endpoints by the hundred."""
    sizes = run.pick([1, 10, 100, 1000], [1, 10, 100])
    with run.lab(start=False) as lab:
        asked = {_variant(size): size for size in sizes} | {again(LEAST): 1}
        plugin = start(lab.host("h1"))
        variants = {}
        for number, (variant, size) in enumerate(asked.items()):
            run.progress("filling networks", number, len(asked))
            network = Network(plugin, number, size)
            variants[variant] = partial(_one_more, network)
        samples = run.interleave("endpoints", variants, run.pick(51, 11))
    return Outcome([_line(samples, size) for size in sizes if size > 1], samples, HOW)


def _variant(size: int) -> str:
    return f"{size} there"


def _line(samples: Samples, size: int) -> Line:
    of = samples[OPERATION]
    return compare(
        6,
        f"{OPERATION}, {size} endpoints in the network",
        of[_variant(size)],
        of[LEAST],
        peer=LEAST,
        series="one more endpoint in a network",
        size=size,
        control=(of[again(LEAST)], of[LEAST]),
    )


def start(host: Host) -> Plugin:
    """Start the plugin of a host without Docker, and give its socket."""
    host.pyflat.start()
    return Plugin(host.path("/run/docker/plugins/pyflat.sock"))


class Network:
    """A network of endpoints that dockerd knows nothing of."""

    def __init__(self, plugin: Plugin, number: int, size: int) -> None:
        self._plugin = plugin
        # The names of links are cut from ids.
        self._number = number + 1
        self._id = f"{self._number:012x}".ljust(64, "0")
        self._first = IPv4Address(f"10.{80 + number}.0.0")
        subnet = {"Pool": f"{self._first}/16", "Gateway": f"{self._first + 1}/16"}
        plugin.call("NetworkDriver.CreateNetwork", NetworkID=self._id, IPv4Data=[subnet])
        for place in range(size):
            self.add(place)
        self.size = size

    def add(self, place: int) -> None:
        """Make an endpoint."""
        interface = {"Address": f"{self._first + 2 + place}/16"}
        self._plugin.call("NetworkDriver.CreateEndpoint", **self._names(place), Interface=interface)

    def remove(self, place: int) -> None:
        """Delete an endpoint."""
        self._plugin.call("NetworkDriver.DeleteEndpoint", **self._names(place))

    def _names(self, place: int) -> dict[str, str]:
        return {
            "NetworkID": self._id,
            "EndpointID": f"{self._number:04x}{place:08x}".ljust(64, "0"),
        }


def _one_more(network: Network) -> dict[str, float]:
    settle()

    def come_and_go() -> None:
        network.add(network.size)
        network.remove(network.size)

    return {OPERATION: timed(come_and_go)}
