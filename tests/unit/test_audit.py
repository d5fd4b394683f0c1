"""The log says what was made and removed, a line for each change."""

import logging
from dataclasses import replace
from typing import Any

import pytest
from netaddr import IPAddress
from tests.support import dockerd
from tests.support.dockerd import docker_id
from tests.support.host import Host
from tests.support.records import binding, endpoint, network, pool, publication

from pyflat.model import Record
from pyflat.peers import Peer
from pyflat.report.audit import NAMED, Audit, event_of

LAN = network("lan", "172.30.0.0/24")
WEB = endpoint("web", LAN, "172.30.0.2/24")
PORTS = publication(WEB, binding("0.0.0.0", 8080, "172.30.0.2"))
PEER = Peer(vni=42, host="h2", vtep=IPAddress("192.0.2.12"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (None, LAN, "network made"),
        (LAN, None, "network removed"),
        (LAN, replace(LAN, internal=True), None),
        (None, WEB, "endpoint made"),
        (WEB, replace(WEB, sandbox="/run/x"), "endpoint joined"),
        (replace(WEB, sandbox="/run/x"), replace(WEB, sandbox=""), "endpoint left"),
        (WEB, replace(WEB, names=("web",)), None),
        (WEB, None, "endpoint removed"),
        (None, PORTS, "ports published"),
        (PORTS, None, "ports withdrawn"),
        (PORTS, publication(WEB, binding("0.0.0.0", 81, "172.30.0.2")), "ports changed"),
        (None, pool("10.0.0.0/24"), "pool made"),
        (pool("10.0.0.0/24"), replace(pool("10.0.0.0/24"), references=2), None),
        (pool("10.0.0.0/24"), None, "pool removed"),
        (None, PEER, "host made"),
        (PEER, replace(PEER, expired=1.0), "host is not heard of"),
        (replace(PEER, expired=1.0), PEER, "host is heard of again"),
        (PEER, None, "host removed"),
    ],
)
def test_what_has_become_of_a_record(
    old: Record | None, new: Record | None, message: str | None
) -> None:
    event = event_of(old, new)
    assert (event[0] if event else None) == message


def test_ids_are_short_and_ports_are_named() -> None:
    event = event_of(None, PORTS)
    assert event is not None
    assert event[1] == {
        "endpoint": docker_id("web")[:12],
        "ports": ("0.0.0.0:8080->172.30.0.2:80/tcp",),
    }


def test_a_thousand_ports_are_a_line_that_can_be_read() -> None:
    many = publication(WEB, *(binding("::", 1000 + n, "fd00::2") for n in range(1000)))
    event = event_of(None, many)
    assert event is not None
    ports = event[1]["ports"]
    assert len(ports) == NAMED + 1
    assert (ports[0], ports[-1]) == ("[::]:1000->[fd00::2]:80/tcp", f"and {1000 - NAMED} more")


def test_each_change_is_told_once_and_in_order(caplog: pytest.LogCaptureFixture) -> None:
    host = Host()
    host.engine.subscribe(Audit(host.engine).follow)
    lan, web = docker_id("lan"), docker_id("web")
    with caplog.at_level(logging.INFO):
        host.send_all([dockerd.create_network(lan, "172.30.0.0/24")] * 2)
        host.send_all(dockerd.run(lan, web, "172.30.0.2/24", "8080:80"))
        host.send_all(dockerd.stop(lan, web))
        host.send(dockerd.delete_network(lan))
    lines = [r for r in caplog.records if r.name == "pyflat.report.audit"]
    assert [line.message for line in lines] == [
        *("network made", "endpoint made", "endpoint joined", "ports published"),
        *("ports withdrawn", "endpoint left", "endpoint removed", "network removed"),
    ]
    about: list[dict[str, Any]] = [getattr(line, "about") for line in lines]  # noqa: B009
    assert {each["network"] for each in about if "network" in each} == {lan[:12]}


def test_nothing_is_told_to_who_wants_warnings_only(caplog: pytest.LogCaptureFixture) -> None:
    host = Host()
    host.engine.subscribe(Audit(host.engine).follow)
    with caplog.at_level(logging.WARNING, "pyflat"):
        host.send(dockerd.create_network(docker_id("lan"), "172.30.0.0/24"))
    assert caplog.records == []
