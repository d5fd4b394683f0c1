"""``pyflat graph``: the networks of this host, drawn."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pyflat.cli.asking import process_of, read_topology, socket_option
from pyflat.cli.listing import naming, networks_argument
from pyflat.cli.tables import json_option, write_json
from pyflat.errors import InvalidRequest

if TYPE_CHECKING:
    from pyflat.report.scene import Scene

_FORMS = (".svg", ".png", ".dot", ".md", ".mmd")


@click.command()
@socket_option
@json_option
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"File to draw into, by its ending: {', '.join(_FORMS)} (.md, .mmd: Mermaid).",
)
@networks_argument
def graph(socket: Path, as_json: bool, output: Path | None, wanted: tuple[str, ...]) -> None:
    """Draw namespaces, bridges, veth pairs and tunnels as the kernel has them at this moment.

    Of all networks, or of those that are named. Without -o, as text.
    """
    draw = _drawing(output) if output else None
    scene = _look(socket, wanted)
    if output and draw:
        try:
            output.write_bytes(draw(scene))
        except OSError as error:
            raise InvalidRequest(f"{output}: {error.strerror}") from error
    if as_json:
        import msgspec

        write_json(msgspec.to_builtins(scene))
    elif output is None:
        from pyflat.report.outline import to_text

        click.echo(to_text(scene))


def _look(socket: Path, wanted: tuple[str, ...]) -> "Scene":
    from pyflat.report.rows import chosen
    from pyflat.report.scene import scene
    from pyflat.report.sight import see

    topology, names = read_topology(socket), naming()
    networks = chosen(topology, names, wanted)
    return scene(topology, networks, names, see(topology, process_of(socket)))


def _drawing(output: Path) -> Callable[[Any], bytes]:
    """Give what draws into a file, by its name. Raises InvalidRequest."""
    match output.suffix:
        case ".svg" | ".png" as suffix:
            from pyflat.report.dot import to_image

            return lambda scene: to_image(scene, suffix[1:])
        case ".dot":
            from pyflat.report.dot import to_dot

            return lambda scene: to_dot(scene).encode()
        case ".md":
            from pyflat.report.mermaid import to_mermaid

            return lambda scene: f"```mermaid\n{to_mermaid(scene)}```\n".encode()
        case ".mmd":
            from pyflat.report.mermaid import to_mermaid

            return lambda scene: to_mermaid(scene).encode()
        case suffix:
            raise InvalidRequest(f"a drawing is {', '.join(_FORMS)}, not {suffix or output.name}")
