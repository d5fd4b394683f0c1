"""What is committed is there after a restart, as it was, all of it or none."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netaddr import IPAddress, IPNetwork
from tests.support.records import block, endpoint, network, pool, publication

from pyflat.addressing import AddressBlock, InterfaceAddress, Pool
from pyflat.errors import BackendError
from pyflat.model import (
    Endpoint,
    Key,
    Network,
    NetworkOptions,
    PortBinding,
    Publication,
    Record,
    Subnet,
)
from pyflat.peers import Allocation, Node
from pyflat.store.memory import MemoryStore
from pyflat.store.sqlite import SqliteStore

ADDRESSES = st.ip_addresses().map(lambda address: IPAddress(str(address)))
NETWORKS = st.builds(lambda a, n: IPNetwork(f"{a}/{n}"), ADDRESSES, st.integers(0, 32))
KEYS = st.sampled_from("abc")
TEXTS = st.text(max_size=8)
OPTIONS = st.builds(
    NetworkOptions,
    bridge=TEXTS,
    mtu=st.integers(68, 65535),
    masquerade=st.booleans(),
    container_prefix=TEXTS,
    host_binding=st.none() | ADDRESSES,
)
INTERFACES = NETWORKS.map(lambda network: InterfaceAddress(str(network)))
SUBNETS = st.builds(Subnet, cidr=NETWORKS, gateway=st.none() | INTERFACES)
BINDINGS = st.builds(
    PortBinding,
    protocol=st.sampled_from(["tcp", "udp", "sctp"]),
    host=ADDRESSES,
    host_port=st.integers(1, 65535),
    container=ADDRESSES,
    container_port=st.integers(1, 65535),
)
RECORDS: st.SearchStrategy[Record] = st.one_of(
    st.builds(
        Network,
        id=TEXTS,
        bridge=TEXTS,
        subnets=st.lists(SUBNETS, max_size=3).map(tuple),
        internal=st.booleans(),
        options=OPTIONS,
    ),
    st.builds(
        Endpoint,
        id=TEXTS,
        network=TEXTS,
        mac=TEXTS,
        addresses=st.lists(INTERFACES, max_size=2).map(tuple),
        sandbox=st.none() | TEXTS,
        since=st.floats(allow_nan=False, allow_infinity=False),
    ),
    st.builds(Publication, id=TEXTS, bindings=st.lists(BINDINGS, max_size=3).map(tuple)),
    st.builds(
        Pool,
        id=TEXTS,
        space=TEXTS,
        cidr=NETWORKS,
        references=st.integers(1, 9),
    ),
    st.builds(Node, address=ADDRESSES, own=st.booleans()),
    st.builds(
        Allocation,
        id=TEXTS,
        vni=st.integers(1, 9),
        subnets=st.lists(NETWORKS, max_size=2).map(tuple),
    ),
    st.builds(
        AddressBlock, pool=TEXTS, number=st.integers(0, 99), taken=st.binary(), asked=st.binary()
    ),
)
LAN = network("lan", "172.30.0.0/24")
WEB = endpoint("web", LAN, "172.30.0.2/24")


def by_key(*records: Record) -> dict[Key, Record | None]:
    return {(record.kind, record.id): record for record in records}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> SqliteStore:
    return SqliteStore(tmp_path_factory.mktemp("state"))


@given(st.lists(RECORDS, max_size=5))
def test_any_record_is_read_back_as_it_was(database: SqliteStore, records: list[Record]) -> None:
    wanted = by_key(*records)
    database.commit(wanted)
    assert by_key(*database.load()) == wanted
    database.commit(dict.fromkeys(wanted))
    assert list(database.load()) == []


@given(st.lists(st.dictionaries(KEYS, st.none() | st.integers(1, 9), max_size=3)))
def test_both_stores_keep_the_same(
    database: SqliteStore, changes: list[Mapping[str, int | None]]
) -> None:
    database.commit({(record.kind, record.id): None for record in database.load()})
    memory = MemoryStore()
    for change in changes:
        records = {("pool", name): a_pool(name, count) for name, count in change.items()}
        memory.commit(records)
        database.commit(records)
        assert by_key(*memory.load()) == by_key(*database.load())
        assert records.items() <= (dict.fromkeys(records) | by_key(*memory.load())).items()


def a_pool(name: str, count: int | None) -> Pool | None:
    if count is None:
        return None
    return Pool(id=name, space="x", cidr=IPNetwork("10.0.0.0/8"), references=count)


def test_another_process_reads_what_was_committed(tmp_path: Path) -> None:
    ten = pool("10.0.0.0/8")
    records = by_key(LAN, WEB, publication(WEB), ten, block(ten, 1))
    first = SqliteStore(tmp_path / "folder")
    first.commit(records)
    assert by_key(*SqliteStore(tmp_path / "folder").load()) == records
    first.close()
    assert by_key(*SqliteStore(tmp_path / "folder").load()) == records


def test_a_commit_happens_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.commit(by_key(LAN))
    other = sqlite3.connect(tmp_path / "pyflat.db")
    other.execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON records WHEN NEW.kind = 'endpoint' "
        "BEGIN SELECT RAISE(ABORT, 'refused'); END"
    )
    with pytest.raises(BackendError, match="refused"):
        store.commit({("network", LAN.id): None, ("endpoint", WEB.id): WEB})
    assert list(store.load()) == [LAN]
    other.execute("DROP TRIGGER refuse")
    store.commit(by_key(WEB))
    assert by_key(*store.load()) == by_key(LAN, WEB)


def test_forgetting_what_was_never_there_is_success(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.commit({("network", "unknown"): None})
    assert list(store.load()) == []


def test_only_the_owner_can_read_the_folder(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "state")
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0


def test_every_commit_is_on_disk_when_it_returns(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    assert store._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert store._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    SqliteStore(tmp_path).close()
    sqlite3.connect(tmp_path / "pyflat.db").execute("PRAGMA user_version = 2")
    with pytest.raises(BackendError, match="another version"):
        SqliteStore(tmp_path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pyflat.db").write_bytes(b"something else" * 100)
    with pytest.raises(BackendError, match=str(tmp_path)):
        SqliteStore(tmp_path)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BackendError, match="file"):
        SqliteStore(tmp_path / "file" / "state")


@pytest.mark.parametrize(
    ("kind", "body"),
    [("network", "{"), ("network", "{}"), ("unknown", "{}"), ("pool", '{"cidr": "here"}')],
)
def test_a_row_that_cannot_be_read_is_an_error_that_names_the_file(
    tmp_path: Path, kind: str, body: str
) -> None:
    store = SqliteStore(tmp_path)
    with sqlite3.connect(tmp_path / "pyflat.db") as other:
        other.execute("INSERT INTO records VALUES (?, 'x', ?)", (kind, body))
    with pytest.raises(BackendError, match=r"pyflat\.db"):
        list(store.load())
