"""Published ports are held: nobody else can bind them, whatever options they set."""

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
from tests.support import dockerd, witness
from tests.support.dockerd import docker_id
from tests.support.machine import Machine

from pyflat.errors import Conflict

pytestmark = pytest.mark.quick

LAN, WEB = docker_id("lan"), docker_id("web")
NETWORK = dockerd.create_network(LAN, "172.30.0.0/24", "fd00::/64")
TYPES = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
OPTIONS = {
    "no option": (),
    "SO_REUSEADDR": (socket.SO_REUSEADDR,),
    "SO_REUSEPORT": (socket.SO_REUSEPORT,),
    "both": (socket.SO_REUSEADDR, socket.SO_REUSEPORT),
}


def bind(protocol: str, host: str, port: int, *options: int) -> socket.socket:
    """Bind a socket as a stranger does who wants the port for himself."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    stranger = socket.socket(family, TYPES[protocol])
    try:
        for option in options:
            stranger.setsockopt(socket.SOL_SOCKET, option, 1)
        if family == socket.AF_INET6:
            stranger.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        stranger.bind((host, port))
        if protocol == "tcp":
            stranger.listen()
    except OSError:
        stranger.close()
        raise
    return stranger


def can_bind(protocol: str, host: str, port: int, *options: int) -> bool:
    try:
        bind(protocol, host, port, *options).close()
    except OSError:
        return False
    return True


def publish(machine: Machine, *ports: str) -> None:
    machine.send(NETWORK, *dockerd.run(LAN, WEB, "172.30.0.2/24", *ports, v6="fd00::2/64"))


@pytest.mark.parametrize("protocol", TYPES)
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_nobody_can_bind_a_published_port(
    machine: Machine, protocol: str, options: tuple[int, ...]
) -> None:
    publish(machine, f"8080:80/{protocol}")
    for host in ("0.0.0.0", "127.0.0.1", "::", "::1"):
        assert not can_bind(protocol, host, 8080, *options), host
    machine.send(dockerd.revoke(LAN, WEB))
    for host in ("0.0.0.0", "127.0.0.1", "::", "::1"):
        assert can_bind(protocol, host, 8080, *options), host


def test_a_port_is_held_in_its_own_protocol_and_family_only(machine: Machine) -> None:
    publish(machine, "0.0.0.0:8080:80", "[::]:8081:80/udp", "127.0.0.1:8082:80")
    assert not can_bind("tcp", "0.0.0.0", 8080)
    assert can_bind("tcp", "::", 8080)
    assert can_bind("udp", "0.0.0.0", 8080)
    assert not can_bind("udp", "::", 8081)
    assert can_bind("udp", "0.0.0.0", 8081)
    assert not can_bind("tcp", "127.0.0.1", 8082)
    assert can_bind("tcp", "127.0.0.2", 8082)


def test_a_held_port_does_not_listen(machine: Machine) -> None:
    publish(machine, "127.0.0.1:8080:80")
    assert witness.run("ss", "-H", "-n", "-l", "-t") == ""
    witness.run("nft", "flush ruleset")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", 8080))


@pytest.fixture(params=list(OPTIONS))
def stranger(machine: Machine, request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    with closing(bind("tcp", "127.0.0.1", 8080, *OPTIONS[request.param])) as stranger:
        yield stranger


def test_a_port_that_somebody_has_is_refused_and_nothing_is_left(
    machine: Machine, stranger: socket.socket
) -> None:
    machine.send(NETWORK, *dockerd.run(LAN, WEB, "172.30.0.2/24"))
    before = witness.ruleset()
    with pytest.raises(Conflict, match="8080/tcp"):
        machine.send(dockerd.program(LAN, WEB, "8079:79", "8080:80"))
    assert witness.ruleset() == before
    assert can_bind("tcp", "0.0.0.0", 8079)
    stranger.close()
    machine.send(dockerd.program(LAN, WEB, "8079:79", "8080:80"))
    assert not can_bind("tcp", "0.0.0.0", 8079)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_a_udp_port_that_somebody_has_is_refused(
    machine: Machine, options: tuple[int, ...]
) -> None:
    machine.send(NETWORK, *dockerd.run(LAN, WEB, "172.30.0.2/24"))
    with closing(bind("udp", "127.0.0.1", 53, *options)), pytest.raises(Conflict, match="53/udp"):
        machine.send(dockerd.program(LAN, WEB, "53:53/udp"))


@pytest.mark.parametrize("host", ["10.1.2.3", "2001:db8::1"])
def test_an_address_that_the_host_does_not_have_yet_is_held(
    machine: Machine, host: str, caplog: pytest.LogCaptureFixture
) -> None:
    publish(machine, f"[{host}]:8080:80" if ":" in host else f"{host}:8080:80")
    assert f"port 8080/tcp of {host}: the host has no such address yet" in caplog.text
    witness.run("ip", "address", "add", host, "dev", "lo")
    assert not can_bind("tcp", host, 8080)


def test_a_range_skips_what_somebody_has(machine: Machine, stranger: socket.socket) -> None:
    publish(machine, "8080-8082:80")
    assert witness.elements("anyport4")[0][0] == {"concat": ["tcp", 8081]}
    assert not can_bind("tcp", "0.0.0.0", 8081)
    assert can_bind("tcp", "0.0.0.0", 8082)


def test_a_server_that_has_just_ended_does_not_keep_its_port(machine: Machine) -> None:
    machine.send(NETWORK, *dockerd.run(LAN, WEB, "172.30.0.2/24"))
    with closing(bind("tcp", "127.0.0.1", 8080, socket.SO_REUSEADDR)) as server:
        client = socket.create_connection(("127.0.0.1", 8080))
        accepted, _ = server.accept()
        accepted.close()
        client.recv(1)
        client.close()
    assert "TIME-WAIT" in witness.run("ss", "-n", "-a", "-t")
    machine.send(dockerd.program(LAN, WEB, "8080:80"))
    assert not can_bind("tcp", "127.0.0.1", 8080, socket.SO_REUSEADDR)


def test_a_stranger_who_bound_a_port_first_but_listens_later_does_not_get_it(
    machine: Machine,
) -> None:
    with closing(socket.socket()) as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind(("127.0.0.1", 8080))
        publish(machine, "8080:80")
        with pytest.raises(OSError, match="in use"):
            stranger.listen()


def test_a_restart_holds_the_ports_again(machine: Machine) -> None:
    publish(machine, "8080:80", "53:53/udp")
    machine.kernel.close()
    assert can_bind("tcp", "0.0.0.0", 8080)
    machine.start()
    assert not can_bind("tcp", "0.0.0.0", 8080)
    assert not can_bind("udp", "::", 53)


def test_a_port_taken_meanwhile_keeps_its_mapping_and_is_had_back_later(machine: Machine) -> None:
    publish(machine, "127.0.0.1:8080:80")
    mapping = witness.elements("port4")
    machine.kernel.close()
    with closing(bind("tcp", "127.0.0.1", 8080)):
        machine.start()
        assert witness.elements("port4") == mapping
        assert len(machine.pending()) == 1
    machine.engine.converge()
    assert machine.pending() == []
    assert not can_bind("tcp", "127.0.0.1", 8080)


def test_a_thousand_ports_are_held_and_let_go(machine: Machine) -> None:
    ports = range(20000, 21000)
    publish(machine, *(f"127.0.0.1:{port}:{port}" for port in ports))
    assert witness.elements("span4") == [
        [{"concat": ["tcp", "127.0.0.1", {"range": [20000, 20999]}]}, "172.30.0.2"]
    ]
    assert machine.pending() == []
    assert not any(can_bind("tcp", "127.0.0.1", port) for port in ports)
    machine.send(dockerd.revoke(LAN, WEB))
    assert all(can_bind("tcp", "127.0.0.1", port) for port in ports)
