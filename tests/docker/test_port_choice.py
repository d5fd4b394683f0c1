"""Host ports that pyflat chooses, whole ranges of them, and how well they are held."""

import sys

import pytest
from tests.docker.client import Docker
from tests.docker.portmap import ports_to, published
from tests.docker.reach import answering, ask, server_of
from tests.docker.traces import assert_same, traces

from dockerlab import Lab
from dockerlab.host import Host

SUBNET = "10.90.0.0/24"
DUAL = ("--ipv6", "--subnet", SUBNET, "--subnet", "fd90::/64")


def _ephemeral(host: Host) -> range:
    shown = host.run("sysctl", "-n", "net.ipv4.ip_local_port_range", check=True).stdout
    first, last = map(int, shown.split())
    return range(first, last + 1)


@pytest.mark.parametrize("words", [("--expose", "80", "-P"), ("-p", "80")], ids=["-P", "-p"])
def test_an_unnamed_port_is_an_ephemeral_one_that_the_map_tells(
    docker: Docker, lab: Lab, words: tuple[str, ...]
) -> None:
    host = docker.host
    blue = docker.network("blue", *DUAL)
    found = {}
    for name in ("one", "two"):
        container = docker.web(name, "--network", blue, *words)
        (found[name],) = ports_to(host, f"{container.address(blue)} 80")
        assert ports_to(host, f"{container.address(blue, 6)} 80", 6) == [found[name]]
    assert found["one"] != found["two"]
    assert set(found.values()) <= set(_ephemeral(host))
    for name, port in found.items():
        for address in (host.address4, host.address6):
            assert server_of(lab.outside, address, port) == name


@pytest.mark.engine("28.5")
def test_the_ephemeral_range_is_the_hosts(docker: Docker) -> None:
    host = docker.host
    before = _ephemeral(host)
    switch = "net.ipv4.ip_local_port_range"
    host.run("sysctl", "-qw", f"{switch}=40000 40001", check=True)
    try:
        # A change is noticed with the next one of the host's routes.
        host.pyflat.stop()
        host.pyflat.start()
        blue = docker.network("blue")
        for name in ("one", "two"):
            docker.web(name, "--network", blue, "-p", "80")
        assert set(published(host)) == {"tcp 40000", "tcp 40001"}
        error = docker.refused(*docker.words("three", "--network", blue, "-p", "80"))
        assert "40000-40001/tcp" in error
    finally:
        host.run("sysctl", "-qw", f"{switch}={before[0]} {before[-1]}", check=True)
        host.pyflat.stop()
        host.pyflat.start()


@pytest.mark.quick
def test_of_a_range_the_first_port_is_taken_that_nobody_has(docker: Docker, lab: Lab) -> None:
    host = docker.host
    blue = docker.network("blue", "--subnet", SUBNET)
    docker.web("legacy", "-p", "8001:80")
    docker.web("own", "--network", blue, "-p", "8002:80")
    with answering(host, 8000, "process"):
        web = docker.web("web", "--network", blue, "-p", "8000-8010:80")
        assert ports_to(host, f"{web.address(blue)} 80") == [8003]
        servers = [server_of(lab.outside, host.address4, port) for port in range(8000, 8004)]
    assert servers == ["process", "legacy", "own", "web"]


def test_a_range_to_a_range_leads_port_by_port(docker: Docker, lab: Lab) -> None:
    host = docker.host
    blue = docker.network("blue", *DUAL)
    web = docker.web("web", "--network", blue, "-p", "8000-8002:80-82", "-p", "8000:80/udp")
    own = web.address(blue)
    expected = {f"tcp {8000 + n}": f"{own} {80 + n}" for n in range(3)}
    assert published(host) == expected | {"udp 8000": f"{own} 80"}
    with answering(web, 82, "last"):
        assert server_of(lab.outside, host.address4, 8002) == "last"
        assert server_of(lab.outside, host.address6, 8002) == "last"
        assert server_of(lab.outside, host.address6, 8000) == "web"
        assert ask(lab.outside, host.address4, 8001, wait=1) is None


@pytest.mark.engine("28.5")
def test_two_hundred_ports_of_one_container_come_and_go(docker: Docker, lab: Lab) -> None:
    host = docker.host
    blue = docker.network("blue", *DUAL)
    before = traces(host)
    web = docker.web("web", "--network", blue, "-p", "9000-9199:9000-9199")
    own = web.address(blue)
    expected = {f"tcp {port}": f"{own} {port}" for port in range(9000, 9200)}
    assert published(host) == expected
    assert len(published(host, 6)) == 200
    with answering(web, 9199, "last"):
        assert server_of(lab.outside, host.address4, 9199) == "last"
        assert server_of(lab.outside, host.address6, 9199) == "last"
    docker("rm", "-f", "web")
    assert_same(host, before)


_BINDER = """
import socket, sys
address, kind, option = sys.argv[1], getattr(socket, sys.argv[2]), getattr(socket, sys.argv[3])
taker = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
taker.setsockopt(socket.SOL_SOCKET, option, 1)
if ":" in address:
    taker.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
taker.bind((address, int(sys.argv[4])))
"""


def _binds(host: Host, *words: str) -> bool:
    done = host.run(sys.executable, "-c", _BINDER, *words)
    assert done.returncode == 0 or "Address already in use" in done.stderr, done.stderr
    return done.returncode == 0


@pytest.mark.engine("28.5")
@pytest.mark.parametrize("option", ["SO_REUSEADDR", "SO_REUSEPORT"])
def test_a_held_port_is_shared_with_nobody(docker: Docker, option: str) -> None:
    host = docker.host
    blue = docker.network("blue", *DUAL)
    docker.web("web", "--network", blue, "-p", "81:80", "-p", "81:80/udp")
    addresses = ("0.0.0.0", "127.0.0.1", host.address4, "::", "::1", host.address6)
    for address in addresses:
        for kind in ("SOCK_STREAM", "SOCK_DGRAM"):
            assert not _binds(host, address, kind, option, "81"), (address, kind)
            assert _binds(host, address, kind, option, "83"), (address, kind)


@pytest.mark.engine("28.5")
@pytest.mark.parametrize("option", ["SO_REUSEADDR", "SO_REUSEPORT"])
def test_a_port_of_one_address_is_held_there(docker: Docker, option: str) -> None:
    host = docker.host
    blue = docker.network("blue")
    docker.web("web", "--network", blue, "-p", f"{host.address4}:81:80")
    for address, free in ((host.address4, False), ("0.0.0.0", False), ("127.0.0.1", True)):
        assert _binds(host, address, "SOCK_STREAM", option, "81") is free, address
