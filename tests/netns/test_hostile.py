"""What no dockerd would send to ``pyflat serve``: refused, and forgotten without a trace."""

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.support import dockerd, witness
from tests.support.dockerd import Call, docker_id
from tests.support.namespaces import fresh_namespace
from tests.support.serving import ACTIVATE, Serving, open_files, serving, threads_of
from tests.support.unix_http import dial, exchange, post

from pyflat.api.http import LARGEST, LONGEST
from pyflat.deadline import PATIENCE, THREADS

LAN, WEB = docker_id("lan"), docker_id("web")
RUNNING = (
    dockerd.create_network(LAN, "172.30.0.0/24"),
    *dockerd.run(LAN, WEB, "172.30.0.2/24", "127.0.0.1:8080:80"),
)
JOIN = "/NetworkDriver.Join"
ACTIVATION = b"POST /Plugin.Activate HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
#: Seconds that dockerd's own requests may take meanwhile.
AT_ONCE = 3.0


@pytest.fixture(scope="module")
def plugin() -> Iterator[Serving]:
    with fresh_namespace(), serving() as plugin:
        plugin.up_with_log()
        plugin.send(*RUNNING)
        yield plugin


@pytest.fixture(autouse=True)
def unharmed(plugin: Serving) -> Iterator[None]:
    """Whatever a test sends, the same process has the same files, State and kernel after it."""
    worker, files, before = plugin.worker, open_files(plugin.worker), picture(plugin)
    yield
    assert plugin.worker == worker
    assert answered_at_once(plugin)
    # Fewer, if a connection of before was not closed yet when they were counted.
    assert witness.eventually(lambda: open_files(worker) <= files), open_files(worker)
    assert threads_of(worker) < THREADS + 20
    assert picture(plugin) == before
    assert "Traceback" not in plugin.log.read_text()


def picture(plugin: Serving) -> object:
    return witness.links(), witness.ruleset(), plugin.records()


def answered_at_once(plugin: Serving) -> bool:
    start = time.monotonic()
    plugin.send(ACTIVATE)
    return time.monotonic() - start < AT_ONCE


def request(path: str, body: bytes, *headers: str) -> bytes:
    lines = (f"POST {path} HTTP/1.1", "Host: a", *headers, f"Content-Length: {len(body)}", "", "")
    return "\r\n".join(lines).encode() + body


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def status_of(answer: bytes) -> int:
    assert b"Traceback" not in answer
    return int(answer.split(maxsplit=2)[1])


CHUNKED = b"POST %s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\0\xff" * 50 + b"\r\n\r\n", 400),
        (b"POST /Plugin.Activate\r\n\r\n", 400),
        (b"POST /Plugin.Activate HTTP/9.9\r\nHost: a\r\n\r\n", 400),
        (b"GET /Plugin.Activate HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (b"BREW /Plugin.Activate HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (request("/NetworkDriver.Explode", b"{}"), 404),
        (request("/%00/../../etc/passwd", b"{}"), 404),
        (request("/" + "a" * 100_000, b"{}"), 414),
        (request("/Plugin.Activate", b"", "Long: " + "a" * 100_000), 431),
        (request("/Plugin.Activate", b"", *["Many: a"] * 500), 431),
        (request("/Plugin.Activate", b"", "Bad\0Name: a"), 400),
        (request("/Plugin.Activate", b"", "Content-Length: 5"), 400),
        (b"POST /Plugin.Activate HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /Plugin.Activate HTTP/1.1\r\nHost: a\r\nContent-Length: 1e9\r\n\r\n", 400),
        (request("/Plugin.Activate", b"", "Transfer-Encoding: chunked"), 400),
        (request("/Plugin.Activate", b"", "Transfer-Encoding: rot13"), 501),
        (CHUNKED % JOIN.encode() + b"no number\r\n", 400),
        (CHUNKED % JOIN.encode() + b"5\r\n{}aaaXX\r\n", 400),
    ],
    ids=lambda value: value if isinstance(value, int) else f"{value[:45]!r}, {len(value)} bytes",
)
def test_what_is_not_http_as_dockerd_speaks_it(plugin: Serving, sent: bytes, status: int) -> None:
    assert status_of(exchange(plugin.socket, sent)) == status


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe{}",
        b'{"NetworkID":' * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        json.dumps({"NetworkID": ["a" * 1000] * 30_000}).encode(),
        dockerd.join(LAN, "a" * (30 << 20)).body,
    ],
    ids=lambda body: f"{body[:20]!r}, {len(body)} bytes",
)
def test_bodies_that_are_not_meant(plugin: Serving, body: bytes) -> None:
    status, answer = post(plugin.socket, Call(JOIN, body))
    assert status == 400
    assert answer["Err"] == answer["Error"] != ""
    assert len(answer["Err"]) <= LONGEST
    assert plugin.log.stat().st_size < 1 << 20


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(plugin: Serving) -> None:
    headers = f"POST {JOIN} HTTP/1.1\r\nHost: a\r\nContent-Length: {LARGEST + 1}\r\n\r\n"
    answer = exchange(plugin.socket, headers.encode())
    assert status_of(answer) == 400
    assert b"exceeds the capacity limit" in answer


