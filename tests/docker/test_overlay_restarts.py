"""What goes on in an overlay while a host's daemons end, and when a host comes back."""

from collections import Counter
from collections.abc import Iterator
from functools import partial

import pytest
from tests.docker.client import Docker
from tests.docker.crash import identities, kill_pyflat, kinds, start_pyflat
from tests.docker.overlays import PORT, Overlay, amiss, lab_of_three, lost, over
from tests.docker.reach import server_of
from tests.docker.traces import difference, traces
from tests.docker.ways import astray

from dockerlab import Lab, parallel, power
from dockerlab.host import Host
from dockerlab.processes import wait_until

pytestmark = pytest.mark.engine("28.5")

ALWAYS = ("--restart", "always")
#: Packets, one each 5 ms, that may be lost while dockerd writes its own rules anew.
REWRITING = 20


@pytest.fixture(scope="module")
def trio(engine: str) -> Iterator[Lab]:
    """Containers outlive dockerd."""
    with lab_of_three(engine, live_restore=True) as lab:
        yield lab


@pytest.fixture
def dockers(trio: Lab) -> Iterator[list[Docker]]:
    """As ever, but what dockerd makes at a boot has other names and addresses."""
    counted = [kinds(traces(host)) for host in trio.hosts]
    dockers = [Docker(host) for host in trio.hosts]
    yield dockers
    parallel.each(Docker.remove_all, dockers)
    for host, seen in zip(trio.hosts, counted, strict=True):
        assert wait_until(partial(_is_left, host, seen), 2)


def _is_left(host: Host, counted: Counter[str]) -> bool:
    return kinds(traces(host)) == counted


@pytest.fixture
def blue(dockers: list[Docker], trio: Lab) -> Overlay:
    return Overlay(dockers, *over(trio), run=ALWAYS)


def test_pyflat_may_end_and_begin_again_without_a_packetlost(blue: Overlay, trio: Lab) -> None:
    before = [traces(host) for host in trio.hosts]
    for loss in lost(blue, lambda: parallel.each(kill_pyflat, trio.hosts)):
        assert loss.lost == 0
    for loss in lost(blue, lambda: parallel.each(start_pyflat, trio.hosts)):
        assert loss.lost == 0
    for host, seen in zip(trio.hosts, before, strict=True):
        assert difference(seen, traces(host)) == []
    assert blue.wrong() == {}


def test_dockerd_may_end_and_begin_again(blue: Overlay, trio: Lab) -> None:
    def restart(host: Host) -> None:
        host.dockerd.kill()
        host.dockerd.start()

    for loss in lost(blue, lambda: parallel.each(restart, trio.hosts)):
        assert loss.lost <= REWRITING
    assert blue.wrong() == {}
    assert amiss(trio) == {}


@pytest.mark.parametrize("name", ["h1", "h3"])
def test_a_host_comes_back_from_a_power_cut_without_help(
    blue: Overlay, trio: Lab, name: str
) -> None:
    host = trio.host(name)
    web = blue.webs[trio.hosts.index(host)]
    before = identities("blue", web)
    left = [one for one in blue.webs if one is not web]
    ways = [way for way in blue.ways() if way.place in left and way.server != name]
    power.cut(host)
    assert astray(ways) == {}
    start_pyflat(host)
    host.dockerd.start()
    assert wait_until(lambda: server_of(trio.outside, host.address4, PORT) == name, 30)
    after = identities("blue", web)
    assert [one.addresses for one in after] == [one.addresses for one in before]
    assert blue.wrong() == {}
    assert amiss(trio) == {}
