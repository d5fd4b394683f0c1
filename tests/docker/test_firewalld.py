"""Beside firewalld, whose forward chain ends with a reject."""

from collections.abc import Iterator

import pytest
from tests.docker.client import Docker
from tests.docker.labels import modes, ways_in
from tests.docker.pages import REPOSITORY, chapters, follow
from tests.docker.reach import pings, server_of
from tests.docker.site import GRACE, GREEN_BRIDGE, Site, assert_works, at_work

from dockerlab import Lab
from dockerlab.firewalls import Firewalld
from dockerlab.host import Host

PAGES = (("docs/neighbours.md", "firewalld"),)
ROUTED, ROUTED6 = "10.92.0.0/24", "fd92::/64"

pytestmark = [pytest.mark.engine("28.5"), pytest.mark.placements]


@pytest.fixture
def firewalld(bare: Lab) -> Firewalld:
    """It does not run, but dockerd will find the bus."""
    firewalld = Firewalld(bare.host("h1"))
    firewalld.bus.start()
    return firewalld


@pytest.fixture
def site(bare: Lab, firewalld: Firewalld) -> Iterator[Site]:
    """The site, where firewalld was first, and what the page wants is installed."""
    firewalld.daemon.start()
    _install(bare.host("h1"))
    bare.host("h1").dockerd.start()
    with at_work(bare) as site:
        yield site


def _install(host: Host) -> None:
    """pyflat's zone and policy, as the page says; green's is the bridge that a user named."""
    for page, chapter in PAGES:
        steps = chapters(REPOSITORY / page)[chapter]
        assert follow(steps, {"": host.popen}, {"br-lan": GREEN_BRIDGE}) == []


def test_all_works_with_firewalld_and_after_its_reloads(site: Site, firewalld: Firewalld) -> None:
    assert_works(site)
    for words in ("--reload", "--complete-reload"):
        firewalld(words)
        assert_works(site, after=GRACE)


def test_without_the_zone_only_published_ports_get_through(
    site: Site, firewalld: Firewalld
) -> None:
    for bridge in ("pf-+", GREEN_BRIDGE):
        firewalld("--zone=pyflat", f"--remove-interface={bridge}")
    wrong = {"from blue to the outside", "from green to the outside"}
    if not Docker.apart:  # there, what neighbours say meets no firewall of the host
        wrong.add("neighbour")
    assert {name.partition(",")[0] for name in site.wrong()} == wrong
    assert site.leaks() == []


def test_all_works_again_when_firewalld_was_started_late_and_dockerd_again(
    bare: Lab, firewalld: Firewalld
) -> None:
    """Its start removes all rules of iptables, and a dockerd that found no firewalld does not
    make its own again."""
    bare.host("h1").dockerd.start()
    with at_work(bare) as site:
        firewalld.daemon.start()
        _install(site.host)
        _start_again(site)
        assert_works(site, after=GRACE)


@pytest.mark.full
def test_all_works_again_when_firewalld_was_stopped_and_dockerd_started_again(
    site: Site, firewalld: Firewalld
) -> None:
    """Its end removes all rules of iptables, too."""
    firewalld.daemon.stop()
    _start_again(site)
    assert_works(site, after=GRACE)


def _start_again(site: Site) -> None:
    site.host.dockerd.stop()
    site.host.dockerd.start()


def test_a_routed_network_is_entered_as_its_gateway_mode_says(site: Site) -> None:
    docker, outside = Docker(site.host), site.lab.outside
    docker.network("routed", "--ipv6", "--subnet", ROUTED, "--subnet", ROUTED6, *modes("routed"))
    web = docker.web("routed", "--network", "routed", "-p", "80")
    with ways_in(site.lab, ROUTED, ROUTED6):
        for version in (4, 6):
            address = web.address("routed", version)
            assert server_of(outside, address, 80) == "routed"
            assert pings(outside, address)
