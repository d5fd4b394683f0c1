"""Every way in which pyflat, dockerd or the host may end, under containers that talk."""

import itertools
import os
import re
import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from time import monotonic
from typing import Any

import pytest
from _pytest.mark import ParameterSet
from tests.docker.crash import (
    age_endpoints,
    busy,
    kill_pyflat,
    recorded_endpoints,
    renew_worker,
    start_pyflat,
    tear_write,
)
from tests.docker.outage import Loss, Outage
from tests.docker.plugin import call
from tests.docker.pools import OWN, given_out
from tests.docker.traces import VETH_GRACE, Traces, difference, traces
from tests.docker.workload import NAMES, Workload

from dockerlab import Lab, power
from dockerlab.host import Host
from dockerlab.processes import wait_until

pytestmark = pytest.mark.placements

LATE = "Docker was started before pyflat"
#: The two ends of the way from a network apart to its host.
GATEWAYS = re.compile(r'"ifname": "p[fg]-')
#: Milliseconds that a dockerd may need to write its rules anew.
REWRITING = 200
#: Seconds in which containers have to run again.
PATIENCE = 60.0
#: Seconds that dockerd may need where it waits for a plugin that is not there.
LONG = 240.0
#: Cases that are much like another one, or where dockerd asks in vain, 15 seconds each time.
RARE = {
    "pyflat's master killed",
    "live-restore: dockerd restarted",
    "dockerd killed, then pyflat",
    "pyflat stopped, then dockerd",
}


def _cases(names: Iterable[str]) -> list[ParameterSet]:
    return [pytest.param(name, marks=pytest.mark.full if name in RARE else ()) for name in names]


@pytest.fixture(scope="module")
def workload(lab: Lab, host: Host) -> Iterator[Workload]:
    before = traces(host)
    workload = Workload(lab)
    workload.start()
    yield workload
    workload.docker.remove_all()
    assert wait_until(lambda: _new(host, before) == [], VETH_GRACE, 0.1), _new(host, before)


def _new(host: Host, before: Traces) -> list[str]:
    # docker0 has another MAC after each boot.
    return [line for line in difference(before, traces(host)) if '"docker0"' not in line]


@pytest.fixture
def work(workload: Workload) -> Workload:
    """It works, whatever the test before this one has found."""
    if not workload.runs():
        workload.mend()
    return workload


@pytest.fixture
def live_restore(work: Workload) -> Iterator[None]:
    """Containers outlive dockerd, as it learns while it runs."""
    _live_restore(work, on=True)
    yield
    _live_restore(work, on=False)


def _live_restore(work: Workload, *, on: bool) -> None:
    work.host.write_daemon_config({"live-restore": on})
    os.kill(work.host.dockerd.pid, signal.SIGHUP)
    said = str(on).lower()
    told = ("info", "-f", "{{.LiveRestoreEnabled}}")
    assert wait_until(lambda: work.docker(*told) == said, 10)


def _restart(host: Host) -> None:
    host.pyflat.stop()
    start_pyflat(host)


def _kill_master(host: Host) -> None:
    host.pyflat.kill()
    start_pyflat(host)


def _kill_both(host: Host) -> None:
    kill_pyflat(host)
    start_pyflat(host)


OF_PYFLAT: dict[str, Callable[[Host], None]] = {
    "pyflat's worker killed": lambda host: renew_worker(host, signal.SIGKILL),
    "pyflat's master killed": _kill_master,
    "pyflat killed": _kill_both,
    "pyflat upgraded": _restart,
    "pyflat told by HUP": lambda host: renew_worker(host, signal.SIGHUP),
}


@pytest.mark.parametrize("case", _cases(OF_PYFLAT))
def test_not_a_packet_is_lost_while_pyflat_restarts(
    work: Workload, outages: list[Outage], engine: str, case: str
) -> None:
    lost = _lost(work, outages, engine, case, OF_PYFLAT[case])
    assert [loss.lost for loss in lost] == [0, 0]


def _kill_dockerd(host: Host) -> None:
    host.dockerd.kill()
    host.dockerd.start()


def _restart_dockerd(host: Host) -> None:
    host.dockerd.stop()
    host.dockerd.start()


def _restart_pyflat_meanwhile(host: Host) -> None:
    host.dockerd.kill()
    _kill_both(host)
    host.dockerd.start()


OF_DOCKERD: dict[str, Callable[[Host], None]] = {
    "live-restore: dockerd killed": _kill_dockerd,
    "live-restore: dockerd restarted": _restart_dockerd,
    "live-restore: both killed": _restart_pyflat_meanwhile,
}


@pytest.mark.usefixtures("live_restore")
@pytest.mark.parametrize("case", _cases(OF_DOCKERD))
def test_containers_do_not_notice_a_restart_of_dockerd_with_live_restore(
    work: Workload, outages: list[Outage], engine: str, case: str
) -> None:
    lost = _lost(work, outages, engine, case, OF_DOCKERD[case])
    # dockerd takes its jump to DOCKER-USER out of its closed chain, and puts it back.
    assert max(loss.longest for loss in lost) < REWRITING


def _lost(
    work: Workload, outages: list[Outage], engine: str, case: str, happens: Callable[[Host], None]
) -> tuple[Loss, Loss]:
    """Let something happen that containers do not notice; give what two flows have lost."""
    before = work.snapshot()
    with work.flows() as (inside, outside):
        begin = monotonic()
        happens(work.host)
        seconds = monotonic() - begin
    outages.append(Outage(engine, case, str(inside.loss), str(outside.loss), seconds))
    assert work.same(before) == []
    assert work.troubles() == []
    return inside.loss, outside.loss


