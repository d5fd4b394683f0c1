"""A scene as a drawing of Graphviz."""

import math
from collections.abc import Iterable, Iterator
from html import escape

import graphviz

from pyflat.errors import BackendError
from pyflat.report.scene import OUT, PAIR, TUNNEL, Connection, Neighbour, Plug, Room, Scene, Switch

_FONT = "DejaVu Sans,Verdana,sans-serif"
_HOST, _HOST_LINE = "#eff4fb", "#5578ab"
_OVERLAY, _OVERLAY_LINE = "#f4effb", "#7a57ad"
_ROOM, _ROOM_LINE = "#eefaf1", "#3a8750"
_WAY_OUT, _WAY_OUT_LINE = "#fdebd3", "#c47717"
_ELSEWHERE, _ELSEWHERE_LINE = "#f1f1f1", "#777777"
_PORT, _QUIET, _PUBLISHED = "#d8e5f7", "#5c6470", "#a5371a"

_STYLES = {
    # Two lines side by side: a cable with two ends.
    PAIR: {"color": "#333333:#ffffff:#333333", "penwidth": "1.6", "dir": "none"},
    OUT: {"color": _WAY_OUT_LINE, "style": "dashed", "dir": "back", "fontcolor": _WAY_OUT_LINE},
    TUNNEL: {"color": _OVERLAY_LINE, "penwidth": "2.5", "dir": "none"},
}
#: Between texts of different looks: a plain space at the end of one is not drawn in an SVG.
_GAP = "&#160;&#160;"
_LEGEND = (
    "A dashed frame is a network namespace, a network stack of its own. A dark title is a bridge, "
    "a switch in software; its ports are the cells below.<BR/>A double line is a veth pair, a "
    "cable in software: what goes in at one end comes out at the other. #7 is an interface's index."
)


def to_dot(scene: Scene) -> str:
    """Write the drawing in Graphviz' language."""
    return str(_draw(scene).source)


def to_image(scene: Scene, form: str) -> bytes:
    """Draw it as svg or png. Raises BackendError if Graphviz is not there."""
    drawing = _draw(scene)
    if form == "png":
        drawing.graph_attr["dpi"] = "144"
    try:
        image: bytes = drawing.pipe(format=form)
    except graphviz.ExecutableNotFound as error:
        raise BackendError(
            f"the program dot draws {form}, and is not there: apt install graphviz; "
            "-o FILE.dot, FILE.mmd and FILE.md need no program"
        ) from error
    return image


def _draw(scene: Scene) -> graphviz.Digraph:
    drawing = graphviz.Digraph("pyflat")
    drawing.attr(rankdir="LR", nodesep="0.12", ranksep="0.6", fontname=_FONT, fontsize="10")
    drawing.attr(compound="true", labelloc="b", label=f"<{_LEGEND}>", pad="0.2")
    drawing.attr("node", shape="plain", fontname=_FONT, fontsize="10")
    drawing.attr("edge", fontname=_FONT, fontsize="9", arrowsize="0.6")
    for neighbour in scene.neighbours:
        drawing.node(neighbour.key, f"<{_neighbour(neighbour)}>")
    with drawing.subgraph(name="cluster_machine") as machine:
        _title(machine, f"<B>{escape(scene.host)}</B>", "white", "#333333", "solid")
        _draw_machine(machine, scene)
    homes = _homes(scene)
    for cable in scene.cables:
        if cable.one in homes and cable.other in homes:
            style = _STYLES[cable.kind]
            drawing.edge(homes[cable.one], homes[cable.other], cable.label, **style)
    for number, switch in enumerate(scene.switches):
        if switch.crowd:
            style = {**_STYLES[PAIR], "penwidth": "4"}
            drawing.edge(f"switch{number}:crowd:e", f"crowd{number}", **style)
        for plug in scene.uplinks[:1]:  # what is as far from the outside stands in one column
            beside = f"gateway{number}" if switch.gateway else f"switch{number}"
            drawing.edge(plug.key, beside, style="invis")
    return drawing


