"""Beside firewalld, whose forward chain ends with a reject."""

import shutil
from collections.abc import Iterator

import pytest
from tests.docker.client import Docker
from tests.docker.labels import modes, ways_in
from tests.docker.reach import pings, server_of
from tests.docker.site import GRACE, GREEN_BRIDGE, Site, assert_works, at_work

from dockerlab import Lab, settings
from dockerlab.firewalls import Firewalld

RULES = settings.REPOSITORY / "contrib/firewalld"
ROUTED, ROUTED6 = "10.92.0.0/24", "fd92::/64"

pytestmark = pytest.mark.engine("28.5")


@pytest.fixture
def firewalld(bare: Lab) -> Firewalld:
    """With pyflat's zone and policy installed; it does not run, but dockerd will find the bus."""
    firewalld = Firewalld(bare.host("h1"))
    shutil.copytree(RULES, firewalld.config, dirs_exist_ok=True)
    firewalld.bus.start()
    return firewalld


@pytest.fixture
def site(bare: Lab, firewalld: Firewalld) -> Iterator[Site]:
    """The site, where firewalld was first, and knows green's bridge."""
    firewalld.daemon.start()
    _name_bridge(firewalld)
    bare.host("h1").dockerd.start()
    with at_work(bare) as site:
        yield site


def _name_bridge(firewalld: Firewalld) -> None:
    """The bridge that a user named is in pyflat's zone, now and after reloads."""
    word = f"--add-interface={GREEN_BRIDGE}"
    firewalld("--zone=pyflat", word)
    firewalld("--permanent", "--zone=pyflat", word)


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
    assert {name.partition(",")[0] for name in site.wrong()} == {
        "neighbour",
        "from blue to the outside",
        "from green to the outside",
    }
    assert site.leaks() == []


def test_all_works_again_when_firewalld_was_started_late_and_dockerd_again(
    bare: Lab, firewalld: Firewalld
) -> None:
    """Its start removes all rules of iptables, and a dockerd that found no firewalld does not
    make its own again."""
    bare.host("h1").dockerd.start()
    with at_work(bare) as site:
        firewalld.daemon.start()
        _name_bridge(firewalld)
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
