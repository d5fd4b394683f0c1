"""`pyflat why` follows a real packet, and says what ends it or that an answer comes."""

import json
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.docker.client import Container, Docker
from tests.docker.faults import closed, commands
from tests.docker.links import device_with
from tests.docker.overlays import CLUSTER, GATEWAY
from tests.docker.reach import server_of
from tests.docker.starting import bare_lab, start
from tests.docker.traces import difference, traces

from dockerlab import Lab, parallel
from dockerlab.firewalls import legacy_iptables
from dockerlab.host import Host
from dockerlab.processes import wait_until
from dockerlab.underlay import OUTSIDE

pytestmark = [pytest.mark.engine("28.5"), pytest.mark.placements]

OTHERS = "add table inet other; add chain inet other f { type filter hook forward priority 10; "


def why(host: Host, source: str, target: str) -> dict[str, Any]:
    """What it says, with the texts of its steps by their names."""
    done = host.run("pyflat", "why", "--json", source, target)
    assert done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if found["end"] == "answered" else 2)
    steps: dict[str, list[str]] = {}
    for step in found["steps"]:
        steps.setdefault(step["step"], []).append(step["text"])
    return {**found, "steps": steps}


@pytest.fixture(scope="module")
def pair(engine: str, placement: str) -> Iterator[Lab]:
    """Two hosts with an overlay; on the first one, networks of its own as well."""
    with bare_lab(engine, hosts=2, etcd=True, pyflat_env=CLUSTER[4]) as lab:
        assert lab.etcd is not None
        lab.etcd.start()
        parallel.each(start, lab.hosts)
        one, two = (Docker(host) for host in lab.hosts)
        one.network("blue", "--ipv6", "--subnet", "10.90.0.0/24", "--subnet", "fd90::/64")
        one.network("green", "--subnet", "10.91.0.0/24")
        one.network("closed", "--internal", "--subnet", "10.92.0.0/24")
        one.web("web", "--network", "blue", "-p", "81:80", "--ip", "10.90.0.2")
        one.run("near", "--network", "blue")
        one.web("other", "--network", "green", "--ip", "10.91.0.2")
        one.run("inmate", "--network", "closed")
        dns = ("--dns", GATEWAY[4])
        for docker in (one, two):
            docker.network(
                "tunnel", "--ipam-driver", "pyflat", "--subnet", "10.42.0.0/16", "-o", "vni=42"
            )
        here = one.run("here", "--network", "tunnel", *dns)
        there = two.web("there", "--network", "tunnel", *dns)
        # What answers for names comes a moment later, and would be taken for a trace.
        assert wait_until(lambda: here.knows("there") and there.knows("here"), 15)
        yield lab


@pytest.fixture
def h1(pair: Lab) -> Iterator[Host]:
    """The first host; nothing that is asked leaves a trace there."""
    host = pair.host("h1")
    before = traces(host)
    yield host
    left = difference(before, traces(host))
    assert [line for line in left if "fdb" not in line] == []
    assert "pyflat_why" not in host.run("nft", "list", "tables", check=True).stdout


@pytest.mark.parametrize(
    ("source", "target", "step", "text"),
    [
        ("near", "web:80", "name", "web is 10.90.0.2, says 127.0.0.11"),
        ("near", "10.90.0.2", "neighbour", "10.90.0.2 is 02:42:0a:5a:00:02"),
        ("near", "[fd90::2]:80", "route", "fd90::2 is on the link of eth0"),
        ("10.90.0.2", "near", "port", "of bridge p"),
        ("near", "192.0.2.11:81", "nat", "table inet pyflat, chain publish: dnat ip to"),
        ("host", "192.0.2.11:81", "nat", "table inet pyflat, chain publish: dnat ip to"),
        ("host", "web:80", "name", "web is 10.90.0.2, says pyflat"),
        ("near", "outside", "nat", "@masq4 masquerade"),
        ("near", "host", "route", "10.90.0.1 is on the link of eth0"),
    ],
)
def test_what_answers_is_followed_to_its_answer(
    h1: Host, source: str, target: str, step: str, text: str
) -> None:
    found = why(h1, source, target)
    assert found["end"] == "answered", found
    assert [line for line in found["steps"][step] if text in line], found


