"""Containers on two hosts find each other by name, with Docker's own resolver and real packets."""

import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator

import pytest
from tests.docker.client import Container, Docker
from tests.docker.plugin import answers
from tests.docker.traces import assert_same, traces

from dockerlab import Lab, packages
from dockerlab.processes import wait_until
from dockerlab.underlay import OUTSIDE

UPSTREAM = OUTSIDE[0]
GATEWAY = "10.42.0.1"
SUBNETS = ("--ipv6", "--subnet", "10.42.0.0/16", "--gateway", GATEWAY, "--subnet", "fd42::/64")
PROJECT = """
services:
  store:
    image: busybox
    command: sleep 1d
    networks: [blue]
networks:
  blue:
    external: true
"""


@pytest.fixture(scope="module")
def lab(engine: str) -> Iterator[Lab]:
    """Two hosts of a cluster; Docker asks the name server outside by way of each network."""
    packages.ensure(["bind9-dnsutils"])
    config = {"dns": [UPSTREAM]}
    name = f"t{secrets.token_hex(3)}"
    with Lab.up(name, engine=engine, hosts=2, etcd=True, daemon_config=config) as lab:
        words = ("--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=root")
        names = ("--no-resolv", "--no-hosts", "--host-record=whoami.example,203.0.113.1")
        lab.outside.popen("dnsmasq", *words, *names, f"--listen-address={UPSTREAM}")
        yield lab


@pytest.fixture(scope="module")
def dockers(lab: Lab) -> Iterator[list[Docker]]:
    """Both hosts' docker commands, with a network blue that gives out other addresses on each."""
    dockers = [Docker(host) for host in lab.hosts]
    before = [traces(host) for host in lab.hosts]
    for number, docker in enumerate(dockers, 1):
        part = ("--ip-range", f"10.42.{number}.0/24", "--ip-range", f"fd42::{number}:0/112")
        docker.network("blue", "-o", "vni=42", *SUBNETS, *part)
    programs = [answering(docker) for docker in dockers]
    yield dockers
    for docker, traced in zip(dockers, before, strict=True):
        docker.remove_all()
        assert_same(docker.host, traced)
    assert not any(program() for program in programs)


def answering(docker: Docker) -> Callable[[], list[int]]:
    """Give the process ids of what answers for names of blue on a host, whenever it is called."""
    words = ("pgrep", "-f", f"hostsdir=/run/pyflat/names/{docker.inspect('network', 'blue')['Id']}")
    return lambda: [int(word) for word in docker.host.run(*words).stdout.split()]


@pytest.fixture(scope="module")
def near(dockers: list[Docker]) -> Container:
    return dockers[0].run("near", "--network", "blue", "--hostname", "nearest")


@pytest.fixture(scope="module")
def web(dockers: list[Docker]) -> Container:
    return dockers[1].run("web", "--network", "blue", "--network-alias", "www")


@pytest.fixture
def other(dockers: list[Docker]) -> Iterator[Container]:
    """A container on the second host that goes after the test."""
    yield dockers[1].run("other", "--network", "blue")
    dockers[1]("rm", "-f", "other")


def ask(place: Container, name: str, *words: str, server: str = "127.0.0.11") -> set[str]:
    """The addresses that a server gives for a name, Docker's own in a container if not told."""
    command = ("dig", "+short", "+tries=1", "+time=2", f"@{server}", name, *words)
    return set(place.run(*command).stdout.split())


def finds(place: Container, name: str, *addresses: str, seconds: float = 5) -> bool:
    """Whether a name leads to these addresses, within some seconds."""
    return wait_until(lambda: ask(place, name) == {*addresses}, seconds)


def status(place: Container, name: str) -> str:
    """How Docker's own resolver answers, as NXDOMAIN."""
    said = place.run("dig", "+tries=1", "+time=2", "@127.0.0.11", name).stdout
    return said.partition("status: ")[2].partition(",")[0]


def test_all_of_a_containers_names_lead_to_it_from_the_other_host(
    near: Container, web: Container
) -> None:
    here, there = near.address("blue"), web.address("blue")
    for name in ("web", "www", "WEB", web.inspect()["Id"][:12]):
        assert finds(near, name, there), name
        assert near.pings_name(name), name
    for name in ("near", "nearest"):
        assert finds(web, name, here), name
        assert web.pings_name(name), name
    assert ask(near, "web", "AAAA") == {web.address("blue", 6)}
    assert ask(near, "web", "+tcp") == {there}
    assert ask(near, "-x", there) == {"web."}