def test_a_body_that_turns_out_to_be_too_large_is_refused(plugin: Serving) -> None:
    part = chunk(b"[" * (1 << 20))
    parts = [part] * ((LARGEST >> 20) + 1)
    assert status_of(exchange(plugin.socket, CHUNKED % JOIN.encode(), *parts)) == 400


def test_http_that_dockerd_does_not_speak_but_might(plugin: Serving) -> None:
    network = dockerd.create_network(LAN, "172.30.0.0/24")
    half = len(network.body) // 2
    chunks = (chunk(network.body[:half]), chunk(network.body[half:]), chunk(b""))
    head = CHUNKED % network.path.encode()
    assert status_of(exchange(plugin.socket, head, *chunks)) == 200
    old = request(network.path, network.body).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    assert status_of(exchange(plugin.socket, old)) == 200


def test_of_several_requests_at_once_the_first_is_carried_out_alone(plugin: Serving) -> None:
    second = request("/NetworkDriver.DeleteNetwork", json.dumps({"NetworkID": LAN}).encode())
    answer = exchange(plugin.socket, ACTIVATION + second)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"Connection: close" in answer


def test_a_request_that_is_cut_off_is_not_carried_out(plugin: Serving) -> None:
    whole = request("/NetworkDriver.DeleteNetwork", json.dumps({"NetworkID": LAN}).encode())
    for end in (1, len(whole) // 2, len(whole) - 1):
        dial(plugin.socket, whole[:end]).close()


#: What clients have sent that then say no more, or one byte a second.
UNFINISHED = (
    b"",
    b"POST /Plugin.Activate HTTP/1.1\r\nHost: a\r\nConte",
    f"POST {JOIN} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{{".encode(),
    CHUNKED % JOIN.encode() + b"5\r\n{",
)


def test_stalled_and_slow_clients_keep_nobody_waiting_and_are_ended(plugin: Serving) -> None:
    stalled = [dial(plugin.socket, sent) for sent in UNFINISHED * 7]
    slow = [dial(plugin.socket, sent) for sent in UNFINISHED[1:] * 7]
    # They have their answers, and hold on to their connections.
    lingering = [dial(plugin.socket, ACTIVATION) for _ in range(40)]
    end = time.monotonic() + PATIENCE + 3
    while time.monotonic() < end:
        assert answered_at_once(plugin)
        slow = [client for client in slow if takes(client, b"a")]
        time.sleep(1)
    assert slow == []
    for client in (*stalled, *lingering):
        client.settimeout(0.1)
        while client.recv(1 << 16):
            pass
        client.close()


def takes(client: socket.socket, data: bytes) -> bool:
    try:
        client.sendall(data)
    except OSError:
        client.close()
        return False
    return True


def test_more_clients_at_once_than_threads_are_all_answered(plugin: Serving) -> None:
    clients = [dial(plugin.socket) for _ in range(300)]
    for client in clients:
        client.sendall(ACTIVATION)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(read_all, clients))
    assert [answer.count(b'"Implements"') for answer in answers] == [1] * 300


def read_all(client: socket.socket) -> bytes:
    with client:
        return b"".join(iter(lambda: client.recv(1 << 16), b""))
