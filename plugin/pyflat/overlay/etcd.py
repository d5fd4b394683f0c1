"""A client of etcd, over its JSON gateway; every call is bounded.

Keys are relative to the prefix, values are JSON. etcd's own watcher in the library is not used:
it loses lines that come in two parts, and says neither that it was cancelled nor that it ended.
"""

import base64
import json
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
from etcd3gw.client import Etcd3Client
from etcd3gw.exceptions import Etcd3Exception

from pyflat.errors import BackendError
from pyflat.overlay.access import Access

#: Seconds that a call may take, however many endpoints are asked.
PATIENCE = 2.0
#: Seconds of silence after which a watch is begun anew: a dead connection says nothing either.
SILENCE = 10.0

_Json = dict[str, Any]


class LostWatchError(Exception):
    """What has happened since can not be told: everything is to be read anew."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What stood under a prefix at a revision; a value that is no JSON is left out.

    ``changed`` says at which revision each key was written last.
    """

    values: Mapping[str, Any]
    changed: Mapping[str, int]
    revision: int


@dataclass(frozen=True, slots=True)
class Compare:
    """A condition of a transaction: on a key, or on every key that begins so."""

    key: str
    target: str
    result: str
    value: int
    prefix: bool = False


def absent(key: str, *, prefix: bool = False) -> Compare:
    """Demand that there is no such key."""
    return Compare(key, "create_revision", "EQUAL", 0, prefix)


def present(key: str) -> Compare:
    """Demand that there is such a key."""
    return Compare(key, "create_revision", "GREATER", 0)


def unchanged(key: str, revision: int, *, prefix: bool = False) -> Compare:
    """Demand that nothing was written to the key after a revision."""
    return Compare(key, "mod_revision", "LESS", revision + 1, prefix)


