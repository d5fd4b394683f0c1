"""What others break is noticed by the kernel's notifications, and mended."""

import re
import select
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from tests.support import dockerd, witness
from tests.support.dockerd import docker_id
from tests.support.inhabited import inside, settle
from tests.support.machine import Machine, count_calls
from tests.support.witness import MENDED

from pyflat.dataplane.difference import Difference
from pyflat.dataplane.events import Events, Reader
from pyflat.dataplane.watch import DELAY, RETRY, Watch, _Source, _tell
from pyflat.model import Endpoint

LAN, WEB = docker_id("lan"), docker_id("web")
BRIDGE, HOST_END = f"pf-{LAN[:12]}", f"pv-{WEB[:12]}"
OWN, OWN6 = "172.30.0.2/24", "fd00::2/64"
NETWORK = dockerd.create_network(LAN, "172.30.0.0/24", "fd00::/64")

DAMAGE = {
    "all tables": ("nft flush ruleset", r"table inet"),
    "our table": ("nft delete table inet pyflat", r"table inet"),
    "the table of frames": ("nft delete table bridge pyflat_hairpin", r"table bridge"),
    "a chain": ("nft flush chain inet pyflat forward", r"table inet"),
    "a published port": (
        "nft delete element inet pyflat anyport4 { tcp . 8080 }",
        r"^repair 1: missing: element of inet pyflat anyport4$",
    ),
    "the accept among Docker's rules": ("iptables -F DOCKER-USER", r"docker-user ip\b"),
    "its place among Docker's rules": (
        "ip6tables -A DOCKER-USER -s fd01::/64 -j DROP",
        r"docker-user ip6\b",
    ),
    "the bridge": (f"ip link delete {BRIDGE}", rf"missing: link {BRIDGE}"),
    "the bridge is down": (f"ip link set {BRIDGE} down", rf"changed: link {BRIDGE}"),
    "its MTU": (f"ip link set {BRIDGE} mtu 1300", rf"changed: link {BRIDGE}"),
    "its address": (
        f"ip address del 172.30.0.1/24 dev {BRIDGE}",
        rf"missing: address {BRIDGE} 172.30.0.1/24$",
    ),
    "its IPv6 address": (
        f"ip address del fd00::1/64 dev {BRIDGE}",
        rf"missing: address {BRIDGE} fd00::1/64$",
    ),
    "its forwarding": (f"sysctl net.ipv4.conf.{BRIDGE}.forwarding=0", rf"forwarding {BRIDGE} 4"),
    "its IPv6 forwarding": (
        f"sysctl net.ipv6.conf.{BRIDGE}.force_forwarding=0",
        rf"forwarding {BRIDGE} 6",
    ),
    "a port's membership": (f"ip link set {HOST_END} nomaster", rf"changed: link {HOST_END}"),
    "a port is down": (f"ip link set {HOST_END} down", rf"changed: link {HOST_END}"),
}


@pytest.fixture
def watched(machine: Machine, container: str) -> Iterator[Machine]:
    """A container with a published port, and a watch over it all."""
    machine.send(NETWORK, *dockerd.run(LAN, WEB, OWN, "8080:80", v6=OWN6))
    settle(container, WEB, OWN, OWN6)
    assert machine.pending() == []
    watch = Watch(machine.engine)
    watch.start()
    yield machine
    watch.end()


def healed(machine: Machine, container: str) -> bool:
    return machine.is_whole() and all(
        inside(container, "ping", "-c1", "-W1", gateway, check=False).count(" 0% packet loss")
        for gateway in ("172.30.0.1", "fd00::1")
    )


