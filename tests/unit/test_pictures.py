"""Pictures of networks, compared with files that are there to be looked at.

``make golden`` writes them anew.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from tests.support.pictured import (
    DB,
    LAN,
    NAMES,
    STATE,
    WEB,
    bridge,
    interface,
    pair,
    shown,
    sight,
)
from tests.support.records import endpoint, state_of

from pyflat.report.dot import to_dot
from pyflat.report.mermaid import to_mermaid
from pyflat.report.outline import to_text
from pyflat.report.rows import chosen
from pyflat.report.scene import CROWD, OUT, PAIR, Scene, scene
from pyflat.report.sight import Sight, Space
from pyflat.report.topology import Topology

FOLDER = Path(__file__).parents[1] / "pictures"
FORMS: dict[str, Callable[[Scene], str]] = {
    "host.dot": to_dot,
    "host.mmd": to_mermaid,
    "host.txt": to_text,
}


def painted(topology: Topology, seen: Sight, *wanted: str) -> Scene:
    return scene(topology, chosen(topology, NAMES, wanted), NAMES, seen)


def crowded(number: int) -> Scene:
    """One network with as many containers."""
    ends = [
        endpoint(f"c{n}", LAN, f"172.30.0.{n + 2}/24", sandbox=f"/var/run/docker/netns/{n}")
        for n in range(number)
    ]
    pairs = [pair(each, LAN.bridge, 10 + 2 * n, "eth0") for n, each in enumerate(ends)]
    seen = Sight(
        host=Space(interfaces=(bridge(LAN, 9), *(port for port, _ in pairs))),
        inside=Space(),
        sandboxes={
            each.sandbox or "": Space(interfaces=(end,))
            for each, (_, end) in zip(ends, pairs, strict=True)
        },
        uplinks=(),
    )
    return painted(shown(state_of(LAN, *ends)), seen)


@pytest.mark.parametrize("name", FORMS)
def test_a_host_is_drawn_as_in_the_file(name: str, request: pytest.FixtureRequest) -> None:
    text = FORMS[name](painted(shown(), sight()))
    if request.config.getoption("--update-golden"):
        (FOLDER / name).write_text(text)
    assert text == (FOLDER / name).read_text()


def test_every_cable_ends_at_something_that_is_drawn() -> None:
    """A node that dot does not know would be drawn without a word."""
    picture = painted(shown(), sight())
    drawn = {
        *(plug.key for plug in picture.uplinks),
        *(each.key for each in picture.neighbours),
        *(each.end.key for room in picture.rooms for each in room.connections),
    }
    for switch in picture.switches:
        own = (switch.bridge, switch.gateway, switch.inner, switch.tunnel, *switch.ports)
        drawn |= {plug.key for plug in own if plug}
    ends = {end for cable in picture.cables for end in (cable.one, cable.other)}
    assert ends - drawn == set()
    assert len(picture.cables) > 5


def test_an_end_is_found_by_the_numbers_of_both_even_if_another_has_one_of_them() -> None:
    seen = sight()
    strangers = (interface("eth7", 12, lower=99), interface("eth8", 99, lower=11))
    spaces = {**seen.sandboxes, WEB.sandbox or "": Space(interfaces=strangers)}
    (lan,) = painted(shown(), msgspec.structs.replace(seen, sandboxes=spaces), "lan").rooms
    assert lan.connections[0].end.index == 0
    (lan,) = painted(shown(), seen, "lan").rooms
    assert (lan.connections[0].end.name, lan.connections[0].end.index) == ("eth0", 12)


def test_what_the_kernel_has_lost_is_drawn_as_gone() -> None:
    nothing = Sight(host=Space(), inside=Space(), sandboxes={}, uplinks=())
    text = to_text(painted(shown(), nothing))
    assert f"{WEB.host_end} gone" in text
    assert f"{DB.host_end} gone" in text


def test_a_container_that_has_not_taken_its_interface_is_not_started() -> None:
    new = endpoint("new", LAN, "172.30.0.9/24")
    port, end = pair(new, LAN.bridge, 21, new.container_end)
    seen = sight()
    host = Space(interfaces=(*seen.host.interfaces, port, end))
    picture = painted(shown(STATE.put(new)), msgspec.structs.replace(seen, host=host), "lan")
    (room,) = (room for room in picture.rooms if not room.sandbox)
    assert [each.end.index for each in room.connections] == [22]
    assert "not started" in to_dot(picture)


def test_an_interface_that_is_down_says_so() -> None:
    seen = sight()
    down = tuple(msgspec.structs.replace(each, up=False) for each in seen.host.interfaces)
    text = to_text(painted(shown(), msgspec.structs.replace(seen, host=Space(interfaces=down))))
    assert f"{LAN.bridge} #9 down" in text


def test_only_networks_with_a_way_out_are_connected_with_the_uplink() -> None:
    ways = [cable for cable in painted(shown(), sight()).cables if cable.kind == OUT]
    assert sorted(cable.label for cable in ways) == ["NAT", "NAT"]
    unmasked = replace(LAN, options=replace(LAN.options, masquerade=False))
    picture = painted(shown(STATE.put(unmasked)), sight(), "lan")
    assert [cable.label for cable in picture.cables if cable.kind == OUT] == ["routed"]
    elsewhere = replace(LAN, options=replace(LAN.options, ports="docker"))
    picture = painted(shown(STATE.put(elsewhere)), sight(), "lan")
    assert [cable for cable in picture.cables if cable.kind == OUT] == []


def test_many_containers_stand_in_rows_with_both_ends_of_their_pairs() -> None:
    few, many = crowded(CROWD), crowded(60)
    assert (len(few.rooms), len(few.switches[0].crowd)) == (CROWD, 0)
    assert (len(many.rooms), len(many.switches[0].crowd)) == (0, 60)
    assert [cable for cable in many.cables if cable.kind == PAIR] == []
    for write in FORMS.values():
        text = write(many)
        assert all(f"{each.port.index}" in text for each in many.switches[0].crowd)
    dot = to_dot(many)
    assert dot.count(" ═ eth0 #") == 60


def test_names_cannot_break_a_drawing() -> None:
    odd = msgspec.structs.replace(shown(), host='<b> "h1" & [x]', namespace="/run/netns/<i>")
    picture = painted(odd, sight())
    assert "&lt;b&gt;" in to_dot(picture)
    assert '"h1"' not in to_mermaid(picture)
