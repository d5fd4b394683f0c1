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

from pyflat.overlay.access import Access
from pyflat.overlay.gateway import Gateway, Json, LostWatchError

#: Seconds that a call may take, however many endpoints are asked.
PATIENCE = 2.0
#: Changes of one transaction (etcd's ``--max-txn-ops`` is 128).
OPERATIONS = 100


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
        self._gateway = Gateway(access)
        self._local = threading.local()

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
        for some in _parts(values):
            self.transact([], put={key: values[key] for key in some}, lease=lease)

    def delete(self, keys: Iterable[str]) -> None:
        """Remove keys; one that is not there is success."""
        for some in _parts(keys):
            self.transact([], delete=some)

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
            start, end = self._range(prefix)
            create = {"key": start, "range_end": end, "start_revision": revision + 1}
            for result in self._gateway.stream("/watch", {"create_request": create}, PATIENCE):
                now = int(result["header"].get("revision", 0))
                if result.get("canceled") or now < revision:
                    reason = "etcd has compacted it" if "compact_revision" in result else ""
                    raise LostWatchError(reason or "etcd went back in time")
                if changed := dict(map(self._change, result.get("events", ()))):
                    revision = now
                    yield revision, changed
            yield revision, {}

    def _post(self, path: str, body: Json) -> dict[str, Any]:
        end = getattr(self._local, "end", time.monotonic() + PATIENCE)
        return self._gateway.ask(path, body, end)

    def _change(self, event: Json) -> tuple[str, Any]:
        key, value = self._pair(event["kv"])
        return key, None if event.get("type") == "DELETE" else value

    def _compared(self, condition: Compare) -> Json:
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


def _parts(keys: Iterable[str]) -> Iterator[list[str]]:
    """Cut keys into what one transaction takes."""
    rest = list(keys)
    while rest:
        yield rest[:OPERATIONS]
        del rest[:OPERATIONS]
