"""Asks the endpoints of an etcd by HTTP: one after another, each call within its time."""

import json
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, TypeAlias

from etcd3gw.client import Etcd3Client
from etcd3gw.exceptions import Etcd3Exception
from requests import RequestException
from requests.exceptions import ChunkedEncodingError
from requests.exceptions import ConnectionError as StreamError

from pyflat.errors import BackendError
from pyflat.overlay.access import Access

#: Seconds of silence after which a stream ends: a dead connection says nothing either.
SILENCE = 10.0

# What etcd answers to a call that shows no token, or one that it has forgotten: it has them in
# memory, for five minutes after the last use.
_NOT_LET_IN = ("user name is empty", "invalid auth token", "auth store is old")

Json: TypeAlias = Mapping[str, Any]


class LostWatchError(Exception):
    """What has happened since can not be told: everything is to be read anew."""


class _NotLetInError(Etcd3Exception):
    """The call needs a token, or another one."""


class Gateway:
    """The endpoints of a cluster; may be used by any thread."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._local = threading.local()
        self._first = 0  # the endpoint that answered last

    def ask(self, path: str, body: Json, end: float) -> dict[str, Any]:
        """Give the answer of the first endpoint that has one; ``end`` is of ``monotonic``.

        Raises BackendError with what the last endpoint said.
        """
        first, count = self._first, len(self._access.endpoints)
        problem: Exception = TimeoutError()
        for tried in range(count):
            # One that hangs must leave time for the next.
            left = (end - time.monotonic()) / (count - tried)
            if left <= 0:
                break
            number = (first + tried) % count
            client = self._client(number)
            client.timeout = (left / 4, left * 3 / 4)  # to connect, and to answer
            try:
                answer = self._let_in(client, path, body)
            except (RequestException, Etcd3Exception, ValueError) as error:
                problem = error
                continue
            self._first = number
            return answer
        raise BackendError(f"cluster {self._access}: {_brief(problem)}") from problem

    def stream(self, path: str, body: Json, patience: float) -> Iterator[dict[str, Any]]:
        """Give the results that an answer consists of, until there is silence.

        Raises LostWatchError if the stream ends or cannot be had, after ``patience`` seconds.
        """
        client = self._client(self._first)
        try:
            url, timeout = client.get_url(path), (patience, SILENCE)
            with client.session.post(url, json=body, stream=True, timeout=timeout) as answer:
                answer.raise_for_status()
                for line in filter(None, answer.iter_lines(chunk_size=None)):
                    said = json.loads(line)
                    if "result" not in said:
                        raise LostWatchError(str(said))
                    yield said["result"]
        except StreamError as error:
            # Also how the silence of a stream is told.
            if "Read timed out" not in str(error):
                raise LostWatchError(_brief(error)) from error
        except ChunkedEncodingError as error:
            raise LostWatchError("the connection was cut") from error
        except (RequestException, ValueError) as error:
            raise LostWatchError(_brief(error)) from error
        else:
            raise LostWatchError("the stream has ended")

    def _let_in(self, client: Any, path: str, body: Json) -> dict[str, Any]:
        """Ask, after showing the password if there is one and it is asked for."""
        if not self._access.user:
            return _ask(client, path, body)
        with suppress(_NotLetInError):
            return _ask(client, path, body)
        user = {"name": self._access.user, "password": self._access.password}
        token = _ask(client, "/auth/authenticate", user)["token"]
        client.session.headers["Authorization"] = token
        return _ask(client, path, body)

    def _client(self, number: int) -> Any:
        clients: dict[int, Any] = self._local.__dict__.setdefault("clients", {})
        if number not in clients:
            host, port = self._access.endpoints[number]
            system = ssl.get_default_verify_paths()
            clients[number] = Etcd3Client(
                host=host,
                port=port,
                protocol="https" if self._access.tls else "http",
                ca_cert=self._access.ca or system.cafile or system.capath,
                cert_cert=self._access.certificate or None,
                cert_key=self._access.key or None,
                api_path="/v3/",
            )
            # Neither a proxy of the environment nor its netrc has a say in this.
            clients[number].session.trust_env = False
        return clients[number]


def _ask(client: Any, path: str, body: Json) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = client.post(client.get_url(path), json=body)
    except Etcd3Exception as error:
        if any(words in str(error.detail_text) for words in _NOT_LET_IN):
            raise _NotLetInError(error.detail_text) from error
        raise
    return answer


def _brief(error: BaseException) -> str:
    """Give what etcd has said, or else what the system says of the connection."""
    with suppress(ValueError, TypeError, KeyError):
        return str(json.loads(getattr(error, "detail_text", ""))["message"])
    while error.__context__ is not None:
        error = error.__context__
    if isinstance(error, TimeoutError):
        return "does not answer"
    return str(getattr(error, "strerror", None) or error)
