"""Metrics and a page for people, as a WSGI application that can only read.

It knows nothing of the plugin's other application. Imported only where there is an address for it.
"""

import logging
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from importlib import resources
from typing import Any, TypeAlias
from wsgiref.types import StartResponse

import msgspec
from netaddr import AddrFormatError, IPAddress

from pyflat.errors import PyflatError
from pyflat.report.live import Live, links_of
from pyflat.report.metrics import CONTENT_TYPE, Metrics

log = logging.getLogger(__name__)

#: Status, content type and content.
Answer: TypeAlias = tuple[HTTPStatus, str, bytes]

_TEXT, _JSON = "text/plain; charset=utf-8", "application/json"
_PAGE = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/drawing.js": ("drawing.js", "text/javascript; charset=utf-8"),
}
#: The page has nothing of others, and is part of no other page.
_HEADERS = [
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
]


class Web:
    """The application; ``address`` is where it is served."""

    def __init__(self, live: Live, address: str) -> None:
        self._live = live
        self._is_local = IPAddress(address).is_loopback()
        self._metrics = Metrics(live)
        self._routes: dict[str, Callable[[], Answer]] = {
            "/metrics": lambda: (HTTPStatus.OK, CONTENT_TYPE, self._metrics.text()),
            "/healthz": self._health,
            "/topology.json": lambda: _show(self._live.topology()),
            "/names.json": lambda: _show(self._live.names()),
            "/traffic.json": lambda: _show(self._traffic()),
            **{path: _file(*file) for path, file in _PAGE.items()},
        }

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        status, kind, content = self._answer(environ)
        headers = [("Content-Type", kind), ("Content-Length", str(len(content))), *_HEADERS]
        start_response(f"{status.value} {status.phrase}", headers)
        return () if environ["REQUEST_METHOD"] == "HEAD" else (content,)

    def _answer(self, environ: dict[str, Any]) -> Answer:
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            return _say(HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD are understood")
        if self._is_local and not _is_own(environ.get("HTTP_HOST", "")):
            return _say(HTTPStatus.FORBIDDEN, "ask by an address, or as localhost")
        give = self._routes.get(environ["PATH_INFO"])
        if give is None:
            return _say(HTTPStatus.NOT_FOUND, "there is no such page")
        try:
            return give()
        except PyflatError as error:
            return _say(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
        except Exception:
            log.exception("%s failed", environ["PATH_INFO"])
            return _say(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error")

    def _health(self) -> Answer:
        if troubles := self._live.troubles():
            return _say(HTTPStatus.SERVICE_UNAVAILABLE, "\n".join(troubles))
        return _say(HTTPStatus.OK, "ok")

    def _traffic(self) -> dict[str, Any]:
        seen = self._live.traffic()
        links = (name for each in self._live.topology().networks for name in links_of(each))
        # With the clock's time, so that whoever reads twice knows how fast it grows.
        return {
            "time": time.monotonic(),
            "interfaces": {name: seen[name] for name in links if name in seen},
        }


def _is_own(host: str) -> bool:
    """Say whether a client has asked by an address or as localhost.

    Else any web page could have its name lead here, and read what only this host may.
    """
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    try:
        return name == "localhost" or bool(IPAddress(name.strip("[]")))
    except (AddrFormatError, ValueError):
        return False


def _file(name: str, kind: str) -> Callable[[], Answer]:
    content = (resources.files("pyflat.report") / "page" / name).read_bytes()
    return lambda: (HTTPStatus.OK, kind, content)


def _show(what: object) -> Answer:
    return HTTPStatus.OK, _JSON, msgspec.json.encode(what)


def _say(status: HTTPStatus, text: str) -> Answer:
    return status, _TEXT, f"{text}\n".encode()
