"""Crashes of dockerd that gives nothing back, and what is made anew by a start of pyflat."""

import re
from collections.abc import Iterator

import pytest
from tests.docker.client import Container, Docker
from tests.docker.crash import identities, kinds, recorded_endpoints
from tests.docker.links import ip
from tests.docker.plugin import answers
from tests.docker.reach import INTERNET, Answer, ask, pings, server_of
from tests.docker.starting import bare_lab, start
from tests.docker.traces import difference, traces

from dockerlab import Lab
from dockerlab.host import Host
from dockerlab.processes import wait_until
from dockerlab.underlay import OUTSIDE

pytestmark = pytest.mark.placements

SUBNET, SUBNET6 = "10.90.0.0/24", "fd90::/64"
PORT = 81


@pytest.fixture(scope="module")
def lab(engine: str) -> Iterator[Lab]:
    """A pyflat that notes each request."""
    with bare_lab(engine) as lab:
        host = lab.host("h1")
        host.pyflat.args += ["--log-level", "debug"]
        start(host)
        yield lab


@pytest.fixture
def web(docker: Docker) -> Container:
    """A web server that Docker starts again after a crash, published on port 81."""
    blue = docker.network("blue", "--ipv6", "--subnet", SUBNET, "--subnet", SUBNET6)
    docker.run("near", "--restart", "always", "--network", blue)
    return docker.web("web", "--restart", "always", "--network", blue, "-p", f"{PORT}:80")


@pytest.fixture
def near(web: Container, docker: Docker) -> Container:
    """Its neighbour."""
    return Container(docker, "near")


def test_containers_come_back_though_dockerd_gives_nothing_back(
    web: Container, near: Container, docker: Docker, lab: Lab
) -> None:
    host = docker.host
    before, counted = identities("blue", web, near), kinds(traces(host))
    asked = len(_requests(host))
    _crash_dockerd(docker, lab)
    since = {*_requests(host)[asked:]}
    assert "CreateEndpoint" in since
    assert not {"Leave", "DeleteEndpoint"} & since
    assert wait_until(lambda: near.inspect()["State"]["Running"], 30)
    after = identities("blue", web, near)
    # Which of them gets which address is dockerd's choice.
    assert {own.addresses for own in after} == {own.addresses for own in before}
    assert not {own.endpoint for own in after} & {own.endpoint for own in before}
    assert ask(lab.outside, host.address6, PORT) == Answer("web", OUTSIDE[1])
    assert server_of(near, web.address("blue"), 80) == "web"
    assert near.pings_name("web")
    assert pings(web, INTERNET[4])
    assert wait_until(lambda: kinds(traces(host)) == counted, 1), kinds(traces(host)) - counted
    assert recorded_endpoints(host) == {own.endpoint for own in after}


def _requests(host: Host) -> list[str]:
    """The methods of the network driver that dockerd has called."""
    return re.findall(r"DEBUG .*: /NetworkDriver\.(\w+):", host.pyflat.log.read_text())


def test_a_container_of_a_static_address_comes_back_to_it_after_a_crash_of_dockerd(
    docker: Docker, lab: Lab
) -> None:
    blue = docker.network("blue", "--subnet", SUBNET)
    options = ("--network", blue, "--ip", "10.90.0.9", "--restart", "always")
    web = docker.web("web", *options, "-p", f"{PORT}:80")
    (before,) = identities(blue, web)
    _crash_dockerd(docker, lab)
    (after,) = identities(blue, web)
    assert after.addresses == before.addresses
    assert recorded_endpoints(docker.host) == {after.endpoint}


def _crash_dockerd(docker: Docker, lab: Lab) -> None:
    """Kill dockerd and start it; return when port 81 answers again."""
    host = docker.host
    host.dockerd.kill()
    host.dockerd.start()
    assert wait_until(lambda: server_of(lab.outside, host.address4, PORT) == "web", 30)


def test_a_container_that_died_with_dockerd_gives_way_to_another(docker: Docker, lab: Lab) -> None:
    host = docker.host
    blue = docker.network("blue", "--subnet", SUBNET)
    options = ("--network", blue, "--ip", "10.90.0.9", "-p", f"{PORT}:80")
    docker.web("old", *options)
    host.dockerd.kill()
    host.dockerd.start()
    docker.web("new", *options)
    assert server_of(lab.outside, host.address4, PORT) == "new"
    assert len(recorded_endpoints(host)) == 1
    links = [link["ifname"] for link in ip(docker.switches, "link")]
    assert len([name for name in links if name.startswith("pv-")]) == 1


def test_a_restarted_pyflat_makes_anew_what_an_admin_removed(
    web: Container, near: Container, docker: Docker, lab: Lab
) -> None:
    host = docker.host
    before = traces(host)
    host.pyflat.stop()
    host.run("nft", "delete", "table", "inet", "pyflat", check=True)
    host.run("nft", "delete", "table", "bridge", "pyflat_hairpin", check=True)
    for program in ("iptables", "ip6tables"):
        host.run(program, "-D", "DOCKER-USER", "1", check=True)
    assert server_of(lab.outside, host.address4, PORT) is None
    host.pyflat.start()
    assert answers(host)
    assert difference(before, traces(host)) == []
    assert server_of(lab.outside, host.address4, PORT) == "web"
    assert pings(near, INTERNET[4])
