"""A scene in Mermaid's language, for pages of Markdown."""

from collections.abc import Iterable, Iterator
from itertools import chain

from pyflat.report.scene import OUT, PAIR, TUNNEL, Connection, Neighbour, Plug, Room, Scene, Switch

_LINES = {PAIR: "===", OUT: "-.->", TUNNEL: "<-->"}
#: What Mermaid would read, as it writes characters by their numbers.
_ENTITIES = {ord(char): f"#{ord(char)};" for char in '"#<>&'}
_CLASSES = (
    "  classDef uplink fill:#fdebd3,stroke:#c47717,color:#000",
    "  classDef port fill:#d8e5f7,stroke:#5578ab,color:#000",
    "  classDef inner fill:#eefaf1,stroke:#3a8750,color:#000",
    "  classDef elsewhere fill:#f1f1f1,stroke:#777777,color:#000",
)


def to_mermaid(scene: Scene) -> str:
    """Write the drawing; a bridge is a frame around its ports."""
    return "\n".join(("flowchart LR", *_Writer(scene).lines(), *_CLASSES, ""))


class _Writer:
    """Gives each key a name that Mermaid takes."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._ids: dict[str, str] = {}

    def lines(self) -> Iterator[str]:
        scene = self._scene
        for neighbour in scene.neighbours:
            yield self._node(neighbour.key, _neighbour(neighbour), "elsewhere")
        yield from self._host()
        inside = [switch for switch in scene.switches if switch.inside]
        if inside:
            frame = f"network namespace {_safe(scene.namespace)}"
            yield from _framed("inside", frame, chain(*map(self._switch, inside)))
        for room in scene.rooms:
            yield from self._room(room)
        for switch in scene.switches:
            yield from self._crowd(switch)
        for cable in scene.cables:
            if cable.one in self._ids and cable.other in self._ids:
                one, other = self._ids[cable.one], self._ids[cable.other]
                if cable.kind == OUT:
                    one, other = other, one
                label = f'|"{cable.label}"|' if cable.label else ""
                yield f"  {one} {_LINES[cable.kind]}{label} {other}"

    def _host(self) -> Iterator[str]:
        scene = self._scene
        inner = [self._plug(plug, "the way out", "uplink") for plug in scene.uplinks]
        for switch in scene.switches:
            if switch.gateway:
                note = f"gateway of {_safe(switch.network)}"
                inner.append(self._plug(switch.gateway, note, "port"))
            else:
                inner += self._switch(switch)
        yield from _framed("host", f"network namespace of the host {_safe(scene.host)}", inner)

    def _switch(self, switch: Switch) -> Iterator[str]:
        kind = f", {switch.kind}" if switch.kind else ""
        about = (_safe(f"{switch.network}{kind}"), f"bridge {_named(switch.bridge)}")
        title = (*about, *switch.bridge.addresses)
        tunnel, inner = (f"tunnel, UDP {switch.udp}", "to the gateway")
        noted = ((switch.tunnel, tunnel), (switch.inner, inner), *((p, "") for p in switch.ports))
        ports = [self._plug(plug, note, "port") for plug, note in noted if plug]
        if ports:
            yield from _framed(self._name(switch.bridge.key), "<br/>".join(title), ports)
        else:
            yield self._node(switch.bridge.key, title, "port")

    def _room(self, room: Room) -> Iterator[str]:
        where = f"namespace {room.sandbox}" if room.sandbox else "not started"
        name = self._name(f"room/{room.connections[0].end.key}")
        inner = [
            self._node(each.end.key, (_named(each.end), *_facts(each)), "inner")
            for each in room.connections
        ]
        yield from _framed(name, f"{_safe(room.container)}<br/>{where}", inner)

    def _crowd(self, switch: Switch) -> Iterator[str]:
        if not switch.crowd:
            return
        key = f"crowd/{switch.bridge.key}"
        lines = [
            f"<b>{_safe(each.container)}</b> {_named(each.port)} ═ {_named(each.end)} "
            + " ".join(_facts(each))
            for each in switch.crowd
        ]
        yield self._node(key, lines, "inner")
        label = f"{len(lines)} veth pairs"
        yield f"  {self._name(switch.bridge.key)} ==={f'|{label}|'} {self._name(key)}"

    def _plug(self, plug: Plug, note: str, look: str) -> str:
        return self._node(plug.key, (_named(plug), *plug.addresses, *filter(None, (note,))), look)

    def _node(self, key: str, lines: Iterable[str], look: str) -> str:
        return f'  {self._name(key)}["{"<br/>".join(lines)}"]:::{look}'

    def _name(self, key: str) -> str:
        return self._ids.setdefault(key, f"n{len(self._ids) + 1}")


def _framed(name: str, title: str, lines: Iterable[str]) -> Iterator[str]:
    yield f'  subgraph {name}["{title}"]'
    yield from (f"  {line}" for line in lines)
    yield "  end"


def _neighbour(neighbour: Neighbour) -> Iterator[str]:
    note = "another host" if neighbour.heard else "not heard of any more"
    yield f"<b>{_safe(neighbour.host)}</b>, {note}"
    yield from (f"VTEP {vtep}" for vtep in neighbour.vteps)
    for network, name, addresses in neighbour.containers:
        yield f"{_safe(f'{name} in {network}')}: {', '.join(addresses)}"


def _facts(each: Connection) -> Iterator[str]:
    yield from each.end.addresses
    yield from each.published


def _safe(text: str) -> str:
    return text.translate(_ENTITIES)


def _named(plug: Plug) -> str:
    return f"{plug.name} {f'#35;{plug.index}' if plug.index else 'gone'}"
