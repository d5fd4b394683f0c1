"""A scene as lines of text, each deeper than what it belongs to."""

from collections.abc import Iterator

from pyflat.report.scene import Connection, Plug, Scene, Switch


def to_text(scene: Scene) -> str:
    """Write the scene; ═ stands between the two ends of a veth pair."""
    return "\n".join(_lines(scene))


def _lines(scene: Scene) -> Iterator[str]:
    yield f"host {scene.host}"
    for plug in scene.uplinks:
        yield f"  {_words(plug)}  the way out"
    crowds = {switch.network: switch.crowd for switch in scene.switches}
    for switch in scene.switches:
        yield ""
        yield from _switch(switch, scene.namespace)
        boxed = (each for room in scene.rooms for each in room.connections)
        own = (each for each in boxed if each.network == switch.network)
        for each in (*own, *crowds[switch.network]):
            yield from _connection(each)
    for neighbour in scene.neighbours:
        yield ""
        silent = () if neighbour.heard else ("not heard of any more",)
        yield "  ".join((f"host {neighbour.host}", *neighbour.vteps, *silent))
        for network, name, addresses in neighbour.containers:
            yield f"  {name} in {network}  {' '.join(addresses)}"


def _switch(switch: Switch, namespace: str) -> Iterator[str]:
    kind = f", {switch.kind}" if switch.kind else ""
    where = f" in namespace {namespace}" if switch.inside else ""
    yield f"network {switch.network}{kind}"
    yield f"  bridge {_words(switch.bridge)}{where}"
    if switch.tunnel:
        yield f"    {_words(switch.tunnel)}  tunnel, UDP {switch.udp}"
    if switch.inner and switch.gateway:
        yield f"    {_words(switch.inner)} ═ {_words(switch.gateway)}  gateway, with the host"


def _connection(each: Connection) -> Iterator[str]:
    yield f"    {_words(each.port)} ═ {_words(each.end)}  in {each.container}"
    for port in each.published:
        yield f"      {port}"


def _words(plug: Plug) -> str:
    number = f"#{plug.index}" if plug.index else "gone"
    return " ".join(filter(None, (plug.name, number, plug.note, *plug.addresses)))
