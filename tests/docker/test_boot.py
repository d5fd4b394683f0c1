"""A machine that systemd boots: pyflat is there before Docker, and confined to what it needs."""

from pathlib import Path

import pytest
from tests.docker.pages import REPOSITORY, chapters, follow
from tests.support.guest import SERVER, Guest, add_underlay, answers
from tests.support.witness import eventually

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]

PAGES = (("docs/operations.md", "Install as a service"),)
PORTS = ("127.0.0.1:81", "[::1]:82")
DROP_IN = "/run/systemd/system/pyflat.service.d/impatient.conf"


@pytest.fixture(scope="module")
def host(booted: Guest) -> Guest:
    """A machine with pyflat as a service, and a container that is to be there always."""
    for page, chapter in PAGES:
        assert follow(chapters(REPOSITORY / page)[chapter], {"": booted.popen}) == []
    booted.run("docker", "network", "create", "-d", "pyflat", "--ipv6", "--subnet=fd00::/64",
               "--subnet=10.7.0.0/24", "--ipam-driver=pyflat", "lan")  # fmt: skip
    booted.run("docker", "run", "-d", "--name=web", "--network=lan", "--restart=always",
               "-p81:80", "-p[::1]:82:80", "busybox", "sh", "-c", SERVER)  # fmt: skip
    return booted


def moment(host: Guest, what: str, unit: str) -> int:
    """Give the microseconds from the machine's start at which something happened to a unit."""
    return int(host.run("systemctl", "show", "--value", f"--property={what}Monotonic", unit))


def users(host: Guest, program: str) -> list[str]:
    """Give the users of all processes of a program."""
    lines = host.run("ps", "-eo", "user=,args=").splitlines()
    return [line.split()[0] for line in lines if program in line]


def relays(host: Guest) -> list[str]:
    """Give the users of all relays."""
    return users(host, "systemd-socket-proxyd")


@pytest.mark.parametrize("end", [Guest.power_off, Guest.cut_power])
def test_after_a_boot_the_container_is_back_and_its_ports_answer(host: Guest, end: object) -> None:
    assert callable(end)
    end(host)
    host.boot()
    assert eventually(lambda: answers(host, *PORTS), 60)
    socket = moment(host, "ActiveEnterTimestamp", "pyflat.socket")
    service = moment(host, "ActiveEnterTimestamp", "pyflat.service")
    docker = moment(host, "ExecMainStartTimestamp", "docker.service")
    assert 0 < socket < service < docker
    assert host.run("systemctl", "--failed", "--quiet", "--plain") == ""
    assert "WARNING" not in host.run("journalctl", "--boot", "--unit=pyflat.service")


def test_a_pyflat_that_fails_at_boot_does_not_keep_docker_from_starting_later(host: Guest) -> None:
    state = host.root / "var/lib/pyflat/pyflat.db"
    host.power_off()
    good = state.read_bytes()
    state.write_bytes(b"not a database" * 100)
    host.boot()
    assert eventually(lambda: moment(host, "ExecMainStartTimestamp", "docker.service") > 0, 30)
    assert not answers(host, *PORTS)
    state.write_bytes(good)
    assert eventually(lambda: answers(host, *PORTS), 60)


def test_the_confined_service_does_all_that_it_is_for(host: Guest) -> None:
    assert eventually(lambda: answers(host, *PORTS), 30)
    assert set(relays(host)) == {"nobody"}
    host.run("iptables", "-F", "DOCKER-USER")
    host.run("ip", "link", "delete", host.run("sh", "-c", "ls /sys/class/net | grep pf-").strip())
    assert eventually(lambda: "0x20000000" in host.run("iptables", "-S", "DOCKER-USER"))
    assert eventually(lambda: answers(host, *PORTS))
    host.run("pyflat", "plan")
    host.run("docker", "run", "-d", "--name=other", "--network=lan", "-p[::1]:83:80", "busybox",
             "sh", "-c", SERVER)  # fmt: skip
    assert eventually(lambda: answers(host, "[::1]:83"))
    assert relays(host) == ["nobody"] * 2
    host.run("docker", "rm", "-f", "other")
    assert relays(host) == ["nobody"]


def test_the_confined_service_answers_for_the_names_of_an_overlay(host: Guest) -> None:
    add_underlay(host)
    host.run("docker", "network", "create", "-d", "pyflat", "-o", "vni=42", "-o", "peers=192.0.2.2",
             "--subnet=10.42.0.0/16", "blue")  # fmt: skip
    host.run("docker", "run", "-d", "--name=far", "--network=blue", "busybox", "sleep", "1d")
    ask = ("docker", "exec", "far", "nslookup", "-type=a", "far", "10.42.0.1")
    assert eventually(lambda: "Address: 10.42.0.2" in host.run(*ask, check=False))
    assert set(users(host, "dnsmasq")) == {"nobody"}
    host.run("docker", "rm", "-f", "far")
    assert eventually(lambda: users(host, "dnsmasq") == [])
    host.run("docker", "network", "rm", "blue")


@pytest.mark.parametrize("command", ["reload", "restart"])
def test_relays_end_with_their_worker_and_ports_are_held_again(host: Guest, command: str) -> None:
    assert eventually(lambda: answers(host, *PORTS), 30)
    host.run("systemctl", command, "pyflat.service")
    assert eventually(lambda: relays(host) == [], 10)
    assert eventually(lambda: answers(host, *PORTS), 10)
    host.run("pyflat", "plan")


def test_a_stuck_service_is_started_again(host: Guest) -> None:
    drop_in = f"mkdir -p {Path(DROP_IN).parent}; printf '[Service]\\nWatchdogSec=2\\n' > {DROP_IN}"
    host.run("sh", "-c", drop_in)
    host.run("systemctl", "daemon-reload")
    host.run("systemctl", "restart", "pyflat.service")
    started = moment(host, "ExecMainStartTimestamp", "pyflat.service")
    host.run("sh", "-c", "kill -STOP $(pgrep -P $(systemctl show --value -p MainPID pyflat))")
    assert eventually(
        lambda: moment(host, "ExecMainStartTimestamp", "pyflat.service") > started, 30
    )
    assert eventually(lambda: answers(host, *PORTS), 10)
    assert "Watchdog timeout" in host.run("journalctl", "--boot", "--unit=pyflat.service")
