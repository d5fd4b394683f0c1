"""Networks of a swarm, with pyflat's address manager and with Docker's."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

import pytest
from tests.docker.client import Container, Docker
from tests.docker.outage import Loss, pinging
from tests.docker.reach import Place
from tests.docker.swarms import (
    PATIENCE,
    Spread,
    is_worker,
    leaves_nothing,
    new_leader,
    remains,
    set_scope,
    silent,
    swarm_of_three,
    tasks,
    vnis,
)

from dockerlab import Lab, parallel, power
from dockerlab.processes import wait_until

pytestmark = pytest.mark.engine("28.5")

OURS = ("--ipam-driver", "pyflat:latest")
DOCKERS = ("--subnet", "10.44.0.0/24")
PORT = 81
PEERS = "peers=192.0.2.11,192.0.2.12,192.0.2.13"


@pytest.fixture(scope="module")
def lab(engine: str) -> Iterator[Lab]:
    with swarm_of_three(engine) as lab:
        yield lab


@pytest.fixture
def manager(lab: Lab) -> Iterator[Docker]:
    """The leader's docker command; what a test made has to be gone everywhere when it ends."""
    yield new_leader(lab)
    assert leaves_nothing(lab), {host.name: remains(host) for host in lab.hosts}


def lost(ways: list[tuple[Container, str]], event: Callable[[], None]) -> list[Loss]:
    """What is lost between containers and addresses while something happens."""
    with ExitStack() as stack:
        flows = [stack.enter_context(pinging(*way)) for way in ways]
        event()
    return [flow.loss for flow in flows]


@pytest.mark.full
def test_nodes_that_know_each_other_by_ipv6_have_tunnels_over_it(engine: str) -> None:
    with swarm_of_three(engine, 6) as lab:
        net = Spread(new_leader(lab), lab.hosts, "net", *OURS)
        assert net.silent() == []


@pytest.mark.parametrize(
    "addresses", [OURS, pytest.param(DOCKERS, marks=pytest.mark.full)], ids=["ours", "Docker's"]
)
def test_containers_and_tasks_of_all_nodes_talk_by_address_and_name(
    manager: Docker, lab: Lab, addresses: tuple[str, ...]
) -> None:
    net = Spread(manager, lab.hosts, "net", *addresses)
    assert net.silent() == []
    service = ("service", "create", "-d", "--endpoint-mode", "dnsrr", "--network", "net", "--name")
    port = ("--publish", f"mode=host,published={PORT},target=80")
    manager(*service, "web", "--mode", "global", *port, "busybox", "httpd", "-f")
    manager(*service, "six", "--replicas", "6", "busybox", "sleep", "1d")
    for place in net.containers:
        assert wait_until(partial(_knows_all, place), PATIENCE, 0.5), tasks(place, "six")
    known = {address: address for address in tasks(net.containers[0], "six")}
    assert silent(net.containers, known) == []
    assert net.containers[0].pings_name("six")
    for host in lab.hosts:
        knock = ("nc", "-z", "-w2", host.address4, str(PORT))
        assert wait_until(partial(_succeeds, lab.outside, *knock), PATIENCE, 0.5)
    manager("service", "rm", "six", "web")
    net.remove(manager)


def _succeeds(place: Place, *words: str) -> bool:
    return place.run(*words).returncode == 0


def _knows_all(place: Container) -> bool:
    return len(tasks(place, "six")) == 6


def test_a_wrong_option_is_told_in_the_leaders_log(manager: Docker) -> None:
    manager.network("wrong", "--attachable", "-o", "mtux=1")
    told = "AllocateNetwork: option mtux is not known"
    assert wait_until(lambda: told in manager.host.dockerd.log.read_text(), 10)
    assert manager.inspect("network", "wrong")["Driver"] == ""
    manager("network", "rm", "wrong")


def test_a_network_of_two_subnets_is_refused(manager: Docker) -> None:
    manager.network("two", *OURS, "--ipv6", *DOCKERS, "--subnet", "fd44::/64")
    told = "AllocateNetwork: a swarm gives a container one address"
    assert wait_until(lambda: told in manager.host.dockerd.log.read_text(), 10)
    manager("network", "rm", "two")


def test_networks_outlive_their_leader_and_a_new_one_makes_more(manager: Docker, lab: Lab) -> None:
    dead = manager.host
    one, other = (host for host in lab.hosts if host is not dead)
    nets = [Spread(manager, lab.hosts, *words) for words in (("ours", *OURS), ("b", *DOCKERS))]
    before = vnis(manager, "ours", "b")
    survivors = [nets[0].on(one), nets[0].on(other)]
    targets = (survivors[1], nets[0].on(dead))
    ways = [(survivors[0], target.address("ours")) for target in targets]

    def kill() -> None:
        dead.dockerd.kill()
        successor = new_leader(lab)
        assert vnis(successor, "ours", "b") == before
        green = Spread(successor, (one, other), "green", *OURS)
        assert green.silent() == []
        assert vnis(successor, "green")[0] not in before
        green.remove(successor)

    assert [loss.lost for loss in lost(ways, kill)] == [0, 0]
    dead.dockerd.start()
    # It takes until the swarm has heard of its node again.
    again = ("docker", "start", f"{dead.name}-ours")
    assert wait_until(partial(_succeeds, dead, *again), PATIENCE, 1)
    assert wait_until(partial(_talks, nets[0]), 20), nets[0].silent()
    # The other one is a network that this Docker has forgotten, and is not told of again.
    for net in nets:
        net.remove(new_leader(lab))


def test_a_worker_that_loses_its_power_comes_back(manager: Docker, lab: Lab) -> None:
    net = Spread(manager, lab.hosts, "ours", *OURS)
    away = next(host for host in lab.hosts if host is not manager.host)
    manager("node", "demote", away.name)
    assert wait_until(partial(is_worker, away), PATIENCE, 0.2)
    rest = [each for each in net.containers if each.docker.host is not away]
    way = (rest[0], rest[1].address("ours"))

    assert [loss.lost for loss in lost([way], partial(power.cut, away))] == [0]
    away.dockerd.start()
    assert wait_until(partial(_succeeds, away, "docker", "start", f"{away.name}-ours"), PATIENCE, 1)
    assert wait_until(partial(_talks, net), 20), net.silent()
    net.remove(manager)


def _talks(net: Spread) -> bool:
    return net.silent() == []


def test_networks_of_scope_local_are_each_nodes_own_in_a_swarm_too(
    manager: Docker, lab: Lab
) -> None:
    set_scope(lab, "local")
    parallel.each(lambda host: _configure(Docker(host)), lab.hosts)
    net = Spread(manager, lab.hosts, "each", "--scope", "swarm", "--config-from", "own")
    assert net.silent() == []
    assert net.containers[2].address("each").startswith("10.42.3.")
    net.remove(manager)
    for host in lab.hosts:
        # It is in use until its node has heard that the network is gone.
        assert wait_until(partial(_succeeds, host, "docker", "network", "rm", "own"), 20, 0.5)
    assert leaves_nothing(lab)
    set_scope(lab, "global")


def _configure(docker: Docker) -> None:
    part = f"10.42.{docker.host.name.removeprefix('h')}.0/24"
    addresses = ("--subnet", "10.42.0.0/16", "--gateway", "10.42.0.1", "--ip-range", part)
    docker("network", "create", "--config-only", *addresses, "-o", "vni=42", "-o", PEERS, "own")
