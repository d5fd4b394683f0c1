"""Published ports: who reaches them, as whom, and what happens when one is taken."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import pytest
from tests.docker.client import Container, Docker
from tests.docker.reach import Answer, answering, ask, server_of
from tests.docker.traces import assert_same, elements, traces

from dockerlab import Lab, underlay

SUBNET, GATEWAY = "10.90.0.0/24", "10.90.0.1"
GREEN = "10.91.0.0/24"
PORT = 81


@pytest.fixture
def web(docker: Docker) -> Container:
    """A web server on a pyflat network, published on port 81 of the host."""
    blue = docker.network("blue", "--subnet", SUBNET)
    return docker.web("web", "--network", blue, "-p", f"{PORT}:80")


@pytest.mark.quick
def test_a_published_port_answers_everybody(web: Container, docker: Docker, lab: Lab) -> None:
    host, own = docker.host, web.address("blue")
    green = docker.network("green", "--subnet", GREEN)
    foreign = docker.network("foreign", driver="bridge")
    near = docker.run("near", "--network", "blue")
    other = docker.run("other", "--network", green)
    stranger = docker.run("stranger", "--network", foreign)
    legacy = docker.run("legacy")
    seen = {
        "127.0.0.1": ask(host, "127.0.0.1", PORT),
        "host by its address": ask(host, host.address4, PORT),
        "host by the gateway": ask(host, GATEWAY, PORT),
        "host by the container's address": ask(host, own, 80),
        "outside": ask(lab.outside, host.address4, PORT),
        "same network": ask(near, host.address4, PORT),
        "same network by the gateway": ask(near, GATEWAY, PORT),
        "itself": ask(web, host.address4, PORT),
        "other pyflat network": ask(other, host.address4, PORT),
    }
    assert seen == {
        "127.0.0.1": Answer("web", GATEWAY),
        "host by its address": Answer("web", host.address4),
        "host by the gateway": Answer("web", GATEWAY),
        "host by the container's address": Answer("web", GATEWAY),
        "outside": Answer("web", underlay.OUTSIDE[0]),
        "same network": Answer("web", GATEWAY),
        "same network by the gateway": Answer("web", GATEWAY),
        "itself": Answer("web", GATEWAY),
        "other pyflat network": Answer("web", other.address(green)),
    }
    for docker_own in (stranger, legacy):
        assert server_of(docker_own, host.address4, PORT) == "web"


@pytest.mark.quick
def test_a_udp_port_answers_with_the_clients_address_kept(docker: Docker, lab: Lab) -> None:
    host = docker.host
    blue = docker.network("blue", "--subnet", SUBNET)
    names = docker.run("names", "--network", blue, "-p", "5353:53/udp")
    near = docker.run("near", "--network", blue)
    with answering(names, 53, "names"):
        for address in ("127.0.0.1", host.address4):
            assert server_of(host, address, 5353, udp=True) == "names"
        assert server_of(near, host.address4, 5353, udp=True) == "names"
        assert server_of(names, host.address4, 5353, udp=True) == "names"
        outside = ask(lab.outside, host.address4, 5353, udp=True)
        assert outside == Answer("names", underlay.OUTSIDE[0])
        assert ask(lab.outside, host.address4, 5353, wait=1) is None


@pytest.mark.quick
def test_an_ipv6_port_answers_outside_host_and_containers(docker: Docker, lab: Lab) -> None:
    host = docker.host
    blue = docker.network("blue", "--ipv6", "--subnet", "fd90::/64", "--gateway", "fd90::1")
    web = docker.web("web", "--network", blue, "-p", f"{PORT}:80")
    near = docker.run("near", "--network", blue)
    assert ask(lab.outside, host.address6, PORT) == Answer("web", underlay.OUTSIDE[1])
    assert ask(lab.outside, host.address4, PORT) == Answer("web", underlay.OUTSIDE[0])
    assert ask(host, host.address6, PORT) == Answer("web", host.address6)
    assert ask(near, host.address6, PORT) == Answer("web", "fd90::1")
    assert ask(web, host.address6, PORT) == Answer("web", "fd90::1")


def test_a_port_on_one_address_answers_only_there(docker: Docker, lab: Lab) -> None:
    host = docker.host
    blue = docker.network("blue")
    docker.web("local", "--network", blue, "-p", "127.0.0.1:81:80")
    docker.web("public", "--network", blue, "-p", f"{host.address4}:81:80")
    assert server_of(host, "127.0.0.1", 81) == "local"
    assert server_of(lab.outside, host.address4, 81) == "public"


def test_a_range_gives_each_container_a_port_of_its_own(docker: Docker, lab: Lab) -> None:
    blue = docker.network("blue")
    for name in ("one", "two"):
        docker.web(name, "--network", blue, "-p", "8001-8002:80")
    host = docker.host
    assert {server_of(lab.outside, host.address4, port) for port in (8001, 8002)} == {"one", "two"}
    error = docker.refused(*docker.words("three", "--network", blue, "-p", "8001-8002:80"))
    assert "8001-8002/tcp" in error


def test_an_exposed_port_is_published_on_a_free_one(docker: Docker, lab: Lab) -> None:
    blue = docker.network("blue")
    docker.web("web", "--network", blue, "--expose", "80", "-P")
    ((_, port),) = elements(docker.host, "anyport4")
    shown = docker.host.run("sysctl", "-n", "net.ipv4.ip_local_port_range", check=True).stdout
    first, last = map(int, shown.split())
    assert first <= int(port) <= last
    assert server_of(lab.outside, docker.host.address4, int(port)) == "web"


@pytest.mark.engine("28.5")
def test_the_last_connections_of_an_ended_server_do_not_keep_its_port(
    docker: Docker, lab: Lab
) -> None:
    host = docker.host
    blue = docker.network("blue")
    with answering(host, PORT, "old"):
        # Without -N the server is the first to close, and its end lingers.
        lab.outside.run("nc", "-n", "-w3", host.address4, str(PORT), input="?")
    lingering = host.run("ss", "-Htan", "state", "time-wait", f"sport = :{PORT}").stdout
    assert lingering
    docker.web("new", "--network", blue, "-p", f"{PORT}:80")
    assert server_of(lab.outside, host.address4, PORT) == "new"


def test_an_unpublished_port_is_free_again(web: Container, docker: Docker, lab: Lab) -> None:
    host = docker.host
    docker("rm", "-f", web.name)
    assert ask(lab.outside, host.address4, PORT, wait=1) is None
    with answering(host, PORT, "host"):
        assert server_of(lab.outside, host.address4, PORT) == "host"


def test_ports_follow_the_gateway_when_a_container_changes_networks(
    web: Container, docker: Docker, lab: Lab
) -> None:
    host = docker.host
    docker("network", "connect", docker.network("green", "--subnet", GREEN), web.name)
    docker("network", "disconnect", "blue", web.name)
    assert ask(lab.outside, host.address4, PORT) == Answer("web", underlay.OUTSIDE[0])


Holder = Callable[[Docker], AbstractContextManager[object]]


def _pyflat(docker: Docker) -> AbstractContextManager[object]:
    return nullcontext(docker.web("holder", "--network", "blue", "-p", f"{PORT}:80"))


def _process(docker: Docker) -> AbstractContextManager[object]:
    return answering(docker.host, PORT, "holder")


def _bridge(docker: Docker) -> AbstractContextManager[object]:
    return nullcontext(docker.web("holder", "-p", f"{PORT}:80"))


@contextmanager
def _nothing_left(docker: Docker) -> Iterator[None]:
    before = traces(docker.host)
    yield
    assert_same(docker.host, before)


@pytest.mark.quick
@pytest.mark.parametrize("holder", [_pyflat, _process, _bridge])
def test_a_taken_port_is_an_error_that_names_it_and_leaves_nothing(
    docker: Docker, lab: Lab, holder: Holder
) -> None:
    host = docker.host
    blue = docker.network("blue")
    docker("create", "--name", "late", *docker.web_options("late"), "--network", blue,
           "-p", f"{PORT}:80", "busybox", "httpd", "-f", "-h", "/www")  # fmt: skip
    with holder(docker):
        with _nothing_left(docker):
            assert f"port {PORT}/tcp" in docker.refused("start", "late")
        assert server_of(lab.outside, host.address4, PORT) == "holder"
        if docker("ps", "-q", "--filter", "name=holder"):
            docker("rm", "-f", "holder")
    docker("start", "late")
    assert server_of(lab.outside, host.address4, PORT) == "late"


@pytest.mark.parametrize("word", [f"{PORT}:80", f"127.0.0.1:{PORT}:80"])
def test_dockers_bridge_cannot_take_a_port_that_pyflat_holds(
    web: Container, docker: Docker, lab: Lab, word: str
) -> None:
    error = docker.refused(*docker.words("thief", "-p", word))
    assert f":{PORT}" in error
    assert server_of(lab.outside, docker.host.address4, PORT) == web.name
