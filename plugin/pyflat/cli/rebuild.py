"""``pyflat rebuild``: the way back for a host whose state is damaged or gone."""

from collections import Counter
from pathlib import Path

import click

from pyflat.model import Endpoint, Network, Publication
from pyflat.settings import MEANINGS, Settings


@click.command()
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path),
    default=Settings().state_dir,
    show_default=True,
    envvar="PYFLAT_STATE_DIR",
    help=MEANINGS["state_dir"],
)
@click.option("--driver", default="pyflat", show_default=True, help="The plugin's name in Docker.")
def rebuild(state_dir: Path, driver: str) -> None:
    """Write the plugin's state anew, from what Docker and the kernel know.

    For a state that is damaged or gone. dockerd must run, the plugin must not. What was there
    before is kept beside it, and containers go on as they are. A port published on [::1] alone
    comes back with its container's next start.
    """
    from pyflat.app import rebuild_state

    state = rebuild_state(Settings(state_dir=state_dir), driver)
    kinds = Counter(kind for kind, _ in state.touched)
    click.echo(
        f"{kinds[Network.kind]} networks, {kinds[Endpoint.kind]} endpoints, "
        f"{kinds[Publication.kind]} with published ports; start the plugin now"
    )
