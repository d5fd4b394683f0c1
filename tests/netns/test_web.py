"""Metrics, health and the page's data, as a real plugin serves them on a TCP address."""

import json
import os
import signal
import socket
import time
from collections.abc import Iterator

import pytest
from tests.support import dockerd, witness
from tests.support.dockerd import docker_id
from tests.support.host import ROUTES
from tests.support.inhabited import inside, settle
from tests.support.namespaces import container_namespace
from tests.support.news import segment
from tests.support.serving import Serving, serving
from tests.support.tcp_http import fetch, read_json, samples
from tests.support.underlay import add_segment, overlay_host

from pyflat.report import listener
from pyflat.report.live import Meter

PLACE = ("127.0.0.1", 9470)
WEB_SETTING = "127.0.0.1:9470"
LAN, WEB, NEAR = docker_id("lan"), docker_id("web"), docker_id("near")
RUNNING = (
    dockerd.create_network(LAN, "172.30.0.0/24"),
    *dockerd.run(LAN, WEB, "172.30.0.2/24", "127.0.0.1:8080:80"),
)


@pytest.fixture
def plugin(namespace: None) -> Iterator[Serving]:
    with serving() as plugin:
        yield plugin


@pytest.fixture
def shown(plugin: Serving) -> Serving:
    plugin.up_with_log(web=WEB_SETTING)
    assert witness.eventually(answers)
    return plugin


def answers() -> bool:
    try:
        return fetch(PLACE, "/healthz").status in {200, 503}
    except OSError:
        return False


def test_no_way_of_the_driver_leads_there(shown: Serving) -> None:
    paths = [*ROUTES, "/Pyflat.ForgetHost", "/plan", "/topology"]
    assert {fetch(PLACE, path).status for path in paths} == {404}
    assert {fetch(PLACE, path, "POST").status for path in paths} == {405}
    assert shown.records() == []


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz", "/topology.json"])
def test_it_can_only_be_read(shown: Serving, path: str) -> None:
    for verb in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        assert fetch(PLACE, path, verb).status in {405, 501}
    whole, head = fetch(PLACE, path), fetch(PLACE, path, "HEAD")
    assert (whole.status, head.status, head.text) == (200, 200, "")
    assert int(head.headers["Content-Length"]) > 0
    assert "default-src 'none'" in whole.headers["Content-Security-Policy"]
    assert whole.headers["X-Content-Type-Options"] == "nosniff"


def test_a_page_elsewhere_whose_name_leads_here_is_refused(shown: Serving) -> None:
    asked = {host: fetch(PLACE, "/metrics", Host=host).status for host in HOSTS}
    assert asked == HOSTS


HOSTS = {
    "evil.example": 403,
    "evil.example:9470": 403,
    "127.0.0.1.evil.example": 403,
    "": 403,
    "localhost:9470": 200,
    "127.0.0.1:9470": 200,
    "[::1]:9470": 200,
}


def test_without_the_setting_nothing_listens(plugin: Serving) -> None:
    plugin.up()
    listening = witness.run("ss", "-Hltn")
    assert listening == ""


@pytest.fixture
def two(shown: Serving) -> Iterator[tuple[str, str]]:
    """The namespaces of two containers of a network."""
    shown.send(*RUNNING, *dockerd.run(LAN, NEAR, "172.30.0.3/24"))
    with container_namespace() as web, container_namespace() as near:
        settle(web, WEB, "172.30.0.2/24")
        settle(near, NEAR, "172.30.0.3/24")
        yield web, near


def test_traffic_is_that_of_the_container_and_as_ip_counts_it(two: tuple[str, str]) -> None:
    web, _ = two
    inside(web, "ping", "-c", "5", "-i", "0.01", "-s", "1000", "172.30.0.3")
    # Neighbours are still being asked after: a count between two equal ones of the kernel's.
    for _ in range(20):
        before = counters(f"pv-{WEB[:12]}")
        text = fetch(PLACE, "/metrics").text
        if before == counters(f"pv-{WEB[:12]}"):
            break
    else:
        pytest.fail("there is traffic all the time")
    for way, own in (("receive", "tx"), ("transmit", "rx")):
        for unit, field in (("bytes", "bytes"), ("packets", "packets"), ("drops", "dropped")):
            (value,) = of(text, f"pyflat_endpoint_{way}_{unit}_total", WEB)
            assert value == before[own][field], (way, unit)
    (sent,) = of(text, "pyflat_endpoint_transmit_bytes_total", WEB)
    assert sent > 5 * 1000
    (through,) = of(text, "pyflat_network_receive_bytes_total", LAN)
    assert through < 5 * 1000


