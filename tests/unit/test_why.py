"""What `pyflat why` makes of a question and of what it sees."""

import re
import struct
from pathlib import Path

import pytest
from netaddr import IPAddress

from pyflat.dataplane.raw import attribute, nest
from pyflat.dataplane.trace import Event, read_event
from pyflat.errors import InvalidRequest
from pyflat.report.why import ending
from pyflat.report.why.counters import read_counters, risen
from pyflat.report.why.flow import Flow, Target, read_target
from pyflat.report.why.places import Place
from pyflat.report.why.probe import Outcome
from pyflat.report.why.reasons import reason
from pyflat.report.why.story import End, Sighting, Story, deciding, sight, ways_out

DATAPLANE = Path(__file__).parents[2] / "plugin/pyflat/dataplane"
NEAR, WEB = IPAddress("10.90.0.3"), IPAddress("10.90.0.2")
FLOW = Flow(source=NEAR, target=WEB, protocol="tcp", port=80)
FLOW6 = Flow(source=IPAddress("fd90::3"), target=IPAddress("fd90::2"), protocol="icmp", port=0)


@pytest.mark.parametrize(
    ("text", "name", "protocol", "port"),
    [
        ("web", "web", "icmp", 0),
        ("web.lan", "web.lan", "icmp", 0),
        ("web:80", "web", "tcp", 80),
        ("web:80/tcp", "web", "tcp", 80),
        ("web:53/udp", "web", "udp", 53),
        ("10.0.0.1", "10.0.0.1", "icmp", 0),
        ("10.0.0.1:80", "10.0.0.1", "tcp", 80),
        ("fd90::2", "fd90::2", "icmp", 0),
        ("[fd90::2]", "fd90::2", "icmp", 0),
        ("[fd90::2]:80", "fd90::2", "tcp", 80),
        ("[fd90::2]:53/udp", "fd90::2", "udp", 53),
    ],
)
def test_a_target_is_a_name_or_an_address_with_a_port(
    text: str, name: str, protocol: str, port: int
) -> None:
    assert read_target(text) == Target(name=name, protocol=protocol, port=port)


@pytest.mark.parametrize("text", ["", ":80", "web:", "web:70000", "web/udp", "web:80/sctp", "a/b"])
def test_other_targets_are_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        read_target(text)


def test_both_ways_of_a_flow_are_matched() -> None:
    words = {(match.family, match.hook, match.words) for match in FLOW.matches()}
    there = "ip saddr 10.90.0.3 ip daddr 10.90.0.2 tcp dport 80"
    assert ("inet", "prerouting", there) in words
    assert ("bridge", "output", there) in words
    assert (
        "bridge",
        "prerouting",
        "ip saddr 10.90.0.2 ip daddr 10.90.0.3 tcp sport 80",
    ) in words
    assert ("inet", "output", "ip6 saddr fd90::3 ip6 daddr fd90::2 meta l4proto icmpv6") in {
        (match.family, match.hook, match.words) for match in FLOW6.matches()
    }


def test_a_flow_is_matched_inside_of_its_tunnel() -> None:
    words = [match.words for match in FLOW.tunnelled(4789, 42)]
    assert words == [
        "udp dport 4789 @th,96,24 42 @th,336,32 0xa5a0003 @th,368,32 0xa5a0002",
        "udp dport 4789 @th,96,24 42 @th,336,32 0xa5a0002 @th,368,32 0xa5a0003",
    ]


def drops() -> list[tuple[str, str]]:
    """The chain and the text of every rule of ours that drops."""
    found, chain = [], ""
    for path in sorted(DATAPLANE.glob("*.nft")):
        for line in path.read_text().splitlines():
            if head := re.match(r"\tchain (\w+)", line):
                chain = head[1]
            rule = line.partition("#")[0].strip()
            if rule.endswith("drop"):
                found.append((chain, rule))
    return found


@pytest.mark.parametrize(("chain", "rule"), drops())
def test_every_rule_of_ours_that_drops_has_its_reason(chain: str, rule: str) -> None:
    assert reason(chain, rule)


def test_there_are_rules_of_ours_that_drop() -> None:
    assert len(drops()) > 20
    assert reason("enter", "") != reason("enter", "oifname @internal drop")
    assert reason("elsewhere", "drop") == ""


def number(value: int, size: int = 4) -> bytes:
    return value.to_bytes(size)


HEADER = bytes([0x45, *bytes(11)]) + NEAR.packed + WEB.packed
TRACE = (
    struct.pack("=BBH", 2, 0, 0)
    + attribute(1, b"filter\0")
    + attribute(2, b"FORWARD\0")
    + attribute(6, number(7))
)


def test_a_trace_message_of_a_rule_is_read() -> None:
    body = TRACE + attribute(3, number(9, 8)) + attribute(4, number(3))
    body += nest(5, attribute(1, number(0))) + attribute(8, HEADER)
    body += attribute(10, number(2)) + attribute(12, number(3))
    assert read_event(body, {2: "pf-1", 3: "eth0"}) == Event(
        packet=7,
        family="ip",
        table="filter",
        chain="FORWARD",
        kind="rule",
        verdict="drop",
        handle=9,
        arriving="pf-1",
        leaving="eth0",
        source=NEAR,
        target=WEB,
    )


