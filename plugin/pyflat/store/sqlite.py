"""Records in SQLite, one row each: write-ahead log, synchronised at every commit (0.3 ms)."""

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from netaddr import AddrFormatError, IPAddress, IPNetwork

from pyflat import counts
from pyflat.errors import BackendError
from pyflat.model import RECORDS, Key, Record

#: Raised when a stored record can no longer be read by this version.
SCHEMA = 1

NAME = "pyflat.db"
#: Seconds to wait for another process that writes, as only people do; requests wait meanwhile.
BUSY = 1.0

_CREATE = """
CREATE TABLE IF NOT EXISTS records (
    kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, id)
) WITHOUT ROWID
"""


class SqliteStore:
    """Implements ``Store`` in the file ``pyflat.db`` of a folder, which it makes if need be.

    Raises BackendError if the file is not a whole database of this version.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # The engine's lock makes it one thread at a time.
            self._db = sqlite3.connect(
                self._path, BUSY, isolation_level=None, check_same_thread=False
            )
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._prepare()
        except (OSError, sqlite3.Error) as error:
            raise self._failure(error) from error

    @staticmethod
    def exists(folder: Path) -> bool:
        """Say whether there is a database in a folder; SQLite takes an empty file for a new one."""
        file = folder / NAME
        return file.exists() and file.stat().st_size > 0

    @staticmethod
    def set_aside(folder: Path, name: str) -> None:
        """Give a folder's database another name."""
        for file in folder.glob(f"{NAME}*"):
            file.rename(folder / f"{name}-{file.name}")

    def load(self) -> Iterable[Record]:
        """See ``Store.load``."""
        try:
            rows = self._db.execute("SELECT kind, body FROM records").fetchall()
            return [_decode(kind, body) for kind, body in rows]
        except (sqlite3.Error, msgspec.MsgspecError, KeyError) as error:
            raise self._failure(error) from error

    def commit(self, records: Mapping[Key, Record | None]) -> None:
        """See ``Store.commit``."""
        gone = [key for key, record in records.items() if record is None]
        kept = [(*key, _encode(record)) for key, record in records.items() if record is not None]
        try:
            with counts.COMMITS.timed(), self._db:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.executemany("DELETE FROM records WHERE kind = ? AND id = ?", gone)
                self._db.executemany("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", kept)
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def close(self) -> None:
        """See ``Store.close``."""
        self._db.close()

    def _failure(self, error: Exception) -> BackendError:
        # What the system refuses (no room, no right) is an OperationalError: the file is whole.
        damaged = not isinstance(error, OSError | sqlite3.OperationalError)
        remedy = "; pyflat rebuild asks Docker for what is lost" if damaged else ""
        return BackendError(f"state {self._path}: {error}{remedy}")

    def _prepare(self) -> None:
        (found,) = self._db.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(found)
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version not in {0, SCHEMA}:
            raise BackendError(
                f"state {self._path}: written by another version of pyflat "
                f"(schema {version}, this one reads {SCHEMA})"
            )
        if version == 0:
            self._db.execute(_CREATE)
            self._db.execute(f"PRAGMA user_version = {SCHEMA}")


def _encode(record: Record) -> str:
    return msgspec.json.encode(record, enc_hook=str).decode()


def _decode(kind: str, body: str) -> Record:
    return msgspec.json.decode(body, type=RECORDS[kind], dec_hook=_address)


def _address(kind: type, text: Any) -> IPAddress | IPNetwork:
    try:
        if issubclass(kind, IPAddress | IPNetwork):
            address: IPAddress | IPNetwork = kind(text)
            return address
    except (AddrFormatError, TypeError) as error:
        raise ValueError(str(error)) from error
    raise NotImplementedError(kind)
