"""Host ports that pyflat chooses, whole ranges of them, and how well they are held."""

import pytest
from tests.docker.binding import Bind, bindable
from tests.docker.client import Docker
from tests.docker.portmap import ports_to, published
from tests.docker.reach import answering, server_of

from dockerlab import Lab
from dockerlab.host import Host

pytestmark = pytest.mark.placements

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


@pytest.mark.engine("28.5")
@pytest.mark.parametrize("option", ["SO_REUSEADDR", "SO_REUSEPORT"])
def test_a_held_port_is_shared_with_nobody(docker: Docker, option: str) -> None:
    host = docker.host
    blue = docker.network("blue", *DUAL)
    docker.web("web", "--network", blue, "-p", "81:80", "-p", "81:80/udp")
    addresses = ("0.0.0.0", "127.0.0.1", host.address4, "::", "::1", host.address6)
    held, other = (
        [Bind(address, kind, option, port)
         for address in addresses for kind in ("SOCK_STREAM", "SOCK_DGRAM")]
        for port in (81, 83)
    )  # fmt: skip
    assert bindable(host, *held, *other) == set(other)


@pytest.mark.engine("28.5")
@pytest.mark.parametrize("option", ["SO_REUSEADDR", "SO_REUSEPORT"])
def test_a_port_of_one_address_is_held_there(docker: Docker, option: str) -> None:
    host = docker.host
    blue = docker.network("blue")
    docker.web("web", "--network", blue, "-p", f"{host.address4}:81:80")
    addresses = (host.address4, "0.0.0.0", "127.0.0.1")
    binds = [Bind(address, "SOCK_STREAM", option, 81) for address in addresses]
    assert bindable(host, *binds) == set(binds[2:])
