"""Metrics for Prometheus: what was counted, what State holds, what the interfaces have carried.

Imported only where metrics are asked for.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from pyflat import counts
from pyflat.counts import BOUNDS, Labels
from pyflat.dataplane.links import Traffic
from pyflat.docker_api import Names
from pyflat.logs import short
from pyflat.report.live import Live
from pyflat.report.topology import NetworkView, Topology

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_NETWORK = ("network", "network_name")
_ENDPOINT = (*_NETWORK, "endpoint", "container")

#: What an interface counts.
_COUNTED = {"bytes": "Bytes", "packets": "Packets", "drops": "Packets that were lost"}
#: Which of an interface's counters is which: what a container receives is what the host's end of
#: its pair has sent. A tunnel is looked at from here.
_BEYOND = {"receive": "sent", "transmit": "received"}
_HERE = {"receive": "received", "transmit": "sent"}


class Metrics(Collector):
    """Collects when it is asked."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """Write all metrics in the text format of Prometheus. Raises BackendError."""
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        """Name nothing beforehand: nothing has to be read to be registered."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Give all metrics."""
        topology, names = self._live.topology(), self._live.names()
        yield _gauge(
            "info", "Constant 1.", ("host", "version"), {(topology.host, topology.version): 1}
        )
        healthy = not self._live.troubles()
        yield _gauge("healthy", "Whether all is well, as /healthz says.", (), {(): healthy})
        yield from _counted()
        yield from _held(topology, names)
        yield from _carried(topology, names, self._live.traffic())


def _counted() -> Iterator[Metric]:
    """Give what this process has done."""
    yield _histogram("request", "Answers to dockerd.", ("method",), counts.REQUESTS)
    errors = counts.ERRORS.read()
    yield _counter("request_errors", "Requests without success.", ("method", "status"), errors)
    yield _histogram("converge", "Looks at everything.", (), counts.CONVERGES)
    yield _histogram("commit", "Writes to the store.", (), counts.COMMITS)
    yield _histogram("nft_transaction", "Changes of the firewall.", (), counts.TRANSACTIONS)
    repairs = counts.REPAIRS.read() or {(): 0}
    yield _counter("repairs", "Looks at everything that had to mend something.", (), repairs)
    drift = counts.DRIFT.read()
    yield _counter("drift", "Objects that were not as they should be.", ("wrong",), drift)
    overdue, starts = {(): counts.OVERDUE.read()}, {(): counts.STARTS.read()}
    yield _counter("deadline_hits", "Requests that ended their worker.", (), overdue)
    yield _counter("worker_starts", "Workers that have begun.", (), starts)


def _held(topology: Topology, names: Names) -> Iterator[Metric]:
    """Give what State holds."""
    networks = {_network(network, names): network for network in topology.networks}
    yield _gauge("networks", "Networks.", (), {(): len(networks)})
    endpoints = {labels: len(network.endpoints) for labels, network in networks.items()}
    yield _gauge("endpoints", "Containers' connections to a network.", _NETWORK, endpoints)
    ports = Counter(
        port.protocol
        for network in networks.values()
        for endpoint in network.endpoints
        for port in endpoint.ports
    )
    yield _gauge("published_ports", "Ports.", ("protocol",), {(k,): n for k, n in ports.items()})
    overlays = {labels: network for labels, network in networks.items() if network.tunnel}
    peers = {
        (*labels, state): sum(bool(peer.expired) == (state == "expired") for peer in network.peers)
        for labels, network in overlays.items()
        for state in ("alive", "expired")
    }
    yield _gauge("peers", "Other hosts of an overlay.", (*_NETWORK, "state"), peers)
    remotes = {labels: len(network.remotes) for labels, network in overlays.items()}
    yield _gauge("remote_endpoints", "Containers on other hosts.", _NETWORK, remotes)
    pools = {(pool.space, pool.cidr): pool for pool in topology.pools}
    labels, used = ("space", "pool"), {key: pool.used for key, pool in pools.items()}
    yield _gauge("pool_addresses_used", "Addresses given out of a pool.", labels, used)
    sizes = {key: pool.size for key, pool in pools.items()}
    yield _gauge("pool_addresses", "Addresses of a pool.", labels, sizes)


def _carried(topology: Topology, names: Names, seen: Mapping[str, Traffic]) -> Iterator[Metric]:
    """Give what the interfaces have carried; one that is gone meanwhile is left out."""
    ends: dict[Labels, Traffic] = {}
    bridges: dict[Labels, Traffic] = {}
    tunnels: dict[Labels, Traffic] = {}
    for network in topology.networks:
        labels = _network(network, names)
        if network.bridge in seen:
            bridges[labels] = seen[network.bridge]
        if network.tunnel is not None and network.tunnel.device in seen:
            tunnels[labels] = seen[network.tunnel.device]
        for endpoint in network.endpoints:
            if endpoint.host_end in seen:
                name = names.containers.get(endpoint.id, "")
                ends[*labels, short(endpoint.id), name] = seen[endpoint.host_end]
    yield from _traffic("endpoint", "a container", _ENDPOINT, ends, _BEYOND)
    yield from _traffic("network", "a network, with its host", _NETWORK, bridges, _BEYOND)
    yield from _traffic("tunnel", "a tunnel", _NETWORK, tunnels, _HERE)


def _traffic(
    what: str,
    whose: str,
    labels: Labels,
    seen: Mapping[Labels, Traffic],
    ways: Mapping[str, str],
) -> Iterator[Metric]:
    for way, field in ways.items():
        for unit, meaning in _COUNTED.items():
            values = {key: getattr(traffic, f"{field}_{unit}") for key, traffic in seen.items()}
            said = f"{meaning}: {way} direction of {whose}."
            yield _counter(f"{what}_{way}_{unit}", said, labels, values)


def _network(network: NetworkView, names: Names) -> tuple[str, str]:
    return short(network.id), names.networks.get(network.id, "")


def _gauge(name: str, meaning: str, labels: Labels, values: Mapping[Any, float]) -> Metric:
    family = GaugeMetricFamily(f"pyflat_{name}", meaning, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _counter(name: str, meaning: str, labels: Labels, values: Mapping[Any, float]) -> Metric:
    family = CounterMetricFamily(f"pyflat_{name}", meaning, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _histogram(name: str, meaning: str, labels: Labels, durations: counts.Durations) -> Metric:
    family = HistogramMetricFamily(f"pyflat_{name}_seconds", meaning, labels=labels)
    for key, (buckets, total) in durations.read().items():
        reached, below = 0, []
        for bound, number in zip((*map(str, BOUNDS), "+Inf"), buckets, strict=True):
            reached += number
            below.append((bound, float(reached)))
        family.add_metric(key, below, sum_value=total)
    return family
