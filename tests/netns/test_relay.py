"""Ports on ::1: a program relays them, started by the first connection."""

import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.support import dockerd, witness
from tests.support.dockerd import docker_id
from tests.support.inhabited import answering, settle
from tests.support.machine import Machine

from pyflat.dataplane import relay
from pyflat.errors import BackendError

pytestmark = pytest.mark.quick

LAN, WEB = docker_id("lan"), docker_id("web")
OWN, OWN6 = "172.30.0.2/24", "fd00::2/64"
NETWORK = dockerd.create_network(LAN, "172.30.0.0/24", "fd00::/64")


@pytest.fixture
def web(machine: Machine, container: str) -> Iterator[Machine]:
    """A container with a server on port 80, and nothing published."""
    machine.send(NETWORK, *dockerd.run(LAN, WEB, OWN, v6=OWN6))
    settle(container, WEB, OWN, OWN6)
    with answering(container, 80, "web"):
        assert witness.eventually(lambda: ask("fd00::2", 80) is not None)
        yield machine


def ask(host: str, port: int) -> str | None:
    """What the server at an address answers; None if nobody is there."""
    try:
        with closing(socket.create_connection((host, port), timeout=3)) as connection:
            connection.sendall(b"who\n")
            return connection.recv(4096).decode().strip() or None
    except OSError:
        return None


def relays() -> list[int]:
    """The process ids of the relays of this process."""
    children = Path("/proc/self/task").glob("*/children")
    found = (int(word) for each in children for word in each.read_text().split())
    return [pid for pid in found if b"systemd-socket-proxyd" in cmdline(pid)]


def cmdline(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize("port", ["8080:80", "[::1]:8080:80", "[::]:8080:80"])
def test_a_port_answers_on_the_loopback_address_of_ipv6(web: Machine, port: str) -> None:
    web.send(dockerd.program(LAN, WEB, port))
    assert relays() == []
    assert [ask("::1", 8080) for _ in range(20)] == ["web fd00::1"] * 20
    assert len(relays()) == 1
    web.send(dockerd.revoke(LAN, WEB))
    assert relays() == []
    assert ask("::1", 8080) is None


def test_a_network_of_ipv4_is_reached_from_there_too(machine: Machine, container: str) -> None:
    machine.send(dockerd.create_network(LAN, "172.30.0.0/24"), *dockerd.run(LAN, WEB, OWN))
    settle(container, WEB, OWN)
    machine.send(dockerd.program(LAN, WEB, "[::1]:8080:80"))
    with answering(container, 80, "web"):
        assert witness.eventually(lambda: ask("::1", 8080) == "web ::ffff:172.30.0.1")
    assert ask("127.0.0.1", 8080) is None


def test_other_ports_have_no_relay(web: Machine) -> None:
    web.send(dockerd.program(LAN, WEB, "0.0.0.0:8080:80", "127.0.0.1:8081:80", "8082:80/udp"))
    assert witness.run("ss", "-H", "-n", "-l", "-t") == ""
    assert [ask("::1", port) for port in (8080, 8081, 8082)] == [None] * 3


def test_a_relay_that_is_killed_is_started_again(web: Machine) -> None:
    web.send(dockerd.program(LAN, WEB, "[::1]:8080:80"))
    assert ask("::1", 8080)
    (first,) = relays()
    os.kill(first, signal.SIGKILL)
    assert witness.eventually(lambda: ask("::1", 8080) == "web fd00::1")
    (second,) = relays()
    assert second != first


def test_a_relay_that_is_not_needed_ends(web: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "IDLE", "100ms")
    web.send(dockerd.program(LAN, WEB, "[::1]:8080:80"))
    assert ask("::1", 8080)
    assert witness.eventually(lambda: relays() == [])
    assert ask("::1", 8080)


def test_a_relay_has_no_rights(web: Machine) -> None:
    web.send(dockerd.program(LAN, WEB, "[::1]:8080:80"))
    assert ask("::1", 8080)
    (pid,) = relays()
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    facts = dict(line.split(":\t", 1) for line in status)
    assert set(facts["Uid"].split()) == set(facts["Gid"].split()) == {"65534"}
    assert int(facts["CapEff"], 16) == 0
    # The held port, the socket for it, and nothing else of the plugin's.
    descriptors = [str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir()]
    assert not any("pyflat" in name for name in descriptors)


def test_a_port_that_is_published_anew_leads_to_its_new_container(
    web: Machine, container: str
) -> None:
    web.send(dockerd.program(LAN, WEB, "[::1]:8080:81"))
    assert ask("::1", 8080) is None
    web.send(dockerd.program(LAN, WEB, "[::1]:8080:80"))
    assert ask("::1", 8080) == "web fd00::1"


def test_connections_that_have_ended_do_not_keep_the_port(web: Machine) -> None:
    web.send(dockerd.program(LAN, WEB, "[::1]:8080:80"))
    assert witness.eventually(relay_has_ended_a_connection)
    web.send(dockerd.revoke(LAN, WEB), dockerd.program(LAN, WEB, "[::1]:8080:80"))
    assert ask("::1", 8080) == "web fd00::1"


def relay_has_ended_a_connection() -> bool:
    """Connect, and see whether it was the relay that ended it: that end then waits a minute."""
    assert ask("::1", 8080)
    return witness.run("ss", "-Htn", "state", "time-wait", "sport", "=", ":8080") != ""


def test_the_port_of_a_relay_is_shared_with_nobody(web: Machine) -> None:
    web.send(dockerd.program(LAN, WEB, "[::1]:8080:80"))
    with socket.socket(socket.AF_INET6) as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="in use"):
            stranger.bind(("::1", 8080))


def test_without_the_program_the_address_is_refused_and_all_addresses_go_without(
    web: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "PROGRAM", Path("/nonexistent"))
    with pytest.raises(BackendError, match="8080/tcp of ::1 needs"):
        web.send(dockerd.program(LAN, WEB, "[::1]:8080:80"))
    web.send(dockerd.program(LAN, WEB, "8080:80"))
    assert ask("::1", 8080) is None
    assert ask("127.0.0.1", 8080) == "web ::ffff:172.30.0.1"


def test_a_relay_that_cannot_be_started_ends_the_connection_and_the_next_is_tried(
    web: Machine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as without:
        without.setattr(sys, "executable", "/nonexistent")
        web.send(dockerd.program(LAN, WEB, "[::1]:8080:80"))
        assert ask("::1", 8080) is None
        assert "no relay to fd00::2:80: " in caplog.text
    # One that comes while those that wait are closed is closed with them.
    assert witness.eventually(lambda: ask("::1", 8080) == "web fd00::1")
