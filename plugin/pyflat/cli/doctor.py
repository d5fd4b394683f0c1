"""``pyflat doctor``: what keeps networks from working on this host."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pyflat.cli.asking import plain_socket_option, read, read_topology
from pyflat.cli.tables import json_option, write_json
from pyflat.settings import MEANINGS, Settings

if TYPE_CHECKING:
    from pyflat.report.doctor.findings import Finding

_STATUS = {"ok": 0, "warn": 1, "fail": 2}
_COLOURS = {"ok": "green", "skipped": None, "warn": "yellow", "fail": "red"}


@click.command()
@plain_socket_option
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path),
    default=Settings().state_dir,
    show_default=True,
    envvar="PYFLAT_STATE_DIR",
    help=MEANINGS["state_dir"],
)
@json_option
def doctor(socket: Path, state_dir: Path, as_json: bool) -> None:
    """Look for what commonly keeps container networks from working, and say what helps.

    Nothing is changed. The status is 0 if all is well, 1 with warnings, 2 if traffic is lost.
    Needs root.
    """
    import msgspec

    from pyflat.report.doctor.facts import look
    from pyflat.report.doctor.findings import worst
    from pyflat.report.doctor.table import examine

    facts = look(socket, state_dir, lambda: read_topology(socket), lambda: read(socket, "plan"))
    findings = examine(facts)
    verdict = worst(findings)
    if as_json:
        write_json({"verdict": verdict, "findings": msgspec.to_builtins(findings)})
    else:
        for finding in findings:
            _show(finding)
    sys.exit(_STATUS[verdict])


def _show(finding: "Finding") -> None:
    verdict = click.style(f"{finding.verdict:<8}", fg=_COLOURS[finding.verdict])
    click.echo(f"{verdict}{finding.check:<14}{finding.evidence}")
    if finding.remedy:
        click.echo(f"{'':<22}→ {finding.remedy}")
