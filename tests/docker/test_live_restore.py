"""Containers that run on while dockerd is away."""

from collections.abc import Iterator

import pytest
from tests.docker.client import Docker
from tests.docker.crash import identities
from tests.docker.reach import server_of
from tests.docker.starting import bare_lab, start
from tests.docker.traces import difference, traces

from dockerlab import Lab


@pytest.fixture(scope="module")
def lab(engine: str) -> Iterator[Lab]:
    with bare_lab(engine, live_restore=True) as lab:
        start(lab.host("h1"))
        yield lab


def test_containers_are_reached_while_dockerd_is_dead_and_keep_their_endpoints(
    docker: Docker, lab: Lab
) -> None:
    host = docker.host
    blue = docker.network("blue")
    web = docker.web("web", "--network", blue, "-p", "81:80")
    near = docker.run("near", "--network", blue)
    before, address, known = traces(host), web.address(blue), identities(blue, web, near)
    inside = near.pid
    host.dockerd.kill()
    assert server_of(lab.outside, host.address4, 81) == "web"
    within = host.run("nsenter", "-t", str(inside), "-n", "--", "ping", "-c1", "-W3", address)
    assert within.returncode == 0
    host.dockerd.start()
    assert identities(blue, web, near) == known
    assert difference(before, traces(host)) == []
    assert server_of(near, address, 80) == "web"
