"""Beside the variants of Docker's own rules: both iptables, and none."""

import pytest
from tests.docker.site import GRACE, assert_works, at_work

from dockerlab import Lab
from dockerlab.firewalls import legacy_iptables

pytestmark = pytest.mark.placements


def test_all_works_beside_iptables_nft(bare: Lab) -> None:
    host = bare.host("h1")
    host.dockerd.start()
    with at_work(bare) as site:
        assert "-j DOCKER-USER" in host.run("iptables-nft", "-S", "FORWARD", check=True).stdout
        assert_works(site)


@pytest.mark.engine("28.5")
def test_all_works_beside_iptables_legacy(bare: Lab) -> None:
    host = bare.host("h1")
    host.dockerd.env = host.pyflat.env = legacy_iptables(host)
    host.dockerd.start()
    with at_work(bare) as site:
        assert "-j DOCKER-USER" in host.run("iptables-legacy", "-S", "FORWARD", check=True).stdout
        tables = host.run("nft", "list", "tables", check=True).stdout
        assert set(tables.splitlines()) == {"table inet pyflat", "table bridge pyflat_hairpin"}
        assert_works(site)
        host.run("iptables-legacy", "-F", "DOCKER-USER", check=True)
        assert_works(site, after=GRACE)


def test_all_works_where_docker_makes_no_rules(bare: Lab) -> None:
    host = bare.host("h1")
    host.write_daemon_config({"iptables": False})
    host.dockerd.start()
    with at_work(bare) as site:
        assert "DOCKER" not in host.run("iptables", "-S", "FORWARD", check=True).stdout
        assert_works(site)