ENDS = {
    "dockerd killed": (signal.SIGKILL, ("dockerd",)),
    "dockerd killed, then pyflat": (signal.SIGKILL, ("dockerd", "pyflat")),
    "pyflat killed, then dockerd": (signal.SIGKILL, ("pyflat", "dockerd")),
    "dockerd stopped, then pyflat": (signal.SIGTERM, ("dockerd", "pyflat")),
    "pyflat stopped, then dockerd": (signal.SIGTERM, ("pyflat", "dockerd")),
}


@pytest.mark.parametrize("case", _cases(ENDS))
def test_containers_come_back_with_dockerd(
    work: Workload, outages: list[Outage], engine: str, case: str
) -> None:
    number, names = ENDS[case]
    before = work.snapshot()
    begin = monotonic()
    _end(work.host, number, *names)
    _start(work.host, *names)
    _comes_back(work, outages, Outage(engine, case, "all", "all", 0), begin)
    assert work.renewed(before) == []
    assert work.troubles() == []


def _end(host: Host, number: signal.Signals, *names: str) -> None:
    for name in names:
        if (number, name) == (signal.SIGKILL, "pyflat"):
            kill_pyflat(host)
        else:
            host.daemons[name].end(number, LONG)


def _start(host: Host, *names: str) -> None:
    """Pyflat first."""
    for name in sorted(names, reverse=True):
        if name == "pyflat":
            start_pyflat(host)
        else:
            host.dockerd.start(timeout=LONG)


def _comes_back(work: Workload, outages: list[Outage], outage: Outage, begin: float) -> None:
    assert wait_until(work.runs, PATIENCE)
    outages.append(replace(outage, seconds=monotonic() - begin))


def test_containers_come_back_after_a_power_cut(
    work: Workload, outages: list[Outage], engine: str
) -> None:
    host = work.host
    before = work.snapshot()
    with busy(host, work.docker.inspect("network", "blue")["Id"], "10.90.0.200/24"):
        power.cut(host)
    tear_write(host)
    begin = monotonic()
    _start(host, "pyflat", "dockerd")
    _comes_back(work, outages, Outage(engine, "power cut", "all", "all", 0), begin)
    assert work.renewed(before) == []
    assert work.troubles() == []


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("boot", [True, False], ids=["at boot", "both restarted"])
def test_a_dockerd_that_starts_first_waits_and_starts_nothing(
    work: Workload, outages: list[Outage], engine: str, boot: bool
) -> None:
    host = work.host
    before = work.snapshot()
    log = len(host.pyflat.log_end(10**6))
    if boot:
        power.cut(host)
    else:
        _end(host, signal.SIGTERM, "dockerd", "pyflat")
    begin = monotonic()
    host.dockerd.start(timeout=LONG)
    start_pyflat(host)
    assert host.pyflat.log_end(10**6)[log:].count(LATE) == 1
    assert not work.runs()
    work.docker("start", *NAMES)
    case = f"dockerd started first, {'at boot' if boot else 'both restarted'}"
    _comes_back(work, outages, Outage(engine, case, "all", "all", 0), begin)
    assert work.renewed(before) == []
    assert work.troubles() == []


def test_clean_up_of_what_pyflat_does_not_know_is_no_error(work: Workload) -> None:
    before = work.snapshot()
    unknown, blue = "0" * 64, work.docker.inspect("network", "blue")["Id"]
    methods = ("RevokeExternalConnectivity", "Leave", "DeleteEndpoint")
    for network in (unknown, blue):
        for order in itertools.permutations(methods):
            for method in order:
                own: dict[str, Any] = {"NetworkID": network, "EndpointID": unknown}
                assert call(work.host, f"NetworkDriver.{method}", **own) == {}
    gone: dict[str, Any] = {"NetworkID": unknown}
    assert call(work.host, "NetworkDriver.DeleteNetwork", **gone) == {}
    assert work.same(before) == []


@pytest.mark.full
@pytest.mark.timeout(900)
def test_what_is_removed_while_pyflat_is_away_is_gone_after_its_return(work: Workload) -> None:
    host, docker = work.host, work.docker
    before = work.snapshot()
    docker.network("brief", *OWN, "--subnet", "10.92.0.0/24", "--gateway", "10.92.0.1")
    docker.run("brief", "--network", "brief", "-p", "8080:80")
    network = docker.inspect("network", "brief")["Id"]
    kill_pyflat(host)
    docker("rm", "-f", "brief", timeout=LONG)
    docker("network", "rm", "brief", timeout=LONG)
    # What dockerd took out of a container lies in the host as before the container's start.
    age_endpoints(host)
    start_pyflat(host)
    left = difference(before.traces, traces(host))
    ends = [line for line in left if '"veth"' in line and not GATEWAYS.search(line)]
    assert [*ends, *(line for line in left if "8080" in line)] == []
    assert recorded_endpoints(host) == {own.endpoint for own in before.identities}
    assert {one for one in given_out(host) if one.startswith("10.92.")} == {"10.92.0.1"}
    # Only dockerd knows which networks there are, and it will not say again that this one is gone.
    host.run("pyflat", "forget", "network", network, check=True)
    host.run("pyflat", "forget", "pool", "10.92.0.0/24", check=True)
    assert [line for line in work.same(before) if not line[2:].startswith("record ")] == []
    assert work.troubles() == []
