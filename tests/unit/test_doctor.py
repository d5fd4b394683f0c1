"""What checks make of what they see; that they see it is shown on real hosts."""

import time
from dataclasses import replace as change
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from netaddr import IPAddress, IPNetwork
from tests.support.records import endpoint, network, state_of

from pyflat.model import NetworkOptions
from pyflat.peers import Overlay, Peer, Remote, Tunnel
from pyflat.report.doctor import cluster, forwarding, iptables_rules, links, nft_rules
from pyflat.report.doctor.facts import Facts
from pyflat.report.doctor.findings import Finding, Verdict, fail, ok, skipped, warn, worst
from pyflat.report.doctor.rules import Chain
from pyflat.report.doctor.table import CHECKS, Check, examine
from pyflat.report.topology import ClusterView, Topology, topology

LAN = network("lan", "172.30.0.0/24")
END = Tunnel(
    device="eth0", address=IPAddress("192.0.2.1"), segment=IPNetwork("192.0.2.0/24"), mtu=1500
)
BLUE = change(
    network("blue", "10.42.0.0/16", options=NetworkOptions(mtu=1450, overlay=Overlay(vni=42))),
    tunnel=END,
)
WEB = endpoint("web", BLUE, "10.42.0.2/16", sandbox="/run/x")
CLUSTER = ClusterView(name="etcd://192.0.2.9:2379", leased=True, telling="", hearing="")
PACKET = {"iifname": "pf-1", "oifname": "eth0", "state": "new", "mark": "8", "l4proto": "tcp"}


def known(*records: Any, view: ClusterView | None = CLUSTER) -> Topology:
    state = state_of(*records)
    return topology(state, host="h1", version="1", namespace="", cluster=view)


def facts(*records: Any, view: ClusterView | None = CLUSTER, **more: Any) -> Facts:
    where = {"socket": Path("/run/x.sock"), "state_dir": Path("/var/x")}
    around = {"uplinks": ("eth0",), "mtu": {"eth0": 1500}, "switch": lambda _: "1"}
    return Facts(**{**where, **around, "topology": known(*records, view=view), **more})


def found(check: Check, seen: Facts) -> list[tuple[Verdict, str]]:
    return [(finding.verdict, finding.evidence) for finding in check(seen)]


def nft(policy: str, *rules: list[Any]) -> Chain:
    base = {"family": "inet", "table": "other"}
    hook = {"hook": "forward", "prio": 0, "policy": policy}
    listing = [{"chain": {**base, "name": "f", **hook}}, {"chain": {**base, "name": "sub"}}]
    listing += [{"rule": {**base, "chain": "f", "expr": rule}} for rule in rules]
    drops = [{"drop": None}]
    listing.append({"rule": {**base, "chain": "sub", "expr": drops}})
    (chain,) = nft_rules.read_chains({"nftables": listing})
    return chain


def meta(key: str, right: Any, op: str = "==") -> dict[str, Any]:
    return {"match": {"op": op, "left": {"meta": {"key": key}}, "right": right}}