def test_the_rest_is_asked_of_the_server_that_was_asked(near: Container, web: Container) -> None:
    for protocol in ("+notcp", "+tcp"):
        assert ask(near, "whoami.example", protocol) == {"203.0.113.1"}
    assert status(near, "nobody") == "NXDOMAIN"


def test_the_gateway_answers_wherever_docker_would_not_come_by_it(
    dockers: list[Docker], web: Container
) -> None:
    docker = dockers[0]
    docker.network("green")
    lost = docker.run("lost", "--network", "green", "--dns", GATEWAY)
    docker("network", "connect", "blue", "lost")
    assert finds(lost, "web", web.address("blue"))
    assert lost.pings_name("web")
    docker("rm", "-f", "lost")
    docker("network", "rm", "green")


def test_a_service_on_two_hosts_has_the_addresses_of_both(
    dockers: list[Docker], near: Container
) -> None:
    for docker in dockers:
        compose(docker, "up", "--detach", "--scale", "store=2")
    found = [
        docker("ps", "-q", "--filter", "label=com.docker.compose.service=store")
        for docker in dockers
    ]
    here, there = (
        {Container(docker, name).address("blue") for name in names.split()}
        for docker, names in zip(dockers, found, strict=True)
    )
    assert len(here | there) == 4
    assert wait_until(lambda: ask(near, "store", server=GATEWAY) == here | there, 5)
    # Docker's own resolver asks nobody for a name that a container of its host has.
    assert ask(near, "store") == here
    compose(dockers[0], "down")
    assert finds(near, "store", *there)
    compose(dockers[1], "down")
    assert wait_until(lambda: status(near, "store") == "NXDOMAIN", 5)


def compose(docker: Docker, *words: str) -> None:
    command = ("docker", "compose", "-p", "shop", "-f", "-", *words)
    docker.host.run(*command, input=PROJECT, check=True)


def test_names_come_change_and_go(near: Container, other: Container) -> None:
    address, docker = other.address("blue"), other.docker
    assert finds(near, "other", address)
    docker("rename", "other", "another")
    assert finds(near, "another", address)
    assert status(near, "other") == "NXDOMAIN"
    docker("network", "disconnect", "blue", "another")
    assert wait_until(lambda: status(near, "another") == "NXDOMAIN", 5)
    docker("network", "connect", "--alias", "moved", "blue", "another")
    assert finds(near, "moved", other_address(docker))
    docker("rename", "another", "other")


def other_address(docker: Docker) -> str:
    return Container(docker, "another").address("blue")


def test_what_answers_is_started_again_and_ends_with_pyflat(
    dockers: list[Docker], near: Container, web: Container
) -> None:
    host, address, programs = near.docker.host, web.address("blue"), answering(near.docker)
    before = programs()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: len(programs()) == len(before), 5)
    assert finds(near, "web", address)
    host.pyflat.stop()
    assert programs() == []
    assert ask(near, "whoami.example") == {"203.0.113.1"}
    host.pyflat.start()
    assert answers(host)
    assert finds(near, "web", address)
    host.pyflat.kill()
    assert wait_until(lambda: programs() == [], 2)
    host.pyflat.start()
    assert answers(host)
    assert finds(near, "web", address)


def test_names_are_learned_again_from_a_docker_that_was_away(
    dockers: list[Docker], near: Container
) -> None:
    host = dockers[1].host
    begin = time.monotonic()
    host.dockerd.stop()
    # It would wait five seconds for a client that listens to its events.
    assert time.monotonic() - begin < 4
    host.dockerd.start()
    late = dockers[1].run("late", "--network", "blue")
    assert finds(near, "late", late.address("blue"))
    assert wait_until(lambda: status(near, "web") == "NXDOMAIN", 5)
    dockers[1]("start", "web")


def test_an_internal_overlay_has_names_and_asks_nobody_else(dockers: list[Docker]) -> None:
    for number, docker in enumerate(dockers, 1):
        words = ("-o", "vni=43", "--internal", "--subnet", "10.43.0.0/16")
        docker.network(
            "inner", *words, "--gateway", "10.43.0.1", "--ip-range", f"10.43.{number}.0/24"
        )
    inner = dockers[0].run("inner", "--network", "inner", "--dns", "10.43.0.1")
    silent = dockers[1].run("silent", "--network", "inner")
    assert finds(inner, "silent", silent.address("inner"))
    assert status(inner, "whoami.example") in {"NXDOMAIN", "REFUSED", "SERVFAIL"}
    log = dockers[1].host.pyflat.log
    assert wait_until(lambda: "start them with --dns 10.43.0.1" in log.read_text(), 5)
    for docker, name in zip(dockers, ("inner", "silent"), strict=True):
        docker("rm", "-f", name)
        docker("network", "rm", "inner")
