"""Metrics of a State with one of everything, and who relies on their names."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from netaddr import IPAddress, IPNetwork
from prometheus_client.parser import text_string_to_metric_families
from tests.support.records import binding, block, endpoint, network, pool, publication, state_of
from tests.support.tcp_http import samples

from pyflat import counts
from pyflat.dataplane.difference import Difference
from pyflat.dataplane.links import Traffic
from pyflat.docker_api import Names
from pyflat.model import NetworkOptions
from pyflat.peers import Overlay, Peer, Remote, Tunnel
from pyflat.report.live import Live
from pyflat.report.metrics import Metrics
from pyflat.report.topology import topology

ROOT = Path(__file__).parents[2]
LAN = network("lan", "172.30.0.0/24", space="PyflatLocal")
WEB = endpoint("web", LAN, "172.30.0.2/24", sandbox="/run/x")
PORT = publication(WEB, binding("0.0.0.0", 8080, "172.30.0.2"))
VTEP = IPAddress("192.0.2.2")
BLUE = replace(
    network("blue", "10.42.0.0/16", options=NetworkOptions(overlay=Overlay(vni=42))),
    tunnel=Tunnel(
        device="eth0", address=IPAddress("192.0.2.1"), segment=IPNetwork("192.0.2.0/24"), mtu=1500
    ),
)
PEERS = (Peer(vni=42, host="h2", vtep=VTEP), Peer(vni=42, host="h3", vtep=None, expired=1.0))
DB = Remote(id="db", vni=42, host="h2", vtep=VTEP, mac="02:00:00:00:00:02")
POOL = pool("172.30.0.0/24")
STATE = state_of(LAN, WEB, PORT, BLUE, *PEERS, DB, POOL, block(POOL, 0, 1, 2))
EVIL = 'a"b\\c\n{d}'


def traffic(first: int) -> Traffic:
    names = ("received_packets", "sent_packets", "received_bytes", "sent_bytes")
    numbers = {name: first + place for place, name in enumerate(names)}
    return Traffic(index=1, peer=2, received_drops=first + 4, sent_drops=first + 5, **numbers)


def text(*errors: str) -> str:
    """All metrics of the State, with each kind of thing counted once at least."""
    for durations in (counts.CONVERGES, counts.COMMITS, counts.TRANSACTIONS):
        durations.note(0.1)
    counts.REQUESTS.note(0.1, "NetworkDriver.Join")
    counts.ERRORS.add("NetworkDriver.Join", "400")
    counts.DRIFT.add("missing")
    seen = {WEB.host_end: traffic(10), LAN.bridge: traffic(20)}
    seen[f"px-{BLUE.id[:12]}"] = traffic(30)
    live = Live(
        topology=lambda: topology(STATE, host="h1", version="1", namespace=""),
        last=lambda: Difference(errors=errors),
        traffic=lambda: seen,
        names=lambda: Names(networks={LAN.id: "lan"}, containers={WEB.id: EVIL}),
    )
    return Metrics(live).text().decode()


NAMES = {
    sample.name for family in text_string_to_metric_families(text()) for sample in family.samples
}


def test_a_container_receives_what_its_pair_has_sent() -> None:
    labels = (EVIL, WEB.id[:12], LAN.id[:12], "lan")
    assert samples(text(), "pyflat_endpoint_receive_bytes_total") == {labels: 13}
    assert samples(text(), "pyflat_endpoint_transmit_bytes_total") == {labels: 12}
    assert samples(text(), "pyflat_endpoint_receive_drops_total") == {labels: 15}
    assert samples(text(), "pyflat_network_transmit_packets_total") == {(LAN.id[:12], "lan"): 20}


def test_a_tunnel_receives_what_its_device_has_received() -> None:
    labels = (BLUE.id[:12], "")
    assert samples(text(), "pyflat_tunnel_receive_bytes_total") == {labels: 32}


def test_what_state_holds_is_there() -> None:
    blue = BLUE.id[:12]
    assert samples(text(), "pyflat_networks") == {(): 2}
    assert samples(text(), "pyflat_endpoints") == {(LAN.id[:12], "lan"): 1, (blue, ""): 0}
    assert samples(text(), "pyflat_peers") == {(blue, "", "alive"): 1, (blue, "", "expired"): 1}
    assert samples(text(), "pyflat_remote_endpoints") == {(blue, ""): 1}
    assert samples(text(), "pyflat_pool_addresses_used") == {("172.30.0.0/24", "PyflatLocal"): 3}
    assert samples(text(), "pyflat_pool_addresses") == {("172.30.0.0/24", "PyflatLocal"): 256}


def test_health_is_a_number() -> None:
    assert samples(text(), "pyflat_healthy") == {(): 1}
    assert samples(text("port tcp 80: taken"), "pyflat_healthy") == {(): 0}


def test_buckets_of_a_histogram_only_grow_up_to_its_count() -> None:
    written = text()
    buckets = samples(written, "pyflat_commit_seconds_bucket")
    ordered = [buckets[bound,] for (bound,) in sorted(buckets, key=lambda b: float(b[0]))]
    assert ordered == sorted(ordered)
    assert ordered[-1] == samples(written, "pyflat_commit_seconds_count")[()]


def test_each_query_of_the_dashboard_names_metrics_that_exist() -> None:
    board = json.loads((ROOT / "contrib/grafana/pyflat.json").read_text())
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    assert len(queries) > 10
    named = {name for query in queries for name in re.findall(r"\b(?:pyflat|process)_\w+", query)}
    assert named - NAMES == set()
    assert all("pyflat_" in query or "process_" in query for query in queries)


def test_every_metric_has_its_line_in_the_docs() -> None:
    page = (ROOT / "docs/metrics.md").read_text()
    listed = set(re.findall(r"`(pyflat_\w+)`", page))
    suffixes = re.compile(r"_(bucket|count|sum)$")
    assert listed == {suffixes.sub("", name) for name in NAMES if name.startswith("pyflat_")}


def test_without_the_setting_its_libraries_are_not_even_imported() -> None:
    code = (
        "import sys, pyflat.app, pyflat.cli, pyflat.serve\n"
        "print([name for name in ('prometheus_client', 'wsgiref', 'pyflat.report.web',"
        " 'pyflat.report.live') if name in sys.modules])"
    )
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
