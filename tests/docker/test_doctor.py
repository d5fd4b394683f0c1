"""`pyflat doctor` names what is wrong with a host, and nothing on one that is well."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeAlias

import pytest
from tests.docker.client import Container, Docker
from tests.docker.crash import start_pyflat
from tests.docker.faults import closed, commands
from tests.docker.traces import difference, traces

from dockerlab import Lab
from dockerlab.host import Host
from dockerlab.processes import wait_until
from dockerlab.underlay import OUTSIDE

pytestmark = pytest.mark.placements

SUBNET, FOLDER, SOCKET = "10.90.0.0/24", "/var/lib/pyflat", "/run/docker/plugins/gone.sock"
FORWARD = "add table inet other; add chain inet other f { type filter hook forward priority 10; "
INPUT = "add table inet other; add chain inet other i { type filter hook input priority 0; "
BIND = f"import socket; socket.socket(socket.AF_UNIX).bind('{SOCKET}')"

#: What a check is told of, and the words that it has for it.
Findings: TypeAlias = dict[str, str]


def examine(host: Host) -> tuple[int, Findings]:
    """The status, and what is amiss: the evidence of each check that warns or fails."""
    done = host.run("pyflat", "doctor", "--json")
    assert done.stderr == ""
    found = json.loads(done.stdout)["findings"]
    wrong = [each for each in found if each["verdict"] in {"warn", "fail"}]
    assert all(each["remedy"] for each in wrong)
    assert not [each for each in found if each not in wrong and "[Errno" in each["evidence"]]
    return done.returncode, {each["check"]: each["evidence"] for each in wrong}


def overlay(docker: Docker) -> Container:
    """A container of an overlay whose other host is the machine outside."""
    peers = f"peers={docker.host.address4},{OUTSIDE[0]}"
    docker.network("tunnel", "-o", "vni=42", "-o", peers, "--subnet", "10.42.0.0/16")
    return docker.run("distant", "--network", "tunnel")


def test_a_host_that_is_well_has_no_finding(docker: Docker) -> None:
    assert examine(docker.host) == (0, {})
    docker.network("blue", "--ipv6", "--subnet", SUBNET, "--subnet", "fd90::/64")
    docker.network("closed", "--internal")
    docker.web("web", "--network", "blue", "-p", "81:80")
    docker.run("near", "--network", "blue")
    assert examine(docker.host) == (0, {})
    overlay(docker)
    assert examine(docker.host) == (0, {})


@pytest.fixture(scope="module")
def world(host: Host) -> Iterator[Docker]:
    """A network with a published port, and an overlay."""
    docker = Docker(host)
    docker.network("blue", "--subnet", SUBNET)
    docker.web("web", "--network", "blue", "-p", "81:80", "--ip", "10.90.0.2")
    docker.run("near", "--network", "blue")
    overlay(docker)
    time.sleep(2)  # what pyflat still looks at would mend what is planted
    yield docker
    docker.remove_all()


@pytest.mark.engine("28.5")
def test_it_changes_nothing_and_people_can_read_it(world: Docker) -> None:
    before = traces(world.host)
    done = world.host.run("pyflat", "doctor", check=True)
    assert difference(before, traces(world.host)) == []
    assert "ok      plugin        pyflat " in done.stdout
    assert "\x1b" not in done.stdout


def shell(plant: str, undo: str) -> Callable[[Docker, Lab], AbstractContextManager[None]]:
    return lambda docker, lab: commands(docker.host, plant, undo)


def closed_uplink(docker: Docker, lab: Lab) -> AbstractContextManager[None]:
    return closed(docker.host, "eth0")


@contextmanager
def second_way_out(docker: Docker, lab: Lab) -> Iterator[None]:
    host = docker.host
    plant = (
        "ip link add up1 type veth peer name up2; ip link set up1 up; ip link set up2 up;"
        "sysctl -qw net.ipv4.conf.up1.rp_filter=1; ip route add default dev up1 metric 900"
    )
    with commands(host, plant, "ip link delete up1"):
        assert wait_until(lambda: host.run("pyflat", "plan").returncode == 0, 5)
        yield
    assert wait_until(lambda: host.run("pyflat", "plan").returncode == 0, 5)


@contextmanager
def narrow_path(docker: Docker, lab: Lab) -> Iterator[None]:
    lab.outside.run("ip", "link", "set", "eth0", "mtu", "1400", check=True)
    try:
        yield
    finally:
        lab.outside.run("ip", "link", "set", "eth0", "mtu", "1500", check=True)


@contextmanager
def stolen_address(docker: Docker, lab: Lab) -> Iterator[None]:
    near = Container(docker, "near")
    words = ("address", "10.90.0.2/32", "dev", "eth0")
    assert near.run("ip", words[0], "add", *words[1:]).returncode == 0
    yield
    assert near.run("ip", words[0], "delete", *words[1:]).returncode == 0


@contextmanager
def taken_interface(docker: Docker, lab: Lab) -> Iterator[None]:
    victim = docker.run("victim", "--network", "blue")
    assert victim.run("ip", "link", "delete", "eth0").returncode == 0
    yield
    docker("rm", "-f", "victim")


@contextmanager
def killed_plugin(docker: Docker, lab: Lab) -> Iterator[None]:
    docker.host.pyflat.kill()
    try:
        yield
    finally:
        start_pyflat(docker.host)


PLANTS = {
    "an uplink does not forward and cannot be made to": (
        {"forwarding": "net.ipv4.conf.eth0.forwarding is 0", "plan": "missing: forwarding eth0 4"},
        closed_uplink,
    ),
    "another firewall drops what is forwarded": (
        {"policies": "table inet other, chain f drops what leaves by pf-"},
        shell(f"nft '{FORWARD} policy drop; }}'", "nft delete table inet other"),
    ),
    "the legacy iptables do": (
        {"policies": "legacy iptables filter, chain FORWARD drops what leaves by pf-"},
        shell("iptables-legacy -P FORWARD DROP", "iptables-legacy -P FORWARD ACCEPT"),
    ),
    "Docker does not ask DOCKER-USER": (
        {
            "policies": "table ip filter, chain FORWARD drops what leaves by pf-",
            "docker-user": "does not jump to DOCKER-USER",
        },
        shell("iptables -D FORWARD -j DOCKER-USER", "iptables -I FORWARD -j DOCKER-USER"),
    ),
    "frames of overlays meet iptables": (
        {"br_netfilter": "net.bridge.bridge-nf-call-iptables is 1 in namespace pyflat"},
        shell(
            "ip netns exec pyflat sysctl -qw net.bridge.bridge-nf-call-iptables=1",
            "ip netns exec pyflat sysctl -qw net.bridge.bridge-nf-call-iptables=0",
        ),
    ),
    "a strict filter and two ways out": (
        {"rp_filter": "net.ipv4.conf.up1.rp_filter is strict"},
        second_way_out,
    ),
    "a path that takes less": (
        {"path": f"bytes are lost on the way to {OUTSIDE[0]}, and those of 140"},
        narrow_path,
    ),
    "somebody else sets up our interfaces": (
        {"udev": "MACAddressPolicy=persistent".lower()},
        shell(
            "mkdir -p /run/systemd/network; printf '[Match]\nOriginalName=p*\n[Link]\n"
            "MACAddressPolicy=persistent\n' >/run/systemd/network/10-all.link",
            "rm -r /run/systemd",
        ),
    ),
    "a socket where nobody listens": (
        {"sockets": f"{SOCKET}: nobody listens"},
        shell(f'python3 -c "{BIND}"', f"rm {SOCKET}"),
    ),
    "an address that two containers have": (
        {"addresses": "10.90.0.2 of 02:42:0a:5a:00:02 is claimed by 02:42:0a:5a:00:03, too"},
        stolen_address,
    ),
    "a closed tunnel": (
        {"tunnel-port": "table inet other, chain i drops UDP port 4789 from eth0"},
        shell(
            f"nft '{INPUT} policy drop; }}; add rule inet other i ct state established accept;"
            "add rule inet other i tcp dport 22 accept'",
            "nft delete table inet other",
        ),
    ),
    "a full disk": (
        {"folder": f"{FOLDER} is full"},
        shell(
            f"mount -t tmpfs -o size=64k tmpfs {FOLDER}; cat /dev/zero >{FOLDER}/ballast || true",
            f"umount {FOLDER}",
        ),
    ),
    "a program that is missing": (
        {"programs": "/usr/sbin/dnsmasq is missing"},
        shell("mount --bind /dev/null /usr/sbin/dnsmasq", "umount /usr/sbin/dnsmasq"),
    ),
    "an interface that was taken from its container": (
        {"plan": "was taken from the container"},
        taken_interface,
    ),
    "a plugin that was killed": (
        {"plugin": "no pyflat answers", "sockets": "pyflat.sock: nobody listens"},
        killed_plugin,
    ),
}


#: These take the longest.
RARE = {
    "a strict filter and two ways out",
    "an interface that was taken from its container",
    "a plugin that was killed",
}


@pytest.mark.engine("28.5")
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.full if n in RARE else ()) for n in PLANTS]
)
def test_what_is_wrong_is_named_and_nothing_else(name: str, world: Docker, lab: Lab) -> None:
    expected, plant = PLANTS[name]
    for _ in range(3):
        with plant(world, lab):
            status, found = examine(world.host)
        if found:
            break  # else pyflat's look at everything, once a minute, has mended it
    assert found.keys() == expected.keys(), found
    assert [part for check, part in expected.items() if part not in found[check]] == [], found
    assert status in {1, 2}
