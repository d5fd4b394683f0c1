"""Ports whose endpoint ends in any order of requests: each is free again, and stays so."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import permutations, product

import pytest
from tests.docker.binding import Bind, bindable
from tests.docker.plugin import send
from tests.docker.portmap import published
from tests.docker.traces import assert_same, traces
from tests.support import dockerd
from tests.support.dockerd import Call, docker_id

from dockerlab.host import Host

pytestmark = pytest.mark.engine("28.5")

LAN, WEB = docker_id("lan"), docker_id("web")
PORTS = ("81:80", "82:80/udp")
Ending = Callable[[str, str], Call]
ENDINGS: dict[str, Ending] = {
    "Revoke": dockerd.revoke,
    "Leave": dockerd.leave,
    "DeleteEndpoint": dockerd.delete_endpoint,
}
ORDERS = [*((name,) for name in ENDINGS), *permutations(ENDINGS)]


@pytest.fixture
def published_host(host: Host) -> Iterator[Host]:
    """A host whose plugin has an endpoint with ports; it is left without a trace."""
    before = traces(host)
    send(host, dockerd.create_network(LAN, "172.30.0.0/24", "fd30::/64"))
    send(host, *dockerd.run(LAN, WEB, "172.30.0.2/24", *PORTS, v6="fd30::2/64"))
    yield host
    send(host, dockerd.delete_endpoint(LAN, WEB), dockerd.delete_network(LAN))
    assert_same(host, before)


def _free(host: Host, *ports: int) -> list[str]:
    """Which of the ports a program can have with each protocol on each family, as "tcp 81"."""
    kinds = {"SOCK_STREAM": "tcp", "SOCK_DGRAM": "udp"}
    binds = [
        Bind(address, kind, "SO_REUSEADDR", port)
        for port, kind, address in product(ports, kinds, ("0.0.0.0", "::"))
    ]
    free = Counter(f"{kinds[bind.kind]} {bind.port}" for bind in bindable(host, *binds))
    assert set(free.values()) <= {2}
    return sorted(free)


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_a_port_is_free_after_any_ending_however_often_it_comes(
    published_host: Host, order: Sequence[str]
) -> None:
    host = published_host
    assert _free(host, 81, 82) == ["tcp 82", "udp 81"]
    for name in order:
        call = ENDINGS[name](LAN, WEB)
        send(host, call, call)
        assert (published(host), published(host, 6)) == ({}, {})
        assert _free(host, 81, 82) == ["tcp 81", "tcp 82", "udp 81", "udp 82"]


def test_ports_that_are_asked_for_anew_replace_those_before(published_host: Host) -> None:
    host = published_host
    send(host, dockerd.program(LAN, WEB, "81:81", "83:80"))
    assert published(host) == {"tcp 81": "172.30.0.2 81", "tcp 83": "172.30.0.2 80"}
    assert published(host, 6) == {"tcp 81": "fd30::2 81", "tcp 83": "fd30::2 80"}
    assert _free(host, 81, 82, 83) == ["tcp 82", "udp 81", "udp 82", "udp 83"]
