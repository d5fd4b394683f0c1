"""Addresses and VNIs that the hosts of a cluster agree on."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import product

import pytest
from tests.docker.client import Container, Docker
from tests.docker.overlays import lab_of_three
from tests.docker.reach import pings

from dockerlab import Lab, parallel
from dockerlab.processes import wait_until

pytestmark = pytest.mark.engine("28.5")

OWN = ("--ipam-driver", "pyflat")
SUBNET = ("--subnet", "10.50.0.0/16", "--ipv6", "--subnet", "fd50::/64")
EACH = 20


@pytest.fixture(scope="module")
def trio(engine: str) -> Iterator[Lab]:
    with lab_of_three(engine) as lab:
        yield lab


def create(dockers: list[Docker], *options: str, vni: str = "50") -> None:
    words = (*OWN, *SUBNET, "-o", f"vni={vni}", *options)
    parallel.each(lambda docker: docker.network("blue", *words), dockers)


def vni_of(docker: Docker) -> int:
    """The VNI of the host's overlay, by its tunnel."""
    inside = ("nsenter", "--net=/run/netns/pyflat")
    place = inside if docker.host.name != "h3" else ()
    (link,) = json.loads(
        docker.host.run(*place, "ip", "-j", "-d", "link", "show", "type", "vxlan").stdout
    )
    return int(link["linkinfo"]["info_data"]["id"])


def test_sixty_containers_at_once_have_addresses_of_their_own(dockers: list[Docker]) -> None:
    create(dockers)
    names = [f"c{number}" for number in range(EACH)]
    with ThreadPoolExecutor(3 * EACH) as pool:
        started = pool.map(
            lambda each: each[0].run(each[1], "--network", "blue"), product(dockers, names)
        )
        containers = list(started)
    for version in (4, 6):
        found = [container.address("blue", version) for container in containers]
        assert len(set(found)) == 3 * EACH
    firsts = [Container(docker, "c0") for docker in dockers]
    for one, other in product(firsts, containers[-3:]):
        assert wait_until(partial(pings, one, other.address("blue")), 3)


def test_an_address_of_another_host_is_refused_with_that_hosts_name(dockers: list[Docker]) -> None:
    create(dockers)
    first, second, _ = dockers
    taken = first.run("one", "--network", "blue").address("blue")
    refusal = second.refused(*second.words("two", "--network", "blue", "--ip", taken))
    assert taken in refusal
    assert "h1" in refusal
    neighbour = str(taken).rpartition(".")[0] + ".77"
    refusal = second.refused(*second.words("three", "--network", "blue", "--ip", neighbour))
    assert "h1" in refusal


def test_the_gateway_is_the_same_on_every_host_and_no_containers(dockers: list[Docker]) -> None:
    create(dockers)
    for docker in dockers:
        container = docker.run("web", "--network", "blue")
        endpoint = container.on("blue")
        assert (endpoint["Gateway"], endpoint["IPv6Gateway"]) == ("10.50.0.1", "fd50::1")
        assert container.address("blue") != "10.50.0.1"


def test_a_vni_is_drawn_once_for_a_subnet(dockers: list[Docker]) -> None:
    create(dockers, vni="auto")
    found = {vni_of(docker) for docker in dockers}
    assert len(found) == 1
    assert found.pop() >= 4096


def test_one_vni_with_two_subnets_is_refused_with_both(dockers: list[Docker]) -> None:
    first, second, _ = dockers
    first.network("blue", *OWN, "--subnet", "10.51.0.0/16", "-o", "vni=51")
    other = ("network", "create", "-d", "pyflat", *OWN, "--subnet", "10.52.0.0/16", "-o", "vni=51")
    refusal = second.refused(*other, "green")
    assert [word for word in ("51", "10.51.0.0/16", "10.52.0.0/16") if word not in refusal] == []


def test_a_subnet_that_this_host_chose_alone_is_refused(dockers: list[Docker]) -> None:
    refusal = dockers[0].refused(
        *("network", "create", "-d", "pyflat", *OWN, "-o", "vni=53", "lonely")
    )
    assert "--subnet" in refusal


def test_an_address_of_dockers_own_manager_is_refused_if_another_host_has_it(
    dockers: list[Docker],
) -> None:
    first, second, _ = dockers
    for docker in (first, second):
        docker.network("blue", "--subnet", "10.54.0.0/16", "-o", "vni=54")
    first.run("one", "--network", "blue", "--ip", "10.54.0.9")
    refusal = second.refused(*second.words("two", "--network", "blue", "--ip", "10.54.0.9"))
    assert "10.54.0.9" in refusal
    assert "h1" in refusal


def test_without_the_cluster_what_is_new_is_refused_soon_and_what_is_held_is_given(
    dockers: list[Docker], trio: Lab
) -> None:
    create(dockers)
    first, second, _ = dockers
    first.run("one", "--network", "blue")
    assert trio.etcd is not None
    trio.etcd.stop()
    try:
        refusal = second.refused(*second.words("two", "--network", "blue"))
        assert "etcd://192.0.2.200:2379" in refusal
    finally:
        trio.etcd.start()
    assert wait_until(
        lambda: (
            second.host.run("docker", *second.words("three", "--network", "blue")).returncode == 0
        ),
        20,
    )
