"""`pyflat doctor` on hosts that agree by etcd, and beside other firewalls."""

import pytest
from tests.conftest import NEWEST
from tests.docker.client import Docker
from tests.docker.overlays import Overlay
from tests.docker.site import at_work
from tests.docker.test_doctor import examine

from dockerlab import Lab
from dockerlab.firewalls import Firewalld, Ufw
from dockerlab.host import Host
from dockerlab.processes import wait_until

pytestmark = [pytest.mark.full, pytest.mark.engine("28.5")]


def has(host: Host, check: str, text: str) -> bool:
    return text in examine(host)[1].get(check, "")


def test_hosts_of_a_cluster_are_well_until_etcd_or_another_host_is_away(
    dockers: list[Docker], trio: Lab
) -> None:
    Overlay(dockers)
    for host in trio.hosts:
        assert examine(host) == (0, {})
    one = trio.host("h1")
    trio.unplug("h2")
    assert has(one, "path", "192.0.2.12 answers no echo")
    assert wait_until(lambda: has(one, "peers", "h2 has not been heard of for"), 60, 1)
    trio.plug("h2")
    assert wait_until(lambda: examine(one) == (0, {}), 30, 1)
    assert trio.etcd is not None
    trio.etcd.kill()
    assert wait_until(lambda: has(one, "cluster", "etcd://"), 30, 1)
    trio.etcd.start()
    assert wait_until(lambda: examine(one) == (0, {}), 30, 1)


def test_a_container_that_docker_could_not_start_is_named(docker: Docker) -> None:
    docker.network("blue")
    docker.run("web", "--network", "blue")
    docker("stop", "web")
    docker.host.pyflat.stop()
    docker.refused("start", "web")
    docker.host.pyflat.start()
    assert wait_until(lambda: has(docker.host, "containers", "web was not started: "), 10)
    docker("start", "web")
    assert examine(docker.host) == (0, {})


def test_a_host_with_ufw_is_well(bare: Lab, engine: str) -> None:
    host = bare.host("h1")
    ufw = Ufw(host)
    ufw("--force", "enable")
    host.dockerd.start()
    with at_work(bare):
        if engine != NEWEST:  # older engines have no rules for IPv6
            assert has(host, "policies", "(IPv6)")
            allow(ufw)
        assert examine(host) == (0, {})


def test_a_host_with_ufw_and_no_rules_of_dockers_is_not(bare: Lab) -> None:
    host = bare.host("h1")
    ufw = Ufw(host)
    ufw("--force", "enable")
    host.write_daemon_config({"iptables": False, "ip6tables": False})
    host.dockerd.start()
    with at_work(bare):
        assert has(host, "policies", "chain FORWARD drops what leaves by")
        allow(ufw)
        assert examine(host) == (0, {})


def allow(ufw: Ufw) -> None:
    """Have ufw let through what pyflat's networks send and receive."""
    for bridge in ("pf-+", "greenbr"):
        for way in ("in", "out"):
            ufw("route", "allow", way, "on", bridge)


def test_a_host_with_firewalld_wants_its_zone(bare: Lab) -> None:
    host = bare.host("h1")
    firewalld = Firewalld(host)
    firewalld.bus.start()
    firewalld.daemon.start()
    host.dockerd.start()
    with at_work(bare):
        assert has(host, "policies", "table inet firewalld")