def state(right: Any) -> dict[str, Any]:
    return {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": right}}


ACCEPT, DROP, SUB = {"accept": None}, {"drop": None}, {"jump": {"target": "sub"}}
MARKED = {
    "match": {"op": "==", "left": {"&": [{"meta": {"key": "mark"}}, 8]}, "right": 8},
}
SOURCE = {"payload": {"protocol": "ip", "field": "saddr"}}
UNKNOWN = {"match": {"op": "==", "left": SOURCE, "right": "10.0.0.1"}}


@pytest.mark.parametrize(
    ("policy", "rules", "drops"),
    [
        ("accept", [], False),
        ("drop", [], True),
        ("drop", [[state(["established", "related"]), ACCEPT]], True),
        ("drop", [[meta("iifname", "pf-*"), ACCEPT]], False),
        ("drop", [[meta("iifname", "eth0"), ACCEPT]], True),
        ("drop", [[meta("iifname", "eth0", "!="), ACCEPT]], False),
        ("drop", [[meta("iifname", {"set": ["eth0", "pf-1"]}), ACCEPT]], False),
        ("drop", [[meta("iifname", "@names"), ACCEPT]], False),
        ("drop", [[MARKED, ACCEPT]], False),
        ("drop", [[UNKNOWN, ACCEPT]], False),
        ("accept", [[{"xt": {"type": "match", "name": "set"}}, DROP]], False),
        ("accept", [[meta("oifname", "eth0"), DROP]], True),
        ("accept", [[meta("oifname", "eth0"), SUB]], True),
        ("accept", [[{"reject": {"type": "icmpx"}}]], True),
        ("accept", [[{"return": None}], [DROP]], False),
        ("accept", [[{"xt": {"type": "target", "name": "LOG"}}], [DROP]], True),
        (
            "accept",
            [[{"vmap": {"key": {"ct": {"key": "state"}}, "data": {"set": [["new", DROP]]}}}]],
            True,
        ),
        (
            "drop",
            [[{"vmap": {"key": {"ct": {"key": "state"}}, "data": {"set": [["related", ACCEPT]]}}}]],
            True,
        ),
    ],
)
def test_a_packet_is_dropped_only_where_that_is_certain(
    policy: str, rules: list[Any], drops: bool
) -> None:
    assert nft(policy, *rules).drops(PACKET) is drops


SAVED = """# Generated
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [5:300]
:DOCKER - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
{rule}
COMMIT
"""


@pytest.mark.parametrize(
    ("rule", "drops"),
    [
        ("-A DOCKER-USER -m mark --mark 0x8/0x8 -j ACCEPT", False),
        ("-A DOCKER-USER -m mark --mark 0x4/0x4 -j ACCEPT", True),
        ("-A FORWARD -i pf-+ -j ACCEPT", False),
        ("-A FORWARD ! -i pf-+ -o eth0 -j ACCEPT", True),
        ("-A FORWARD -s 10.0.0.0/8 -j ACCEPT", False),
        ('-A FORWARD -m comment --comment "-i pf-+ -j ACCEPT" -j LOG', True),
        ("-A FORWARD -p udp -m udp --dport 53 -j ACCEPT", True),
    ],
)
def test_rules_of_iptables_are_understood_as_well(rule: str, drops: bool) -> None:
    chains = {
        c.hook: c for c in iptables_rules.read_chains(SAVED.format(rule=rule), "ip", legacy=True)
    }
    assert chains.keys() == {"input", "forward"}
    assert chains["forward"].drops(PACKET) is drops
    assert not chains["input"].drops(PACKET)


def test_a_chain_that_drops_is_named_once_and_with_what_it_drops() -> None:
    seen = facts(LAN, chains=(nft("drop"),), mark=8)
    ((verdict, evidence),) = found(forwarding.policies, seen)
    assert verdict == Verdict.FAIL
    assert evidence == f"table inet other, chain f drops what leaves by {LAN.bridge} (IPv4)"


def test_pyflats_accept_is_missed_where_docker_looks_for_it() -> None:
    chains = tuple(iptables_rules.read_chains(SAVED.format(rule=""), "ip", legacy=False))
    ((verdict, evidence),) = found(forwarding.docker_user, facts(LAN, chains=chains, mark=8))
    assert verdict == Verdict.FAIL
    assert "no accept of pyflat's mark 0x8" in evidence


def test_where_docker_makes_no_rules_it_need_not_ask_for_our_accept() -> None:
    saved = SAVED.format(rule="").replace(":DOCKER - [0:0]\n", "")
    chains = tuple(iptables_rules.read_chains(saved, "ip", legacy=False))
    ((verdict, _),) = found(forwarding.docker_user, facts(LAN, chains=chains, mark=8))
    assert verdict == Verdict.SKIPPED


@pytest.mark.parametrize(
    ("mtu", "verdict"), [({"eth0": 1500}, Verdict.OK), ({"eth0": 1400}, Verdict.WARN)]
)
def test_a_network_has_to_fit_through_its_uplinks(mtu: dict[str, int], verdict: Verdict) -> None:
    assert found(links.mtu, facts(LAN, mtu=mtu))[0][0] == verdict


def test_an_overlay_has_to_fit_into_its_tunnel() -> None:
    assert found(links.mtu, facts(BLUE))[0][0] == Verdict.OK
    ((verdict, evidence),) = found(links.mtu, facts(BLUE, mtu={"eth0": 1480}))
    assert verdict == Verdict.FAIL
    assert evidence == f"{BLUE.bridge} has an MTU of 1450, and eth0 leaves 1430"


def test_an_address_of_a_container_here_may_be_nowhere_else() -> None:
    remote = Remote(
        id="f" * 64,
        vni=42,
        host="h2",
        vtep=IPAddress("192.0.2.2"),
        mac="02:42:00:00:00:09",
        addresses=(IPAddress("10.42.0.2"),),
        names=(),
        generation=1,
    )
    idle = change(WEB, sandbox=None)
    (blue,) = known(BLUE, idle, remote).networks
    assert list(links._elsewhere(blue)) == ["10.42.0.2 is on host h2, too"]


@pytest.mark.parametrize(
    ("view", "verdict"),
    [
        (CLUSTER, Verdict.OK),
        (None, Verdict.SKIPPED),
        (replace(CLUSTER, leased=False), Verdict.FAIL),
        (replace(CLUSTER, hearing="no answer"), Verdict.FAIL),
    ],
)
def test_how_a_host_stands_with_its_cluster(view: ClusterView | None, verdict: Verdict) -> None:
    assert found(cluster.cluster, facts(view=view))[0][0] == verdict


def test_a_host_that_is_not_heard_of_is_named() -> None:
    peer = Peer(vni=42, host="h2", vtep=IPAddress("192.0.2.2"), expired=time.time() - 60)
    ((verdict, evidence),) = found(cluster.peers, facts(BLUE, peer))
    assert (verdict, evidence[:29]) == (Verdict.WARN, "h2 has not been heard of for ")


@pytest.mark.parametrize(
    ("name", "text", "meddles"),
    [
        ("a.link", "[Match]\nOriginalName=*\n[Link]\nMACAddressPolicy=persistent\n", ""),
        (
            "a.link",
            "[Match]\nOriginalName=eth* pf-*\n[Link]\nMACAddressPolicy=persistent\n",
            "macaddresspolicy=persistent",
        ),
        ("a.link", "[Match]\nOriginalName=pv-*\n[Link]\nMACAddressPolicy=none\n", ""),
        ("a.link", "[Match]\nDriver=veth\n[Link]\nNamePolicy=path\n", "namepolicy=path"),
        ("a.link", "[Match]\nOriginalName=eth0\n[Link]\nName=lan\n", ""),
        ("a.network", "[Match]\nName=p*\n[Network]\nDHCP=yes\n", "systemd-networkd manages them"),
        ("a.network", "[Match]\nName=pf-*\n[Link]\nUnmanaged=yes\n", ""),
        ("a.txt", "[Match]\nName=pf-*\n", ""),
        ("a.link", "no section", ""),
    ],
)
def test_a_file_that_is_for_our_interfaces(
    name: str, text: str, meddles: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    assert links._meddles(tmp_path / name) == meddles


def test_the_worst_of_all_decides() -> None:
    assert worst([ok(""), skipped("")]) == Verdict.OK
    assert worst([ok(""), warn("", "")]) == Verdict.WARN
    assert worst([fail("", ""), warn("", "")]) == Verdict.FAIL


def test_without_the_plugin_that_is_what_is_wrong() -> None:
    silent = facts(topology=None, unread={"plugin": "no pyflat answers on /run/x.sock"})
    findings = {finding.check: finding for finding in examine(silent)}
    assert findings.keys() == CHECKS.keys()
    assert findings["plugin"].verdict == Verdict.FAIL
    assert findings["mtu"].evidence == "the plugin does not answer"


def test_findings_are_plain_json() -> None:
    finding = replace(warn("a", "b"), check="mtu")
    written = msgspec.json.encode([finding])
    assert msgspec.json.decode(written, type=list[Finding]) == [finding]