def far(pair: Lab) -> str:
    return Container(Docker(pair.host("h2")), "there").address("tunnel")


def test_a_container_of_another_host_is_found_by_its_name_and_answers(h1: Host, pair: Lab) -> None:
    assert wait_until(lambda: why(h1, "here", "there")["end"] == "answered", 10)
    found = why(h1, "here", "there:80")
    assert found["end"] == "answered", found
    assert found["steps"]["name"] == [f"there is {far(pair)}, says 127.0.0.11"]
    assert "to packets of 1450 bytes, too" in found["text"]
    (tunnel,) = found["steps"]["tunnel"]
    assert tunnel.endswith(" is on h2, behind 192.0.2.12: sent, an answer in it")


def test_a_port_where_nobody_listens_is_told_from_one_that_is_closed(h1: Host) -> None:
    assert why(h1, "near", "web:82")["end"] == "refused"
    assert why(h1, "near", "web:53/udp")["end"] == "refused"


def test_dockers_policy_is_named_where_it_does_not_ask_for_our_accept(h1: Host) -> None:
    with commands(h1, "iptables -D FORWARD -j DOCKER-USER", "iptables -I FORWARD -j DOCKER-USER"):
        found = why(h1, "near", "outside")
    assert found["end"] == "firewall", found
    assert found["text"] == "dropped by table ip filter, chain FORWARD: policy drop"
    assert "start dockerd again" in found["remedy"]


def test_the_chain_of_another_firewall_is_named(h1: Host) -> None:
    with commands(h1, f"nft '{OTHERS} policy drop; }}'", "nft delete table inet other"):
        found = why(h1, "near", "outside")
        named = why(h1, "here", "outside")
    assert found["text"] == named["text"] == "dropped by table inet other, chain f: policy drop"


def test_the_rule_of_another_firewall_is_named_for_the_answer_too(h1: Host) -> None:
    rule = f"{OTHERS} }}; add rule inet other f tcp sport 80 drop"
    with commands(h1, f"nft '{rule}'", "nft delete table inet other"):
        found = why(h1, "host", "web:80")
        routed = why(h1, "near", "192.0.2.11:81")
    assert found["end"] == "answered", found  # the host's own packets are not forwarded
    assert "its answer is dropped by table inet other, chain f: tcp sport 80 drop" in routed["text"]


def test_the_legacy_iptables_are_told_by_what_they_count(h1: Host) -> None:
    h1.run("iptables", "-V", env=legacy_iptables(h1), check=True)
    with commands(
        h1,
        "iptables-legacy -I FORWARD -s 10.90.0.0/24 -j DROP",
        "iptables-legacy -D FORWARD -s 10.90.0.0/24 -j DROP",
    ):
        found = why(h1, "near", "outside")
    assert found["end"] == "firewall", found
    assert "filter: -A FORWARD -s 10.90.0.0/24 -j DROP" in found["text"]


def test_networks_that_are_closed_to_each_other_are_named_as_such(h1: Host) -> None:
    found = why(h1, "near", "other:80")
    assert found["steps"]["name"][0].startswith("not found by near")
    assert found["text"] == (
        "dropped by pyflat: table inet pyflat, chain enter: drop "
        "(what is not published is closed, and networks are closed to each other)"
    )


def test_an_internal_network_is_why_nothing_gets_outside(h1: Host, pair: Lab) -> None:
    found = why(h1, "inmate", "outside")
    assert found["end"] == "route", found
    assert "closed is internal: nothing leads out of it" in found["text"]
    inmate = Container(Docker(h1), "inmate")
    assert inmate.run("ip", "route", "add", "default", "via", "10.92.0.1").returncode == 0
    found = why(h1, "inmate", "outside")
    assert inmate.run("ip", "route", "delete", "default").returncode == 0
    assert "chain leave: iifname @internal drop (the network is internal" in found["text"], found


