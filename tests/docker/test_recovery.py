"""Crashes: of dockerd, of pyflat, with containers running on."""

import os
import signal

import pytest
from tests.docker.client import Container, Docker
from tests.docker.crash import age_endpoints, identities, kill_pyflat, kinds, recorded_endpoints
from tests.docker.links import ip
from tests.docker.plugin import answers
from tests.docker.reach import INTERNET, Answer, ask, pings, server_of
from tests.docker.traces import difference, family, traces

from dockerlab import Lab
from dockerlab.processes import wait_until
from dockerlab.underlay import OUTSIDE

SUBNET, SUBNET6 = "10.90.0.0/24", "fd90::/64"
PORT = 81


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


def test_containers_come_back_after_a_crash_of_dockerd(
    web: Container, near: Container, docker: Docker, lab: Lab
) -> None:
    host = docker.host
    before, counted = identities("blue", web, near), kinds(traces(host))
    _crash_dockerd(docker, lab)
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
    assert len([link for link in ip(host, "link") if link["ifname"].startswith("pv-")]) == 1


def test_traffic_goes_on_while_pyflat_is_dead_and_after_its_return(
    web: Container, near: Container, docker: Docker, lab: Lab
) -> None:
    host = docker.host
    before = traces(host)
    kill_pyflat(host)
    assert server_of(lab.outside, host.address4, PORT) == "web"
    assert server_of(near, web.address("blue"), 80) == "web"
    host.pyflat.start()
    assert answers(host)
    assert difference(before, traces(host)) == []
    assert server_of(lab.outside, host.address4, PORT) == "web"
    assert server_of(lab.outside, host.address6, PORT) == "web"
    assert pings(near, INTERNET[4])
    error = docker.refused(*docker.words("late", "--network", "blue", "-p", f"{PORT}:80"))
    assert f"port {PORT}/tcp" in error


def test_a_killed_worker_is_replaced_and_holds_all_ports_again(
    web: Container, docker: Docker, lab: Lab
) -> None:
    host = docker.host
    before = traces(host)
    _, worker = family(host.pyflat.pid)
    os.kill(worker, signal.SIGKILL)
    assert wait_until(lambda: worker not in family(host.pyflat.pid) and answers(host), 10)
    assert wait_until(lambda: traces(host) == before, 5)
    assert server_of(lab.outside, host.address4, PORT) == web.name
    assert pings(docker.run("late", "--network", "blue"), web.address("blue"))


def test_a_restarted_pyflat_makes_anew_what_an_admin_removed(
    web: Container, near: Container, docker: Docker, lab: Lab
) -> None:
    host = docker.host
    before = traces(host)
    host.pyflat.stop()
    host.run("nft", "delete", "table", "inet", "pyflat", check=True)
    host.run("nft", "delete", "table", "bridge", "pyflat", check=True)
    for program in ("iptables", "ip6tables"):
        host.run(program, "-D", "DOCKER-USER", "1", check=True)
    assert server_of(lab.outside, host.address4, PORT) is None
    host.pyflat.start()
    assert answers(host)
    assert difference(before, traces(host)) == []
    assert server_of(lab.outside, host.address4, PORT) == "web"
    assert pings(near, INTERNET[4])


@pytest.mark.full
def test_what_was_removed_while_pyflat_was_dead_is_gone_after_its_return(
    web: Container, docker: Docker
) -> None:
    host = docker.host
    kill_pyflat(host)
    docker("rm", "-f", "web", timeout=150)
    # What dockerd took out of a container lies in the host as before the container's start.
    age_endpoints(host)
    host.pyflat.start()
    assert answers(host)
    assert recorded_endpoints(host) == {Container(docker, "near").on("blue")["EndpointID"]}
    assert [trace.text for trace in traces(host) if trace.kind == "held socket"] == []
    again = docker.web("again", "--network", "blue", "-p", f"{PORT}:80")
    assert server_of(host, again.address("blue"), 80) == "again"
