"""`-o ports=docker`: dockerd publishes the ports of a network's containers, and shows them."""

import pytest
from tests.docker.client import Container, Docker
from tests.docker.labels import SUBNET, ways_in
from tests.docker.links import default_routes, device_with, interfaces
from tests.docker.portmap import published
from tests.docker.reach import INTERNET, Answer, answering, ask, closed, pings, server_of
from tests.docker.traces import records

from dockerlab import Lab
from dockerlab.underlay import OUTSIDE

pytestmark = pytest.mark.placements


@pytest.fixture
def web(docker: Docker) -> Container:
    docker.network("blue", "--subnet", SUBNET, "-o", "ports=docker")
    return docker.web("web", "--network", "blue", "-p", "81:80", "-p", "127.0.0.1:82:80")


@pytest.mark.quick
def test_dockerd_serves_the_ports_and_shows_them(web: Container, docker: Docker, lab: Lab) -> None:
    host = docker.host
    assert ask(lab.outside, host.address4, 81) == Answer("web", OUTSIDE[0])
    assert server_of(host, "127.0.0.1", 82) == "web"
    assert closed(lab.outside, host.address4, 82)
    shown = docker("port", "web").splitlines()
    assert {"80/tcp -> 0.0.0.0:81", "80/tcp -> 127.0.0.1:82"} <= set(shown)
    assert "0.0.0.0:81->80/tcp" in docker("ps", "--format", "{{.Ports}}")
    assert published(host) == {}
    assert not any(row.startswith("publication") for row in records(host))


def test_containers_meet_in_the_network_and_leave_by_dockers_bridge(
    web: Container, docker: Docker, lab: Lab
) -> None:
    near = docker.run("near", "--network", "blue")
    assert ask(near, web.address("blue"), 80) == Answer("web", near.address("blue"))
    assert near.pings_name("web")
    assert len(interfaces(near)) == 2
    (gateway,) = default_routes(near)
    assert device_with(docker.host, gateway) == "docker_gwbridge"
    with answering(lab.outside, 8080, "internet"):
        seen = ask(near, INTERNET[4], 8080)
    assert seen == Answer("internet", docker.host.address4)


def test_the_network_is_as_closed_as_others(web: Container, docker: Docker, lab: Lab) -> None:
    other = docker.run("other", "--network", docker.network("green", "--subnet", "10.91.0.0/24"))
    with ways_in(lab, SUBNET):
        for place in (other, lab.outside):
            assert closed(place, web.address("blue"), 80)
            assert not pings(place, web.address("blue"), wait=1)
