"""Beside ufw, which drops what is forwarded and not allowed."""

from itertools import product

import pytest
from tests.conftest import NEWEST
from tests.docker.client import Docker
from tests.docker.pages import REPOSITORY, chapters, follow
from tests.docker.site import BLUE6, DOCKERS_PORT, GREEN6, GREEN_BRIDGE, assert_works, at_work

from dockerlab import Lab
from dockerlab.firewalls import Ufw

pytestmark = pytest.mark.placements

PAGES = (("docs/neighbours.md", "ufw"),)
NO_RULES = {"iptables": False, "ip6tables": False}


@pytest.fixture
def ufw(bare: Lab) -> Ufw:
    """Enabled with its defaults, before Docker and pyflat."""
    ufw = Ufw(bare.host("h1"))
    ufw("--force", "enable")
    return ufw


def test_all_works_with_ufw_and_after_its_reload(bare: Lab, ufw: Ufw, engine: str) -> None:
    bare.host("h1").dockerd.start()
    assert "deny (routed)" in ufw("status", "verbose")
    if engine != NEWEST:
        # Older ones make no rules of IPv6 by themselves.
        for subnet in (BLUE6, GREEN6):
            for end in ("from", "to"):
                ufw("route", "allow", end, subnet)
    with at_work(bare) as site:
        assert_works(site)
        ufw("reload")
        assert_works(site)


@pytest.mark.engine("28.5")
def test_all_works_with_its_routes_allowed_where_docker_makes_no_rules(bare: Lab, ufw: Ufw) -> None:
    host = bare.host("h1")
    host.write_daemon_config(NO_RULES)
    host.dockerd.start()
    # What Docker's own proxy listens on is a service of the host.
    ufw("allow", str(DOCKERS_PORT))
    with at_work(bare) as site:
        wrong = site.wrong()
        assert "from blue to the outside, IPv4" in wrong
        # Between neighbours apart from the host there is no firewall of the host.
        assert ("neighbour, IPv4" in wrong) is not Docker.apart
        for (page, chapter), bridge in product(PAGES, ("pf-+", GREEN_BRIDGE)):
            steps = chapters(REPOSITORY / page)[chapter]
            assert follow(steps, {"": host.popen}, {"pf-+": bridge}) == []
        assert_works(site)