def test_what_lies_in_the_namespace_of_overlays_is_counted_too(container: str, other: str) -> None:
    add_segment(other)
    with overlay_host("inside") as machine:
        meter = Meter()
        machine.kernel.follow_inside(meter.add)
        machine.hear(segment(42, "172.30.0.0/24"))
        machine.send(
            dockerd.create_network(LAN, "172.30.0.0/24", labels={"vni": "42"}),
            dockerd.create_endpoint(LAN, WEB, "172.30.0.2/24", mac="02:42:00:00:00:02"),
            dockerd.join(LAN, WEB),
        )
        settle(container, WEB, "172.30.0.2/24")
        inside(container, "ping", "-c", "3", "-i", "0.01", "-s", "1000", "172.30.0.1")
        traffic = meter.read()
        assert {f"{kind}-{LAN[:12]}" for kind in ("pf", "pb", "px")} <= set(traffic)
        assert traffic[f"pv-{WEB[:12]}"].received_bytes > 3000
        assert traffic[f"pf-{LAN[:12]}"].sent_bytes > 3000


def counters(name: str) -> dict[str, dict[str, int]]:
    (link,) = json.loads(witness.run("ip", "-s", "-j", "link", "show", name))
    found: dict[str, dict[str, int]] = link["stats64"]
    return found


def of(text: str, name: str, identifier: str) -> list[float]:
    found = samples(text, name)
    return [value for labels, value in found.items() if identifier[:12] in labels]


def test_what_is_held_and_done_is_counted(two: tuple[str, str], shown: Serving) -> None:
    refused = dockerd.create_network(docker_id("dmz"), "172.30.0.128/25")
    with pytest.raises(AssertionError):
        shown.send(refused)
    text = fetch(PLACE, "/metrics").text
    assert samples(text, "pyflat_request_seconds_count")["NetworkDriver.Join",] == 2
    assert samples(text, "pyflat_request_errors_total") == {
        ("NetworkDriver.CreateNetwork", "400"): 1
    }
    assert samples(text, "pyflat_networks") == {(): 1}
    assert list(samples(text, "pyflat_endpoints").values()) == [2]
    assert samples(text, "pyflat_published_ports") == {("tcp",): 1}
    assert samples(text, "pyflat_healthy") == {(): 1}
    for name in ("commit", "nft_transaction", "converge"):
        assert samples(text, f"pyflat_{name}_seconds_count")[()] > 0, name
    buckets = samples(text, "pyflat_commit_seconds_bucket")
    assert buckets["+Inf",] == samples(text, "pyflat_commit_seconds_count")[()]


def test_a_repair_is_counted(shown: Serving) -> None:
    shown.send(*RUNNING)
    witness.run("ip", "link", "set", f"pf-{LAN[:12]}", "down")
    assert witness.eventually(
        lambda: samples(fetch(PLACE, "/metrics").text, "pyflat_repairs_total")[()] == 1
    )
    assert samples(fetch(PLACE, "/metrics").text, "pyflat_drift_total")["changed",] >= 1


def test_workers_are_counted_over_their_ends(shown: Serving) -> None:
    os.kill(shown.worker, signal.SIGKILL)
    assert witness.eventually(shown.answers)
    assert witness.eventually(answers)
    assert samples(fetch(PLACE, "/metrics").text, "pyflat_worker_starts_total") == {(): 2}


def test_what_cannot_be_mended_is_no_health_and_says_why(plugin: Serving) -> None:
    master = plugin.up()
    plugin.send(*RUNNING)
    master.terminate()
    master.wait()
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 8080))
        plugin.up_with_log(web=WEB_SETTING)
        assert witness.eventually(answers)
        reply = fetch(PLACE, "/healthz")
        assert (reply.status, "8080" in reply.text) == (503, True), reply.text
        assert samples(fetch(PLACE, "/metrics").text, "pyflat_healthy") == {(): 0}


