"""HTTP: one route for each line of the method tables, errors as dockerd reads them."""

import logging
import secrets
import time
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from pyflat import counts, logs
from pyflat.api import admin, ipam_driver, network_driver
from pyflat.api.calls import Answer, Claims, Engine, Method, Result, World, carry_out
from pyflat.api.codec import decode, encode
from pyflat.api.messages import ForgetHost, Request
from pyflat.errors import InvalidRequest, PyflatError
from pyflat.ipam.pools import Source
from pyflat.state import State

log = logging.getLogger(__name__)

R = TypeVar("R", bound=Request)

#: Bytes of a request; some 60 000 published ports are 16 MB.
LARGEST = 32 << 20

#: Characters of an error, in an answer and in the log: it may quote what was sent.
LONGEST = 2000

#: Fields of a request that say what it is about, by what the log calls them.
_IDS = {"network": "NetworkID", "endpoint": "EndpointID", "pool": "PoolID", "address": "Address"}

CONTENT_TYPE = "application/vnd.docker.plugins.v1.2+json"


def _activate(state: State, _: Request, __: World) -> Result:
    return state, {"Implements": ["NetworkDriver", "IpamDriver"]}


def routes(sources: Sequence[Source]) -> dict[str, Method]:
    """Give every method by its path; ``sources`` as in ``ipam_driver.methods``."""
    table = {"/Plugin.Activate": Method(Request, _activate)}
    for driver, methods in (
        ("NetworkDriver", network_driver.METHODS),
        ("IpamDriver", ipam_driver.methods(sources)),
        ("Pyflat", admin.METHODS),
    ):
        table.update({f"/{driver}.{name}": method for name, method in methods.items()})
    return table


def create_http(engine: Engine, sources: Sequence[Source], claims: Claims | None = None) -> Flask:
    """Make the WSGI application that dockerd talks to; ``claims`` are those of its cluster."""
    app = Flask("pyflat", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST
    for path, method in routes(sources).items():
        _add(app, path, method.request, partial(_answer, engine, claims, method))
    app.register_error_handler(404, lambda _: _failure(f"{request.path} is not known", 404))
    app.register_error_handler(405, lambda _: _failure("only POST is understood", 405))
    return app


def add_forgetting(app: Flask, forget: Callable[[str], None]) -> None:
    """Add ``Pyflat.ForgetHost``, which asks the cluster: no change of State may wait for that."""

    def answer(message: ForgetHost) -> Answer:
        forget(message.Name)
        return {}

    _add(app, "/Pyflat.ForgetHost", ForgetHost, answer)


def _answer(engine: Engine, claims: Claims | None, method: Method, message: Request) -> Answer:
    return carry_out(engine, claims, lambda state: method.handle(state, message, engine))


def _add(app: Flask, path: str, kind: type[R], answer: Callable[[R], Answer]) -> None:
    app.add_url_rule(path, path, _view(path, kind, answer), methods=["POST"])


def _view(path: str, kind: type[R], give: Callable[[R], Answer]) -> Callable[[], Response]:
    def view() -> Response:
        call = _Call(path)
        try:
            message = decode(_body(), kind)
            call.names = _names(message)
            return call.answered(give(message))
        except PyflatError as error:
            return call.refused(error)
        except Exception:
            return call.failed()

    return view


class _Call:
    """One request, counted and logged at its end; ``names`` are the ids that it bears."""

    def __init__(self, path: str) -> None:
        self.names: dict[str, str] = {}
        self._path = path
        self._begin = time.perf_counter()

    def answered(self, answer: Answer) -> Response:
        log.debug("%s: answered", self._path, extra=self._end(200))
        return _respond(answer, 200)

    def refused(self, error: PyflatError) -> Response:
        text = _brief(str(error))
        log.warning("%s: %s", self._path, text, extra=self._end(error.status))
        return _failure(text, error.status)

    def failed(self) -> Response:
        number = secrets.token_hex(4)
        log.exception("%s: request %s failed", self._path, number, extra=self._end(500))
        return _failure(f"internal error; request {number} in pyflat's log tells more", 500)

    def _end(self, status: int) -> dict[str, Any]:
        seconds, method = time.perf_counter() - self._begin, self._path[1:]
        counts.REQUESTS.note(seconds, method)
        if status != HTTPStatus.OK:
            counts.ERRORS.add(method, str(status))
        return {"about": {"method": method, "ms": round(seconds * 1000, 2), **self.names}}


def _names(message: Request) -> dict[str, str]:
    found = {name: str(getattr(message, field, None) or "") for name, field in _IDS.items()}
    longest = {"network": logs.SHORT, "endpoint": logs.SHORT}
    return {name: text[: longest.get(name, 100)] for name, text in found.items() if text}


def _body() -> bytes:
    try:
        return request.get_data(cache=False)
    except HTTPException as error:
        raise InvalidRequest(f"the request cannot be read: {error.description}") from error
    except Exception as error:
        # Also what the server says of chunks: its errors have no class in common with others.
        raise InvalidRequest(f"the request cannot be read: {error}") from error


def _brief(text: str) -> str:
    """Leave out the middle of what is too long: beginning and end say what is wrong."""
    half = LONGEST // 2 - 1
    return text if len(text) <= LONGEST else f"{text[:half]}…{text[-half:]}"


def _failure(text: str, status: int) -> Response:
    # The network half of dockerd reads Err, the address half Error.
    return _respond({"Err": text, "Error": text}, status)


def _respond(answer: Answer, status: int) -> Response:
    return Response(encode(answer), status, content_type=CONTENT_TYPE)
