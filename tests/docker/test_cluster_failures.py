"""What goes on in an overlay of a cluster while etcd, the way to it, or a host is away."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.docker.client import WEB, Container, Docker
from tests.docker.crash import kill_pyflat, start_pyflat
from tests.docker.overlays import Overlay, amiss, lab_of_three, lost
from tests.docker.reach import pings

from dockerlab import Lab, parallel, power
from dockerlab.etcd import Etcd
from dockerlab.host import Host
from dockerlab.processes import wait_until
from dockerlab.underlay import OUTSIDE

pytestmark = pytest.mark.engine("28.5")

#: Seconds that etcd is away: longer than hosts' leases live.
OUTAGE = 14
#: An address of blue that is in no host's part.
MOVING = "10.42.200.9"


@pytest.fixture(scope="module")
def trio(engine: str) -> Iterator[Lab]:
    with lab_of_three(engine) as lab:
        yield lab


@pytest.fixture(scope="module")
def etcd(trio: Lab) -> Etcd:
    assert trio.etcd is not None
    return trio.etcd


@pytest.fixture(scope="module")
def blue(trio: Lab) -> Overlay:
    """A network that the cluster tells of, for all tests of the module."""
    blue = Overlay([Docker(host) for host in trio.hosts], run=("--restart", "always"))
    assert wait_until(lambda: not blue.silent(), 10)
    return blue


@contextmanager
def cut_off(host: Host) -> Iterator[None]:
    """Let nothing of a host through to etcd, and the rest of its packets as ever."""
    host.run("ip", "route", "add", "blackhole", f"{OUTSIDE[0]}/32", check=True)
    try:
        yield
    finally:
        host.run("ip", "route", "delete", "blackhole", f"{OUTSIDE[0]}/32", check=True)


def assert_lives(blue: Overlay, docker: Docker) -> None:
    """Show that a container that is started now is reached from every host at once.

    An address has to be claimed for it; until its host is known to etcd again, that is refused.
    """
    words = docker.words("fresh", *docker.web_options("fresh"), "--network", "blue", command=WEB)
    docker("create", *words[2:])
    assert wait_until(lambda: docker.host.run("docker", "start", "fresh").returncode == 0, 10)
    web = Container(docker, "fresh")
    address = web.address("blue")
    others = [other for other in blue.webs if other.docker is not docker]
    assert wait_until(lambda: all(pings(other, address) for other in others), 5)
    docker("rm", "-f", "fresh")


def test_etcd_may_be_away_and_pyflat_be_killed_meanwhile_without_a_packet_lost(
    blue: Overlay, trio: Lab, etcd: Etcd
) -> None:
    def event() -> None:
        etcd.kill()
        time.sleep(1)
        parallel.each(kill_pyflat, trio.hosts)
        parallel.each(start_pyflat, trio.hosts)
        time.sleep(OUTAGE)
        etcd.start()
        time.sleep(2)

    assert [loss.lost for loss in lost(blue, event)] == [0, 0, 0]
    assert amiss(trio) == {}
    assert_lives(blue, blue.dockers[1])


def test_a_host_may_be_cut_off_from_etcd_without_a_packet_lost(
    blue: Overlay, trio: Lab, etcd: Etcd
) -> None:
    def event() -> None:
        with cut_off(trio.host("h2")):
            time.sleep(OUTAGE)
            assert etcd.ctl("get", "/pyflat/hosts/h2").stdout == ""  # its lease is over
        time.sleep(3)

    assert [loss.lost for loss in lost(blue, event)] == [0, 0, 0]
    assert amiss(trio) == {}
    assert_lives(blue, blue.dockers[1])


def test_an_etcd_that_has_lost_everything_costs_no_packet(
    blue: Overlay, trio: Lab, etcd: Etcd
) -> None:
    def event() -> None:
        etcd.kill()
        etcd.wipe()
        etcd.start()
        assert wait_until(lambda: endpoints(etcd) == len(blue.webs), 20)

    assert [loss.lost for loss in lost(blue, event)] == [0, 0, 0]
    assert amiss(trio) == {}
    assert_lives(blue, blue.dockers[0])


def endpoints(etcd: Etcd) -> int:
    """Count the endpoints in the store."""
    return etcd.ctl("get", "/pyflat/", "--prefix", "--keys-only").stdout.count("/endpoints/")


def test_a_container_that_moves_to_another_host_is_reached_there(
    blue: Overlay,
) -> None:
    one, two, _ = blue.dockers
    watcher = blue.webs[2]
    one.web("moving", "--network", "blue", "--ip", MOVING)
    assert wait_until(lambda: pings(watcher, MOVING), 5)
    one("rm", "-f", "moving")
    words = two.words("moving", "--network", "blue", "--ip", MOVING)
    assert wait_until(lambda: two.host.run("docker", *words).returncode == 0, 5)
    assert wait_until(lambda: pings(watcher, MOVING), 5)
    two("rm", "-f", "moving")


def test_a_host_that_loses_its_power_is_back_with_what_it_has(blue: Overlay, trio: Lab) -> None:
    host = trio.host("h2")
    power.cut(host)
    assert pings(blue.webs[0], blue.address(blue.webs[2], 4))
    start_pyflat(host)
    host.dockerd.start()
    assert wait_until(lambda: not blue.silent(), 30)
    assert amiss(trio) == {}
