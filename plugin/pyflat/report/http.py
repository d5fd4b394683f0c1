"""Reports on the plugin's own socket, beside what dockerd asks there."""

from collections.abc import Callable
from typing import Any, Protocol

import msgspec
from flask import Flask, Response

from pyflat.dataplane.difference import Difference
from pyflat.errors import PyflatError
from pyflat.report.topology import Topology


class Readable(Protocol):
    """The engine, as far as it can be read."""

    def pending(self) -> Difference:
        """Give what a converge would do now, and what it could not mend."""


def add_reports(app: Flask, engine: Readable, topology: Callable[[], Topology]) -> None:
    """Add the routes: ``GET /plan`` and ``/topology``. Errors are answered as dockerd's are.

    The topology is that of one moment, and costs no call of dockerd's any waiting.
    """
    app.add_url_rule("/plan", "plan", lambda: _plan(engine.pending()), methods=["GET"])
    app.add_url_rule("/topology", "topology", lambda: _show(topology()), methods=["GET"])
    app.register_error_handler(PyflatError, _failure)


def _plan(difference: Difference) -> dict[str, Any]:
    return {
        **{wrong: list(map(str, items)) for wrong, items in difference.by_kind().items()},
        "lost": sorted(str(lost) for lost in difference.lost),
        "dead": sorted(" ".join(key) for key in difference.dead),
    }


def _show(topology: Topology) -> Response:
    return Response(msgspec.json.encode(topology), content_type="application/json")


def _failure(error: PyflatError) -> tuple[dict[str, str], int]:
    return {"Err": str(error)}, error.status
