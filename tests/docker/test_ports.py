"""Published ports that come and go: one that is taken, an address that is not there yet."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import pytest
from tests.docker.binding import Bind, bindable
from tests.docker.client import WEB, Container, Docker
from tests.docker.labels import DUAL, GATEWAY6, ways_in
from tests.docker.reach import Answer, Question, answering, ask, ask_all, closed, server_of
from tests.docker.traces import assert_same, traces

from dockerlab import Lab
from dockerlab.underlay import OUTSIDE

pytestmark = pytest.mark.placements

PORT = 81


@pytest.fixture
def web(docker: Docker) -> Container:
    """A web server on a pyflat network, published on port 81 of the host."""
    blue = docker.network("blue")
    return docker.web("web", "--network", blue, "-p", f"{PORT}:80")


def test_a_range_gives_each_container_a_port_of_its_own(docker: Docker, lab: Lab) -> None:
    blue = docker.network("blue")
    for name in ("one", "two"):
        docker.web(name, "--network", blue, "-p", "8001-8002:80")
    host = docker.host
    assert {server_of(lab.outside, host.address4, port) for port in (8001, 8002)} == {"one", "two"}
    error = docker.refused(*docker.words("three", "--network", blue, "-p", "8001-8002:80"))
    assert "8001-8002/tcp" in error


@pytest.mark.engine("28.5")
def test_connections_by_the_loopback_address_of_ipv6_do_not_keep_its_port(
    docker: Docker, lab: Lab
) -> None:
    blue = docker.network("blue", *DUAL)
    web = docker.web("web", "--network", blue, "-p", f"{PORT}:80")
    question = Question("tcp", "::1", PORT)
    for _ in range(2):
        assert ask_all(docker.host, {question: 6.0}) == {question: Answer("web", GATEWAY6)}
        docker("restart", "web")
        web.listening()


@pytest.mark.parametrize("address", ["203.0.113.5", "2001:db8:5::5"])
def test_a_port_answers_on_an_address_that_the_host_gets_later(
    docker: Docker, lab: Lab, address: str
) -> None:
    host, version = docker.host, 6 if ":" in address else 4
    blue = docker.network("blue", *DUAL)
    written = f"[{address}]" if version == 6 else address
    docker.web("web", "--network", blue, "-p", f"{written}:{PORT}:80")
    with ways_in(lab, address):
        assert closed(lab.outside, address, PORT)
        words = ("dev", "eth0", *(("nodad",) if version == 6 else ()))
        host.run("ip", "address", "add", address, *words, check=True)
        try:
            assert ask(lab.outside, address, PORT) == Answer("web", OUTSIDE[version == 6])
            assert ask(host, address, PORT) == Answer("web", address)
            assert not bindable(host, Bind(address, "SOCK_STREAM", "SO_REUSEADDR", PORT))
        finally:
            host.run("ip", "address", "delete", address, "dev", "eth0", check=True)


@pytest.mark.quick
def test_a_udp_port_on_the_loopback_address_of_ipv6_is_refused_with_a_remedy(
    docker: Docker,
) -> None:
    blue = docker.network("blue", *DUAL)
    words = docker.words("web", "--network", blue, "-p", f"[::1]:{PORT}:80/udp")
    error = docker.refused(*words)
    assert all(word in error for word in (f"port {PORT}/udp", "::1", "publish it on 127.0.0.1"))


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
           "-p", f"{PORT}:80", "busybox", *WEB)  # fmt: skip
    with holder(docker):
        with _nothing_left(docker):
            assert f"port {PORT}/tcp" in docker.refused("start", "late")
        assert server_of(lab.outside, host.address4, PORT) == "holder"
        if docker("ps", "-q", "--filter", "name=holder"):
            docker("rm", "-f", "holder")
    docker("start", "late")
    Container(docker, "late").listening()
    assert server_of(lab.outside, host.address4, PORT) == "late"


@pytest.mark.parametrize("word", [f"{PORT}:80", f"127.0.0.1:{PORT}:80"])
def test_dockers_bridge_cannot_take_a_port_that_pyflat_holds(
    web: Container, docker: Docker, lab: Lab, word: str
) -> None:
    error = docker.refused(*docker.words("thief", "-p", word))
    assert f":{PORT}" in error
    assert server_of(lab.outside, docker.host.address4, PORT) == web.name