def _draw_machine(machine: graphviz.Digraph, scene: Scene) -> None:
    with machine.subgraph(name="cluster_host") as host:
        _title(host, "network namespace of the host", _HOST, _HOST_LINE)
        for plug in scene.uplinks:
            host.node(plug.key, f"<{_uplink(plug)}>")
        for number, switch in enumerate(scene.switches):
            if switch.gateway:
                host.node(f"gateway{number}", f"<{_gateway(switch, switch.gateway)}>")
        _draw_switches(host, scene, inside=False)
    if any(switch.inside for switch in scene.switches):
        with machine.subgraph(name="cluster_inside") as inside:
            title = f"network namespace {escape(scene.namespace)}"
            _title(inside, title, _OVERLAY, _OVERLAY_LINE)
            _draw_switches(inside, scene, inside=True)
    for number, room in enumerate(scene.rooms):
        machine.node(f"room{number}", f"<{_room(room)}>")
    for number, switch in enumerate(scene.switches):
        if switch.crowd:
            machine.node(f"crowd{number}", f"<{_crowd(switch.crowd)}>")


def _draw_switches(place: graphviz.Digraph, scene: Scene, *, inside: bool) -> None:
    for number, switch in enumerate(scene.switches):
        if switch.inside == inside:
            place.node(f"switch{number}", f"<{_switch(switch)}>")


def _homes(scene: Scene) -> dict[str, str]:
    """Give the node, port and side of each key that a cable may end at."""
    ends = (*(plug.key for plug in scene.uplinks), *(each.key for each in scene.neighbours))
    homes = {key: key for key in ends}
    for number, switch in enumerate(scene.switches):
        homes[switch.bridge.key] = f"switch{number}:bridge:w"
        ports = {each.key: "e" for each in switch.ports}
        ways = {each.key: "w" for each in (switch.inner, switch.tunnel) if each}
        for key, side in {**ports, **ways}.items():
            homes[key] = f"switch{number}:{_port(key)}:{side}"
        if switch.gateway:
            homes[switch.gateway.key] = f"gateway{number}"
    for number, room in enumerate(scene.rooms):
        for each in room.connections:
            homes[each.end.key] = f"room{number}:{_port(each.end.key)}:w"
    return homes


def _port(key: str) -> str:
    """Name a cell: colons and slashes would be read."""
    return "p" + "".join(c if c.isalnum() else "_" for c in key)


def _title(cluster: graphviz.Digraph, text: str, fill: str, line: str, style: str = "") -> None:
    frame = style or "dashed,filled,rounded"
    cluster.attr(label=f"<{text}>", style=frame, color=line, fillcolor=fill, fontcolor=line)
    cluster.attr(labeljust="l", labelloc="t", penwidth="1.4", margin="14")


def _uplink(plug: Plug) -> str:
    rows = (_row(_named(plug)), *_row_of(plug.addresses), _row(_small("the way out")))
    return _table(rows, fill=_WAY_OUT, line=_WAY_OUT_LINE)


def _gateway(switch: Switch, plug: Plug) -> str:
    note = _row(_small(f"gateway of {switch.network}"))
    return _table((_row(_named(plug)), *_row_of(plug.addresses), note), fill=_PORT, line=_HOST_LINE)


def _switch(switch: Switch) -> str:
    """Draw a bridge: its title over two columns, what leads out on the left, containers right."""
    kind = f", {escape(switch.kind)}" if switch.kind else ""
    about = [f"<B>{escape(switch.network)}{kind}</B>", f"bridge{_GAP}{_named(switch.bridge)}"]
    about += map(escape, switch.bridge.addresses)
    title = "<BR/>".join(f'<FONT COLOR="white">{line}</FONT>' for line in about)
    left = [
        _cell(f"{_named(plug)}<BR/>{_small(note)}", port=_port(plug.key), fill=fill)
        for plug, note, fill in (
            (switch.tunnel, f"tunnel, UDP {switch.udp}", "#e4d6f6"),
            (switch.inner, "to the gateway", _PORT),
        )
        if plug
    ]
    right = [_cell(_named(plug), port=_port(plug.key), fill=_PORT) for plug in switch.ports]
    if switch.crowd:
        right.append(_cell(f"{len(switch.crowd)} veth pairs", port="crowd", fill=_PORT))
    columns = [column for column in (left, right) if column] or [[_cell(_small("no port yet"))]]
    width = f' COLSPAN="{len(columns)}"'
    head = f'<TR><TD{width} PORT="bridge" BGCOLOR="#26456e" CELLPADDING="7">{title}</TD></TR>'
    body = "".join(f"<TD>{_column(column)}</TD>" for column in columns)
    return _table((head, f"<TR>{body}</TR>"), fill="white", line="#26456e", padding=4)