@pytest.mark.parametrize(("code", "verdict"), [(0, "drop"), (1, "accept")])
def test_a_trace_message_of_a_policy_is_read(code: int, verdict: str) -> None:
    event = read_event(TRACE + attribute(4, number(1)) + attribute(16, number(code)), {})
    assert (event.kind, event.verdict, event.source) == ("policy", verdict, None)


@pytest.mark.parametrize(
    ("code", "verdict"),
    [(-1, "continue"), (-3, "jump"), (-4, "goto"), (-5, "return"), (3, "continue")],
)
def test_other_verdicts_are_read(code: int, verdict: str) -> None:
    body = nest(5, attribute(1, code.to_bytes(4, signed=True)))
    assert read_event(TRACE + attribute(4, number(3)) + body, {}).verdict == verdict


def event(verdict: str, **more: object) -> Event:
    about = {"packet": 1, "family": "inet", "table": "other", "chain": "f", "kind": "rule"}
    return Event(**{**about, "verdict": verdict, **more})  # type: ignore[arg-type]


def seen(*sightings: Sighting, outcome: Outcome = Outcome.SILENT, counted: str = "") -> ending.Seen:
    return ending.Seen(
        flow=FLOW,
        source=Place(name="near"),
        target=Place(name="web"),
        network=None,
        local=False,
        device="eth0",
        outcome=outcome,
        sightings=list(sightings),
        counted=[counted] if counted else [],
        hop=None,
    )


def ended(found: ending.Seen) -> Story:
    story = Story(source="near", target="web:80", steps=[])
    ending.finish(story, found, lambda function: function())
    return story


def test_answers_are_told_from_what_was_asked() -> None:
    events = [event("jump", source=NEAR), event("accept"), event("jump", source=WEB), event("drop")]
    assert [each.onward for each in sight("", events, FLOW)] == [True, True, False, False]


def test_what_decides_is_told_once() -> None:
    events = [event("accept"), event("accept"), event("jump"), event("accept", kind="policy")]
    assert len(deciding(sight("", events, FLOW))) == 1


def test_the_ways_out_are_those_of_the_host() -> None:
    out = event("accept", leaving="eth0", arriving="pf-1")
    sightings = [*sight("near", [event("accept", leaving="eth9")], FLOW), *sight("", [out], FLOW)]
    assert ways_out(sightings) == ["eth0"]


def test_a_drop_of_others_is_named_with_its_rule() -> None:
    story = ended(seen(Sighting(place="", event=event("drop"), rule="tcp dport 80 drop")))
    assert story.end == End.FIREWALL
    assert story.text == "dropped by table inet other, chain f: tcp dport 80 drop"


def test_a_drop_of_ours_is_named_with_what_it_is_for() -> None:
    ours = event("drop", table="pyflat", chain="enter")
    story = ended(seen(Sighting(place="", event=ours, rule="iifname @internal drop")))
    assert story.text == (
        "dropped by pyflat: table inet pyflat, chain enter: iifname @internal drop "
        "(the network is internal: nothing enters or leaves it)"
    )


def test_a_drop_of_the_answer_is_told_as_such() -> None:
    drop = Sighting(place="", event=event("drop", kind="policy"), onward=False)
    assert ended(seen(drop)).text == (
        "its answer is dropped by table inet other, chain f: policy drop"
    )


def test_a_refusal_by_a_rule_is_that_rules() -> None:
    reject = Sighting(place="", event=event("drop"), rule="reject with tcp reset")
    assert ended(seen(reject, outcome=Outcome.REFUSED)).end == End.FIREWALL
    assert ended(seen(outcome=Outcome.REFUSED)).end == End.REFUSED


def test_what_arrives_and_is_not_answered_ends_there() -> None:
    arrived = Sighting(place="web", event=event("accept"))
    assert ended(seen(arrived)).end == End.DELIVERED


def test_what_left_is_lost_behind_the_host() -> None:
    left = Sighting(place="", event=event("accept", arriving="pf-1", leaving="eth0"))
    story = ended(seen(left))
    assert (story.end, story.text) == (End.LOST, "left by eth0, and no answer comes back")


SAVED = """*filter
:INPUT ACCEPT [1:2]
:FORWARD DROP [{policy}:9]
[{rule}:9] -A FORWARD -s 10.0.0.0/8 -j DROP
[7:9] -A FORWARD -j DOCKER-USER
COMMIT
"""


def test_counters_of_the_legacy_iptables_tell_who_dropped() -> None:
    before = read_counters(SAVED.format(policy=1, rule=1))
    policy, rule = "filter: the policy of FORWARD, DROP", "filter: -A FORWARD -s 10.0.0.0/8 -j DROP"
    assert before == {policy: 1, rule: 1}
    assert risen(before, read_counters(SAVED.format(policy=2, rule=1))) == [policy]
    assert risen(before, read_counters(SAVED.format(policy=1, rule=2))) == [rule]
    story = ended(seen(counted=rule))
    assert (story.end, rule in story.text) == (End.FIREWALL, True)
