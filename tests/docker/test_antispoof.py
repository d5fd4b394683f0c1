"""`antispoof=true`: containers that can send as themselves only, and do all else as ever."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from tests.docker.client import Container, Docker
from tests.docker.labels import DUAL, label, reached
from tests.docker.reach import INTERNET, pings, server_of

from dockerlab import Lab

pytestmark = [pytest.mark.engine("28.5"), pytest.mark.placements("28.5")]

GUARDED = ("-o", "antispoof=true")
FAMILIES = (4, 6)


def test_ports_names_and_the_outside_are_as_without_it(docker: Docker, lab: Lab) -> None:
    host = docker.host
    blue = docker.network("blue", *DUAL, *GUARDED)
    web = docker.web("web", "--network", blue, "-p", "81:80")
    near = docker.run("near", "--network", blue)
    assert near.pings_name("web")
    own = [web.address(blue, version) for version in FAMILIES]
    assert reached(near, *own, *INTERNET.values()) == [*own, *INTERNET.values()]
    for place in (lab.outside, host, near, web):
        for address in (host.address4, host.address6):
            assert server_of(place, address, 81) == "web"
    assert server_of(host, "127.0.0.1", 81) == "web"


@contextmanager
def itself(one: Container) -> Iterator[Sequence[str]]:
    yield ()


@contextmanager
def another_address(one: Container) -> Iterator[Sequence[str]]:
    change(one, "address", "add", "10.90.0.77/24", "dev", "eth0")
    yield ("-I", "10.90.0.77")
    change(one, "address", "delete", "10.90.0.77/24", "dev", "eth0")


@contextmanager
def another_mac(one: Container) -> Iterator[Sequence[str]]:
    mac = one.on("blue")["MacAddress"]
    change(one, "link", "set", "eth0", "address", "02:42:00:00:00:77")
    yield ()
    change(one, "link", "set", "eth0", "address", mac)


def change(one: Container, *words: str) -> None:
    done = one.exec("ip", *words)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("options", "heard"), [(GUARDED, False), ((), True)])
def test_a_container_that_takes_another_name_is_heard_only_without_it(
    docker: Docker, options: Sequence[str], heard: bool
) -> None:
    blue = docker.network("blue", *DUAL, *options)
    one = docker.run("one", "--network", blue, "--cap-add", "NET_ADMIN")
    two = docker.run("two", "--network", blue)
    for guise, expected in (
        (itself, True),
        (another_address, heard),
        (itself, True),
        (another_mac, heard),
        (itself, True),
    ):
        with guise(one) as words:
            done = one.run("ping", "-c1", "-W1", *words, two.address(blue))
            assert (done.returncode == 0) == expected, guise.__name__


def test_with_icc_off_containers_reach_what_is_published_and_nothing_else(
    docker: Docker, lab: Lab
) -> None:
    host = docker.host
    blue = docker.network("blue", *DUAL, *GUARDED, *label("bridge.enable_icc", "false"))
    one = docker.web("one", "--network", blue, "-p", "81:80")
    two = docker.web("two", "--network", blue, "-p", "82:80")
    assert reached(one, *(two.address(blue, version) for version in FAMILIES)) == []
    for place in (lab.outside, one, two):
        for address in (host.address4, host.address6):
            assert server_of(place, address, 81) == "one"
            assert server_of(place, address, 82) == "two"
    assert all(pings(one, address) for address in INTERNET.values())