@pytest.mark.parametrize(("command", "words"), DAMAGE.values(), ids=list(DAMAGE))
def test_damage_is_mended_logged_and_counted(
    watched: Machine,
    container: str,
    command: str,
    words: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    witness.run(*command.split())
    assert witness.eventually(lambda: bool(repairs(caplog)), MENDED), "not noticed"
    assert witness.eventually(lambda: healed(watched, container), MENDED), watched.engine.pending()
    assert re.search(words, repairs(caplog)[0]), repairs(caplog)
    assert repairs(caplog)[0].startswith("repair 1: ")


def repairs(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [line for line in caplog.messages if line.startswith("repair")]


def test_the_way_in_from_outside_is_opened_again(
    watched: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    for words in (
        "link add up0 type veth peer name up1",
        "link set up1 up",
        "address add 192.0.2.1/24 dev up0",
        "link set up0 up",
        "route add default via 192.0.2.254",
    ):
        witness.run("ip", *words.split())
    forwards = ("sysctl", "-n", "net.ipv4.conf.up0.forwarding")
    assert witness.eventually(lambda: witness.run(*forwards).strip() == "1", MENDED)
    witness.run("sysctl", "net.ipv4.conf.up0.forwarding=0")
    assert witness.eventually(lambda: bool(repairs(caplog)), MENDED), "not noticed"
    assert repairs(caplog)[0] == "repair 1: missing: forwarding up0 4"
    assert witness.run(*forwards).strip() == "1"


def test_a_watch_that_was_ended_is_over(machine: Machine) -> None:
    watch = Watch(machine.engine)
    watch.start()
    assert "watch" in {thread.name for thread in threading.enumerate()}
    watch.end()
    assert "watch" not in {thread.name for thread in threading.enumerate()}


def test_what_we_do_ourselves_and_what_others_do_elsewhere_is_no_damage(
    watched: Machine, container: str, caplog: pytest.LogCaptureFixture
) -> None:
    converges = count_calls(watched, "converge")
    other = docker_id("other")
    witness.run("nft", "add table ip foreign; add chain ip foreign c; delete table ip foreign")
    for words in (
        "ip link add foreign type bridge",
        "ip address add 10.1.1.1/24 dev foreign",
        "ip address del 10.1.1.1/24 dev foreign",
        "ip link delete foreign",
        f"ip address add 172.30.0.77/24 dev {BRIDGE}",
        f"ip address del 172.30.0.77/24 dev {BRIDGE}",
        "iptables -N FOREIGN",
        "iptables -A FOREIGN -j DROP",
        "iptables -F FOREIGN",
    ):
        witness.run(*words.split())
    requests = (
        dockerd.run(LAN, other, "172.30.0.3/24", "8081-8084:80", v6="fd00::3/64"),
        dockerd.stop(LAN, other),
        [*dockerd.stop(LAN, WEB), dockerd.delete_network(LAN)],
    )
    # Not in the main thread, as requests never are.
    with ThreadPoolExecutor(1) as thread:
        for calls in requests:
            thread.submit(watched.send, *calls).result()
        time.sleep(3 * DELAY)
    assert converges() == 0
    assert repairs(caplog) == []


def test_a_pair_that_went_with_its_container_is_no_damage(
    machine: Machine, container: str, caplog: pytest.LogCaptureFixture
) -> None:
    machine.send(NETWORK, *dockerd.run(LAN, WEB, OWN, "8080:80", v6=OWN6))
    watch = Watch(machine.engine)
    watch.start()
    converges = count_calls(machine, "converge")
    witness.run("ip", "link", "delete", HOST_END)
    time.sleep(3 * DELAY)
    watch.end()
    assert converges() == 0
    assert caplog.messages == []


def test_a_pair_taken_from_a_living_container_is_named_with_what_helps(
    watched: Machine, container: str, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint = watched.engine.state.require(Endpoint, WEB)
    sandbox = f"/run/netns/{container}"
    watched.engine.update(lambda s: (s.put(replace(endpoint, sandbox=sandbox)), None))
    witness.run("ip", "link", "delete", HOST_END)
    lost = f"interface {HOST_END} was taken from the container of endpoint {WEB[:12]}"
    assert witness.eventually(lambda: lost in caplog.text, MENDED)
    assert "docker network disconnect and connect" in caplog.text
    (shown,) = watched.engine.pending().lost
    assert str(shown).startswith(lost)
    assert watched.engine.pending().steps == ()
    # Said once, and kept as it is until dockerd takes it down.
    watched.engine.repair()
    assert caplog.text.count(lost) == 1
    assert watched.engine.state.get(Endpoint, WEB) is not None
    watched.send(*dockerd.stop(LAN, WEB))
    assert watched.engine.pending() == Difference()


@pytest.mark.parametrize("wanted", [True, False])
def test_neighbours_are_told_of_only_where_there_are_overlays(
    namespace: None, wanted: bool
) -> None:
    witness.run("ip", "link", "add", "br0", "type", "bridge")
    witness.run("ip", "link", "set", "br0", "up", "addrgenmode", "none")
    source = _Source(Reader())
    source.follow_entries(True)
    source.follow_entries(wanted)
    words = ("neigh", "add", "192.0.2.9", "lladdr", "02:42:00:00:00:09", "dev", "br0")
    witness.run("ip", *words)
    assert bool(select.select([source.routing], (), (), 0.1)[0]) is wanted


def test_lost_notifications_make_it_look_at_everything(watched: Machine) -> None:
    repairs = count_calls(watched, "repair")
    _tell(watched.engine, Events(overrun=True), is_due=False)
    assert repairs() == 1


def test_a_watch_outlives_what_it_cannot_follow(
    watched: Machine, container: str, caplog: pytest.LogCaptureFixture
) -> None:
    broken, watched.engine.repair = watched.engine.repair, fail  # type: ignore[method-assign]
    witness.run("nft", "flush", "ruleset")
    failed = "what has changed is not mended: on purpose"
    assert witness.eventually(lambda: failed in caplog.text, MENDED)
    watched.engine.repair = broken  # type: ignore[method-assign]
    # Nothing else has to happen for another try.
    assert witness.eventually(lambda: healed(watched, container), RETRY + MENDED)


def fail() -> None:
    raise RuntimeError("on purpose")