class Etcd:
    """A cluster's store; may be used by any thread. Every method raises BackendError."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._local = threading.local()
        self._first = 0  # the endpoint that answered last

    def __str__(self) -> str:
        """Name it as its setting does."""
        return str(self._access)

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Have all calls that this thread makes inside take so long together, at most."""
        self._local.end = time.monotonic() + seconds
        try:
            yield
        finally:
            del self._local.end

    def read(self, prefix: str) -> Snapshot:
        """Read everything whose key begins so."""
        start, end = self._range(prefix)
        answer = self._post("/kv/range", {"key": start, "range_end": end})
        entries = answer.get("kvs", ())
        pairs = [self._pair(entry) for entry in entries]
        changed = (int(entry["mod_revision"]) for entry in entries)
        return Snapshot(
            values={key: value for key, value in pairs if value is not None},
            changed=dict(zip((key for key, _ in pairs), changed, strict=True)),
            revision=int(answer["header"]["revision"]),
        )

    def get(self, key: str) -> Any:
        """Give the value of one key, None if there is none."""
        answer = self._post("/kv/range", {"key": self._key(key)})
        return next((self._pair(entry)[1] for entry in answer.get("kvs", ())), None)

    def put(self, values: Mapping[str, Any], lease: int | None = None) -> None:
        """Write keys; with a lease they go when it is over."""
        for key, value in values.items():
            body = {"key": self._key(key), "value": _encode(value), "lease": lease or 0}
            self._post("/kv/put", body)

    def delete(self, keys: Iterable[str]) -> None:
        """Remove keys; one that is not there is success."""
        for key in keys:
            self._post("/kv/deleterange", {"key": self._key(key)})

    def delete_prefix(self, prefix: str) -> None:
        """Remove everything whose key begins so."""
        start, end = self._range(prefix)
        self._post("/kv/deleterange", {"key": start, "range_end": end})

    def transact(
        self,
        conditions: Iterable[Compare],
        *,
        put: Mapping[str, Any] | None = None,
        delete: Iterable[str] = (),
        lease: int | None = None,
    ) -> bool:
        """Write and remove keys if all conditions hold; say whether they did."""
        puts = (
            {"requestPut": {"key": self._key(k), "value": _encode(v), "lease": lease or 0}}
            for k, v in (put or {}).items()
        )
        deletes = ({"requestDeleteRange": {"key": self._key(key)}} for key in delete)
        compared = [self._compared(condition) for condition in conditions]
        body = {"compare": compared, "success": [*puts, *deletes]}
        return bool(self._post("/kv/txn", body).get("succeeded"))

    def grant(self, seconds: int) -> int:
        """Begin a lease; give its number."""
        return int(self._post("/lease/grant", {"TTL": seconds})["ID"])

    def renew(self, lease: int) -> bool:
        """Prolong a lease; say whether it was still there."""
        answer = self._post("/lease/keepalive", {"ID": lease})
        return int(answer.get("result", {}).get("TTL", 0)) > 0

    def revoke(self, lease: int) -> None:
        """End a lease, with the keys that are under it."""
        self._post("/lease/revoke", {"ID": lease})

    def watch(self, prefix: str, revision: int) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Give what changes after a revision, for ever: the new revision, and key to value.

        The value of a key that went is None. A change of nothing is given now and then. Raises
        LostWatchError.
        """
        while True:
            try:
                for batch in self._watch_once(prefix, revision):
                    revision = batch[0]
                    yield batch
            except requests.exceptions.ConnectionError as error:
                # Also how the silence of a stream is told.
                if "Read timed out" not in str(error):
                    raise LostWatchError(str(error)) from error
            except (requests.RequestException, Etcd3Exception, KeyError, ValueError) as error:
                raise LostWatchError(str(error)) from error
            yield revision, {}

    def _watch_once(self, prefix: str, revision: int) -> Iterator[tuple[int, Mapping[str, Any]]]:
        start, end = self._range(prefix)
        create = {"key": start, "range_end": end, "start_revision": revision + 1}
        client = self._client(self._first)
        url, timeout = client.get_url("/watch"), (PATIENCE, SILENCE)
        body = {"create_request": create}
        with client.session.post(url, json=body, stream=True, timeout=timeout) as stream:
            stream.raise_for_status()
            for line in filter(None, stream.iter_lines(chunk_size=None)):
                result = json.loads(line)["result"]
                now = int(result["header"]["revision"])
                if result.get("canceled") or now < revision:
                    raise LostWatchError(result.get("cancel_reason") or "etcd went back in time")
                pairs = ((self._pair(e["kv"]), e.get("type")) for e in result.get("events", ()))
                changed = {k: None if kind == "DELETE" else value for (k, value), kind in pairs}
                if changed:
                    yield now, changed

    def _post(self, path: str, body: _Json) -> _Json:
        """Ask the endpoints one after another until one answers."""
        end = getattr(self._local, "end", time.monotonic() + PATIENCE)
        count = len(self._access.endpoints)
        problem: Exception | None = None
        for number in range(self._first, self._first + count):
            left = end - time.monotonic()
            if left <= 0:
                break
            client = self._client(number % count)
            # One that hangs must leave time for the next.
            client.timeout = left if number == self._first + count - 1 else left / 2
            try:
                answer: _Json = self._authenticated(client, path, body)
            except (requests.RequestException, Etcd3Exception, ValueError) as error:
                problem = error
                continue
            self._first = number % count
            return answer
        raise BackendError(f"cluster {self}: {_brief(problem)}") from problem

    def _authenticated(self, client: Any, path: str, body: _Json) -> _Json:
        headers = client.session.headers
        if self._access.user and "Authorization" not in headers:
            secret = {"name": self._access.user, "password": self._access.password}
            token = client.post(client.get_url("/auth/authenticate"), json=secret)["token"]
            headers["Authorization"] = token
        try:
            answer: _Json = client.post(client.get_url(path), json=body)
        except Etcd3Exception as error:
            if "invalid auth token" in str(getattr(error, "detail_text", error)):
                headers.pop("Authorization", None)  # it was worth five minutes
            raise
        return answer

    def _client(self, number: int) -> Any:
        clients: dict[int, Any] = self._local.__dict__.setdefault("clients", {})
        if number not in clients:
            host, port = self._access.endpoints[number]
            clients[number] = Etcd3Client(
                host=host,
                port=port,
                protocol="https" if self._access.tls else "http",
                ca_cert=self._access.ca or None,
                cert_cert=self._access.certificate or None,
                cert_key=self._access.key or None,
                api_path="/v3/",
            )
            # Neither a proxy of the environment nor its netrc has a say in this.
            clients[number].session.trust_env = False
        return clients[number]

    def _compared(self, condition: Compare) -> _Json:
        target = condition.target.partition("_")[0].upper()
        start, end = self._range(condition.key) if condition.prefix else (None, None)
        return {
            "key": start or self._key(condition.key),
            **({"range_end": end} if end else {}),
            "target": target,
            "result": condition.result,
            condition.target: condition.value,
        }

    def _key(self, key: str) -> str:
        return _base64((self._access.prefix + key).encode())

    def _range(self, prefix: str) -> tuple[str, str]:
        start = (self._access.prefix + prefix).encode()
        return _base64(start), _base64(start[:-1] + bytes([start[-1] + 1]))

    def _pair(self, entry: Mapping[str, str]) -> tuple[str, Any]:
        key = base64.b64decode(entry["key"]).decode().removeprefix(self._access.prefix)
        try:
            return key, json.loads(base64.b64decode(entry.get("value", "")))
        except ValueError:
            return key, None


def _encode(value: Any) -> str:
    return _base64(json.dumps(value, separators=(",", ":"), sort_keys=True).encode())


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _brief(error: Exception | None) -> str:
    text = str(getattr(error, "detail_text", None) or error)
    return "does not answer" if "timed out" in text or "Max retries" in text else text[:300]
