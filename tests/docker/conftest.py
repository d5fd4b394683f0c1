"""Docker hosts to test on, and the watch over what each test leaves there."""

from collections.abc import Generator, Iterator

import pytest
from tests.conftest import NEWEST
from tests.docker.client import Docker
from tests.docker.outage import Outage, table
from tests.docker.overlays import lab_of_three
from tests.docker.starting import bare_lab, start
from tests.docker.traces import assert_same, traces
from tests.support.guest import IMAGE, Guest, guest

from dockerlab import Lab, parallel
from dockerlab.host import Host


@pytest.fixture(scope="module")
def lab(engine: str) -> Iterator[Lab]:
    """One host with an engine and pyflat, and the machine outside."""
    with bare_lab(engine) as lab:
        start(lab.host("h1"))
        yield lab


@pytest.fixture
def bare(engine: str, placement: str) -> Iterator[Lab]:
    """One host of the test's own, on which nothing runs yet."""
    with bare_lab(engine) as lab:
        yield lab


@pytest.fixture(scope="module")
def placement(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where the bridges of networks lie; `docker network create` is told if not with the host."""
    placement = getattr(request, "param", "host")
    Docker.apart = placement == "own"
    yield placement
    Docker.apart = False


@pytest.fixture(scope="module")
def host(lab: Lab, placement: str) -> Host:
    return lab.host("h1")


@pytest.fixture(scope="module", params=["pyflat", pytest.param("bridge", marks=pytest.mark.full)])
def driver(host: Host, engine: str, request: pytest.FixtureRequest) -> str:
    """The driver of a test's networks: where all is run, Docker's own has to behave the same."""
    if request.param == "bridge":
        if engine != NEWEST:
            pytest.skip("older ones lack labels, and IPv6 that is whole")
        # It would switch this on with its first IPv6 network, for good.
        host.run("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1", check=True)
    return str(request.param)


@pytest.fixture
def docker(host: Host) -> Iterator[Docker]:
    """The host's docker command; all that a test made goes afterwards, without a trace."""
    docker = Docker(host)
    before = traces(host)
    yield docker
    docker.remove_all()
    assert_same(host, before)


@pytest.fixture(scope="module")
def trio(engine: str) -> Iterator[Lab]:
    """Three hosts for overlays, of both kinds."""
    with lab_of_three(engine) as lab:
        yield lab


@pytest.fixture
def dockers(trio: Lab) -> Iterator[list[Docker]]:
    """The docker commands of the three hosts, with what `docker` promises for one."""
    dockers = [Docker(host) for host in trio.hosts]
    before = [traces(host) for host in trio.hosts]
    yield dockers
    parallel.each(Docker.remove_all, dockers)
    for host, seen in zip(trio.hosts, before, strict=True):
        assert_same(host, seen)


@pytest.fixture(scope="module")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    """A machine that systemd has booted, with Docker and a clone of this checkout."""
    with guest(tmp_path_factory.mktemp("guest")) as machine:
        try:
            machine.boot()
        except RuntimeError as error:
            pytest.skip(str(error))
        machine.run("docker", "load", "--input", IMAGE)
        yield machine


@pytest.fixture(scope="session")
def outages(request: pytest.FixtureRequest) -> Iterator[list[Outage]]:
    """What was lost, to be written to the file of --outage-report."""
    found: list[Outage] = []
    yield found
    report = request.config.getoption("--outage-report")
    if report:
        report.write_text(table(found))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of the daemons' logs with a failure."""
    report = yield
    labs = [value for value in getattr(item, "funcargs", {}).values() if isinstance(value, Lab)]
    if report.failed:
        for host in (host for lab in labs for host in lab.hosts):
            for daemon in (host.pyflat, host.dockerd):
                report.sections.append((str(daemon), daemon.log_end(20)))
    return report