def test_a_path_that_takes_less_than_the_interface_is_measured(h1: Host, pair: Lab) -> None:
    pair.outside.run("ip", "link", "set", "eth0", "mtu", "1400", check=True)
    try:
        found = why(h1, "near", "outside")
    finally:
        pair.outside.run("ip", "link", "set", "eth0", "mtu", "1500", check=True)
    assert found["end"] == "size", found
    assert "those above 1404 bytes are lost on the way, and eth0 takes 1500" in found["text"]


def test_a_host_that_is_away_is_named_as_the_end_of_the_tunnel(h1: Host, pair: Lab) -> None:
    address = far(pair)
    pair.unplug("h2")
    try:
        found = why(h1, "here", address)
    finally:
        pair.plug("h2")
    assert found["end"] == "tunnel", found
    assert found["steps"]["tunnel"][0].endswith("behind 192.0.2.12: sent, no answer in it")
    assert "the tunnel leads to h2 (192.0.2.12), which does not answer from eth0" in found["text"]


@pytest.mark.parametrize(
    ("target", "plant", "end"),
    [
        ("web:80", "true", "answered"),
        ("192.0.2.11:81", "iptables -D FORWARD -j DOCKER-USER", "firewall"),
    ],
)
def test_a_packet_from_outside_is_waited_for_and_followed(
    h1: Host, pair: Lab, target: str, plant: str, end: str
) -> None:
    undo = "true" if plant == "true" else plant.replace("-D", "-I")
    with commands(h1, plant, undo):
        asking = h1.popen("pyflat", "why", "--json", "outside", target)
        assert asking.stderr is not None
        assert "port 81/tcp: send one now" in asking.stderr.readline()
        assert wait_until(
            lambda: "pyflat_why" in h1.run("nft", "list", "tables", check=True).stdout, 10, 0.05
        )
        server_of(pair.outside, h1.address4, 81, wait=1)
        out, _ = asking.communicate(timeout=30)
    found = json.loads(out)
    assert found["end"] == end, found
    assert f"from {OUTSIDE[0]} to {h1.address4}" in found["steps"][0]["text"]
    assert (end == "answered") or "chain FORWARD: policy drop" in found["text"]


def test_a_port_that_is_not_published_is_not_waited_for(h1: Host) -> None:
    found = why(h1, "outside", "web:443")
    assert (found["end"], found["text"]) == ("name", "web publishes no port 443/tcp")


def test_an_address_that_nobody_has_is_no_riddle(h1: Host) -> None:
    found = why(h1, "near", "10.90.0.99")
    assert found["end"] == "neighbour", found
    assert found["steps"]["neighbour"] == ["nobody answers for 10.90.0.99"]


def test_forwarding_that_is_off_is_named(h1: Host) -> None:
    bridge = device_with(h1, "10.90.0.1")
    with closed(h1, bridge):
        found = why(h1, "near", "outside")
    assert found["end"] == "forwarding", found
    assert f"net.ipv4.conf.{bridge}.forwarding is 0" in found["text"]


def test_one_that_is_killed_leaves_nothing_behind(h1: Host) -> None:
    asking = h1.popen("pyflat", "why", "near", "10.90.0.99")
    assert wait_until(
        lambda: "pyflat_why" in h1.run("nft", "list", "tables", check=True).stdout, 10, 0.05
    )
    os.killpg(asking.pid, signal.SIGKILL)
    asking.communicate()
    time.sleep(0.2)
    assert "pyflat_why" not in h1.run("nft", "list", "tables", check=True).stdout


def test_what_is_not_there_is_refused_in_one_line(h1: Host) -> None:
    for words, error in (
        (("nobody", "web"), "'nobody' is no container of pyflat's networks that runs here"),
        (("near", "web:99999"), "'web:99999' is not a name or an address"),
    ):
        done = h1.run("pyflat", "why", *words)
        assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
        assert error in done.stderr
    assert why(h1, "near", "nowhere")["end"] == "name"


def test_people_can_read_it(h1: Host) -> None:
    done = h1.run("pyflat", "why", "near", f"{OUTSIDE[0]}", check=True)
    lines = done.stdout.splitlines()
    assert lines[0] == f"near → {OUTSIDE[0]}"
    assert lines[-1].startswith(f"  answered   {OUTSIDE[0]} answers")