def _room(room: Room) -> str:
    rows = [_row(f"<B>{escape(room.container)}</B>{_GAP}{_small(_sandbox(room))}")]
    for each in room.connections:
        lines = (_named(each.end), *map(escape, each.end.addresses), _small(each.end.mac))
        lines += tuple(f'<FONT COLOR="{_PUBLISHED}">{escape(p)}</FONT>' for p in each.published)
        port = _port(each.end.key)
        rows.append(f"<TR>{_cell('<BR/>'.join(lines), port=port, fill='white')}</TR>")
    return _table(rows, fill=_ROOM, line=_ROOM_LINE, style="dashed,rounded", padding=4)


def _sandbox(room: Room) -> str:
    return f"namespace {room.sandbox}" if room.sandbox else "not started"


def _crowd(crowd: Iterable[Connection]) -> str:
    """Draw containers in rows and columns, about as wide as a screen is."""
    cells = [_mate(each) for each in crowd]
    width = max(1, round(math.sqrt(len(cells) / 2.6)))
    rows = [f"<TR>{''.join(cells[at : at + width])}</TR>" for at in range(0, len(cells), width)]
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="5">{"".join(rows)}</TABLE>'


def _mate(each: Connection) -> str:
    pair = f"<B>{_number(each.port)} ═ {_number(each.end)}</B>"
    lines = [f"<B>{escape(each.container)}</B>{_GAP}{_small(', '.join(each.end.addresses))}", pair]
    lines += [f'<FONT COLOR="{_PUBLISHED}">{escape(p)}</FONT>' for p in each.published]
    frame = f'BORDER="1" STYLE="dashed,rounded" COLOR="{_ROOM_LINE}" BGCOLOR="{_ROOM}"'
    return f'<TD ALIGN="LEFT" CELLPADDING="7" {frame}>{"<BR/>".join(lines)}</TD>'


def _neighbour(neighbour: Neighbour) -> str:
    note = _small("another host" if neighbour.heard else "not heard of any more")
    about = f"<B>{escape(neighbour.host)}</B>{_GAP}{note}"
    rows = [_row(about), *_row_of([f"VTEP {vtep}" for vtep in neighbour.vteps])]
    for network, name, addresses in neighbour.containers:
        about = f"<B>{escape(name)}</B>{_GAP}{_small(f'in {network}')}"
        text = "<BR/>".join((about, *map(escape, addresses)))
        rows.append(f"<TR>{_cell(text, fill=_ROOM)}</TR>")
    return _table(rows, fill=_ELSEWHERE, line=_ELSEWHERE_LINE, padding=4)


def _named(plug: Plug) -> str:
    down = f"{_GAP}{_small(plug.note)}" if plug.note else ""
    return f"<B>{_number(plug)}</B>{down}"


def _number(plug: Plug) -> str:
    return f"{escape(plug.name)} {f'#{plug.index}' if plug.index else 'gone'}"


def _small(text: str) -> str:
    return f'<FONT POINT-SIZE="8" COLOR="{_QUIET}">{escape(text)}</FONT>' if text else ""


def _row(text: str) -> str:
    return f'<TR><TD CELLPADDING="6">{text}</TD></TR>'


def _row_of(lines: Iterable[str]) -> Iterator[str]:
    return (_row(escape(line)) for line in lines)


def _cell(text: str, *, port: str = "", fill: str = "") -> str:
    named = f' PORT="{port}"' if port else ""
    filled = f' BGCOLOR="{fill}"' if fill else ""
    return f'<TD BORDER="1" COLOR="#9aa7b8" CELLPADDING="9"{named}{filled}>{text}</TD>'


def _column(cells: Iterable[str]) -> str:
    rows = "".join(f"<TR>{cell}</TR>" for cell in cells)
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="3">{rows}</TABLE>'


def _table(
    rows: Iterable[str], *, fill: str, line: str, style: str = "rounded", padding: int = 1
) -> str:
    frame = f'BORDER="1" CELLBORDER="0" CELLSPACING="{padding}" CELLPADDING="2"'
    look = f'BGCOLOR="{fill}" COLOR="{line}" STYLE="{style}"'
    return f"<TABLE {frame} {look}>{''.join(rows)}</TABLE>"