def test_a_host_without_a_lease_is_not_healthy_and_no_secret_is_told(plugin: Serving) -> None:
    password = plugin.state.with_name("password")
    password.write_text("hush-hush\n")
    settings = {
        "web": WEB_SETTING,
        "cluster": "etcd://127.0.0.1:9",
        "cluster-user": "pyflat",
        "cluster-password-file": str(password),
        "log-level": "debug",
    }
    plugin.up_with_log(**settings)
    assert witness.eventually(answers)
    assert witness.eventually(lambda: "etcd" in fetch(PLACE, "/healthz").text)
    reply = fetch(PLACE, "/healthz")
    assert reply.status == 503
    assert "this host has no lease: " in reply.text
    told = [fetch(PLACE, path).text for path in ("/healthz", "/metrics", "/topology.json")]
    assert "hush-hush" not in "".join([plugin.log.read_text(), *told])


def test_an_address_that_is_taken_keeps_nobody_waiting_and_is_had_when_it_is_free(
    plugin: Serving,
) -> None:
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind(PLACE)
        stranger.listen()
        plugin.up_with_log(web=WEB_SETTING)
        plugin.send(*RUNNING)
        line = "metrics and page are not on 127.0.0.1 port 9470 yet: "
        assert witness.eventually(lambda: line in plugin.log.read_text())
    assert witness.eventually(answers, listener.RETRY + 2)


def test_an_address_that_comes_later_is_served(plugin: Serving) -> None:
    plugin.up_with_log(web="[fd00::9]:9470")
    witness.run("ip", "address", "add", "fd00::9/128", "dev", "lo", "nodad")
    reply = fetch(("fd00::9", 9470), "/healthz", Host="metrics.example")
    assert (reply.status, reply.text) == (200, "ok\n")


def test_many_slow_clients_end_and_the_driver_answers_meanwhile(shown: Serving) -> None:
    slow = [socket.create_connection(PLACE) for _ in range(listener.THREADS + 4)]
    try:
        time.sleep(0.2)
        start = time.monotonic()
        shown.send(*RUNNING)
        assert time.monotonic() - start < 2
        # More than may be served at once are turned away.
        assert is_closed(slow[-1])
        assert not is_closed(slow[0])
        # It never stops sending, and never comes to an end.
        slow[0].sendall(b"GET / HTTP/1.1\r\nX: ")
        assert witness.eventually(lambda: is_dropped(slow[0]), listener.PATIENCE + 3)
        assert time.monotonic() - start > listener.PATIENCE - 2
    finally:
        for client in slow:
            client.close()
    assert witness.eventually(answers)


def is_closed(client: socket.socket) -> bool:
    client.settimeout(0.2)
    try:
        return client.recv(1) == b""
    except TimeoutError:
        return False


def is_dropped(client: socket.socket) -> bool:
    """Send a little more, and say whether the other side has ended."""
    try:
        client.sendall(b"x")
        return is_closed(client)
    except (BrokenPipeError, ConnectionResetError):
        return True


BEGIN = b"GET / HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (BEGIN + b"X: " + b"x" * (listener.LARGEST + 1000) + b"\r\n\r\n", b"431"),
        (BEGIN + b"X: x\r\n" * 99 + b"X: " + b"x" * listener.LARGEST + b"\r\n\r\n", b"431"),
        (BEGIN + b"X: x\r\n" * 200 + b"\r\n", b"431"),
        (b"GET /" + b"x" * (1 << 17) + b" HTTP/1.1\r\n\r\n", b""),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b""),
        (b"\0\0\0\0\r\n\r\n", b""),
    ],
    ids=["long header", "long head", "many headers", "long path", "TLS", "zeros"],
)
def test_what_is_no_small_request_is_refused(shown: Serving, sent: bytes, status: bytes) -> None:
    with socket.create_connection(PLACE, 5) as client:
        try:
            client.sendall(sent)
            answer = client.recv(1 << 16)
        except (BrokenPipeError, ConnectionResetError):
            answer = b""
    assert b" 200 " not in answer
    assert status in answer
    assert answers()
    assert "Traceback" not in shown.log.read_text()


def test_topology_and_traffic_are_of_the_same_interfaces(two: tuple[str, str]) -> None:
    (lan,) = read_json(PLACE, "/topology.json")["networks"]
    ends = {endpoint["host_end"] for endpoint in lan["endpoints"]}
    traffic = read_json(PLACE, "/traffic.json")["interfaces"]
    assert set(traffic) == ends | {lan["bridge"]}
    assert traffic[f"pv-{WEB[:12]}"]["index"] == witness.links()[f"pv-{WEB[:12]}"]["ifindex"]
