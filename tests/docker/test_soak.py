"""Lives of networks and containers with daemons killed, and whether the soak sees what is left."""

import pytest
from tests.docker.traces import assert_same, traces

from dockerbench.api import Plugin
from dockerlab.host import Host
from dockersoak.residue import PLUGIN_SOCKET, leaks, orphans
from dockersoak.soak import ROUND, soak

pytestmark = pytest.mark.engine("28.5")


@pytest.mark.parametrize("lives", [ROUND, pytest.param(10 * ROUND, marks=pytest.mark.full)])
@pytest.mark.timeout(900)
def test_nothing_is_left_and_only_kills_are_felt(host: Host, lives: int) -> None:
    result = soak(host, seed=5, kills=20, goes_on=lambda so_far, _: so_far < lives)
    assert result.lives == lives
    assert result.journal.kills.total() > 0
    assert result.journal.done["start"] > lives
    assert result.leaks == []
    assert result.journal.unexplained == []


def test_the_soak_sees_what_is_left(host: Host) -> None:
    before = traces(host)
    host.run("ip", "link", "add", "left0", "type", "bridge", check=True)
    assert any("left0" in line for line in leaks(host, before))
    host.run("ip", "link", "delete", "left0", check=True)
    assert leaks(host, before) == []


def test_the_soak_removes_what_dockerd_does_not_know(host: Host) -> None:
    before, plugin = traces(host), Plugin(host.path(PLUGIN_SOCKET))
    plugin.call("IpamDriver.RequestPool", AddressSpace="PyflatLocal", Pool="10.9.0.0/24")
    data = [{"Pool": "10.8.0.0/24", "Gateway": "10.8.0.1/24"}]
    plugin.call(
        "NetworkDriver.CreateNetwork", NetworkID="a" * 64, Options={}, IPv4Data=data, IPv6Data=[]
    )
    assert sorted(orphans(host)) == ["network", "pool"]
    assert_same(host, before)
