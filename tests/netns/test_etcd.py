"""The client of etcd against a real one: what it may take, who is let in, what a watch tells."""

import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.cluster import access
from tests.support.etcd import NEAR, EtcdServer

from pyflat.errors import BackendError
from pyflat.overlay import gateway
from pyflat.overlay.access import Access, read_access
from pyflat.overlay.etcd import PATIENCE, Etcd, absent, present, unchanged
from pyflat.overlay.gateway import LostWatchError

ONE = f"etcd://{NEAR}:2379"


@pytest.fixture
def own(request: pytest.FixtureRequest, etcd: EtcdServer) -> Etcd:
    """A client with a prefix of the test's own."""
    return Etcd(access(f"{ONE}/{request.node.name[:40].replace('[', '-')}"))


@pytest.fixture
def silent(etcd: EtcdServer) -> Iterator[int]:
    """A port that takes connections and answers nothing."""
    with socket.create_server((NEAR, 0)) as server:
        yield server.getsockname()[1]


def seconds_until_refused(client: Etcd) -> float:
    began = time.monotonic()
    with pytest.raises(BackendError, match=r"^cluster etcd"):
        client.get("key")
    return time.monotonic() - began


def test_keys_are_written_read_and_removed_by_themselves_and_by_what_they_begin_with(
    own: Etcd,
) -> None:
    own.put({"a/1": {"ü": [1, None]}, "a/2": 2, "b": 3})
    assert own.get("a/1") == {"ü": [1, None]}
    assert own.get("a") is None
    found = own.read("a/")
    assert found.values == {"a/1": {"ü": [1, None]}, "a/2": 2}
    assert set(found.changed) == {"a/1", "a/2"}
    own.delete(["a/1", "none"])
    own.delete_prefix("b")
    assert own.read("").values == {"a/2": 2}


def test_more_is_written_at_once_than_one_transaction_takes(own: Etcd) -> None:
    values = {f"key/{number}": number for number in range(250)}
    own.put(values)
    assert own.read("key/").values == values
    own.delete(values)
    assert own.read("").values == {}


def test_a_transaction_happens_if_all_that_it_demands_is_so(own: Etcd) -> None:
    assert own.transact([absent("a"), absent("t/", prefix=True)], put={"a": 1, "t/1": 1})
    assert not own.transact([absent("a")], put={"a": 2})
    assert not own.transact([absent("t/", prefix=True)], put={"a": 2})
    seen = own.read("t/").revision
    assert own.transact([present("a"), unchanged("t/", seen, prefix=True)], put={"t/2": 2})
    assert not own.transact([unchanged("t/", seen, prefix=True)], put={"a": 2})
    assert own.transact([unchanged("a", seen)], delete=["a"], put={"t/3": 3})
    assert own.read("").values == {"t/1": 1, "t/2": 2, "t/3": 3}


def test_what_is_under_a_lease_goes_when_it_is_revoked_or_over(own: Etcd) -> None:
    lease = own.grant(2)
    own.put({"a": 1}, lease)
    own.put({"b": 1})
    assert own.renew(lease)
    own.revoke(lease)
    assert own.read("").values == {"b": 1}
    assert not own.renew(lease)


@pytest.mark.parametrize("others", [1, 2])
def test_endpoints_that_refuse_or_hang_are_passed_over_and_then_asked_no_more(
    others: int, silent: int, etcd: EtcdServer
) -> None:
    bad = ",".join([f"{NEAR}:1", f"{NEAR}:{silent}"][:others])
    client = Etcd(access(f"etcd://{bad},{NEAR}:2379/passing"))
    assert client.get("key") is None
    began = time.monotonic()
    assert client.get("key") is None
    assert time.monotonic() - began < PATIENCE / 2


@pytest.mark.parametrize("count", [1, 3])
def test_endpoints_that_all_hang_cost_no_more_than_is_allowed(count: int, silent: int) -> None:
    client = Etcd(access(f"etcd://{','.join([f'{NEAR}:{silent}'] * count)}"))
    assert PATIENCE / 2 < seconds_until_refused(client) < PATIENCE + 0.3
    with client.within(0.4):
        assert seconds_until_refused(client) < 0.7


def test_an_etcd_that_is_started_again_is_asked_without_a_failure(
    own: Etcd, etcd: EtcdServer
) -> None:
    own.put({"key": 1})
    etcd.kill()
    with pytest.raises(BackendError, match="Connection refused"):
        own.get("key")
    etcd.start()
    assert own.get("key") == 1


def test_a_watch_tells_what_changes_after_a_revision_large_values_and_what_goes(
    own: Etcd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "SILENCE", 0.5)
    own.put({"w/before": 1, "other": 1})
    start = own.read("w/").revision
    large = "ü" * 200_000
    own.put({"w/large": large, "other": 2})
    own.put({"w/small": 1})
    own.delete(["w/small"])
    watch = own.watch("w/", start)
    told: dict[str, object] = {}
    while changed := next(watch)[1]:
        told |= changed
    assert told == {"w/large": large, "w/small": None}
    # It is asked for anew after the silence, and misses nothing.
    own.put({"w/later": 3})
    assert next(watch)[1] == {"w/later": 3}


def test_a_watch_from_what_is_compacted_or_not_yet_written_is_lost(
    own: Etcd, etcd: EtcdServer
) -> None:
    own.put({"w/1": 1})
    start = own.read("w/").revision
    for number in range(3):
        own.put({"w/1": number})
    etcd.control("compact", str(start + 2))
    with pytest.raises(LostWatchError, match="compacted"):
        next(own.watch("w/", start - 1))
    with pytest.raises(LostWatchError, match="back in time"):
        next(own.watch("w/", start + 1000))


def test_a_watch_is_lost_when_etcd_ends_or_hangs(
    own: Etcd, etcd: EtcdServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "SILENCE", 0.5)
    start = own.read("w/").revision
    watch = own.watch("w/", start)
    assert next(watch) == (start, {})
    with etcd.paused(), pytest.raises(LostWatchError):
        list(watch)
    watch = own.watch("w/", start)
    assert next(watch) == (start, {})
    etcd.kill()
    try:
        with pytest.raises(LostWatchError):
            list(watch)
    finally:
        etcd.start()


class Certificates:
    """An authority, and what it vouches for: an etcd at a loopback address, and a client."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._openssl("req", "-x509", *self._new("ca"), "-days", "2", "-subj", "/CN=authority")
        self._sign("server", f"subjectAltName=IP:{NEAR}")
        self._sign("host", "extendedKeyUsage=clientAuth")

    def path(self, name: str) -> str:
        return str(self._folder / name)

    def _sign(self, name: str, extension: str) -> None:
        extensions = self._folder / f"{name}.ext"
        extensions.write_text(extension)
        self._openssl("req", *self._new(name, "csr"), "-subj", f"/CN={name}")
        ca = ("-CA", self.path("ca.pem"), "-CAkey", self.path("ca.key"), "-CAcreateserial")
        request, certificate = self.path(f"{name}.csr"), self.path(f"{name}.pem")
        words = ("-in", request, "-out", certificate, "-extfile", str(extensions), "-days", "2")
        self._openssl("x509", "-req", *ca, *words)

    def _new(self, name: str, suffix: str = "pem") -> tuple[str, ...]:
        keys = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        return (*keys, "-keyout", self.path(f"{name}.key"), "-out", self.path(f"{name}.{suffix}"))

    def _openssl(self, *words: str) -> None:
        subprocess.run(["openssl", *words], check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def trusted(certificates: Certificates, etcd: EtcdServer, tmp_path: Path) -> Iterator[Access]:
    """The access to an etcd that speaks TLS, and only with whom the authority vouches for."""
    path = certificates.path
    server = (f"--cert-file={path('server.pem')}", f"--key-file={path('server.key')}")
    client = (f"--cert={path('host.pem')}", f"--key={path('host.key')}")
    another = EtcdServer(
        tmp_path,
        *(*server, f"--trusted-ca-file={path('ca.pem')}", "--client-cert-auth"),
        scheme="https",
        control=(f"--cacert={path('ca.pem')}", *client),
    )
    etcd.kill()
    another.start()
    yield read_access(
        f"etcds://{NEAR}",
        ca=path("ca.pem"),
        certificate=path("host.pem"),
        key=path("host.key"),
        user="",
        password_file="",
    )
    another.kill()
    etcd.start()


def test_only_who_has_a_certificate_is_let_in_and_only_a_server_with_one_is_believed(
    trusted: Access, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Etcd(trusted)
    client.put({"key": 1})
    assert client.get("key") == 1
    with pytest.raises(BackendError, match="etcds://"):
        Etcd(replace(trusted, certificate="", key="")).get("key")
    with pytest.raises(BackendError, match="certificate verify failed"):
        Etcd(replace(trusted, ca="")).get("key")
    with pytest.raises(BackendError, match="certificate verify failed"):
        Etcd(replace(trusted, ca=certificates.path("host.pem"))).get("key")
    with pytest.raises(BackendError, match="etcd://"):
        Etcd(replace(trusted, tls=False)).get("key")
    # Without a file of its own, it is the system's authorities that count.
    monkeypatch.setenv("SSL_CERT_FILE", certificates.path("ca.pem"))
    assert Etcd(replace(trusted, ca="")).get("key") == 1


@pytest.fixture
def guarded(etcd: EtcdServer, tmp_path: Path) -> Iterator[tuple[EtcdServer, Access]]:
    """An etcd that asks for passwords, and the access of one who may use the prefix /mine/."""
    (tmp_path / "password").write_text("secret\n")
    another = EtcdServer(tmp_path, control=("--user=root:secret",))
    etcd.kill()
    another.start()
    for words in (
        *("user add root:secret", "user grant-role root root", "user add pyflat:secret"),
        *("role add mine", "role grant-permission mine --prefix=true readwrite /mine/"),
        *("user grant-role pyflat mine", "auth enable"),
    ):
        another.control(*words.split())
    password = str(tmp_path / "password")
    none = {"ca": "", "certificate": "", "key": ""}
    yield another, read_access(f"{ONE}/mine", user="pyflat", password_file=password, **none)
    another.kill()
    etcd.start()


def test_a_password_lets_in_as_far_as_the_user_may_and_a_forgotten_token_costs_no_call(
    guarded: tuple[EtcdServer, Access],
) -> None:
    server, mine = guarded
    client = Etcd(mine)
    client.put({"key": 1})
    watch = client.watch("", client.read("").revision - 1)
    assert next(watch)[1] == {"key": 1}
    server.kill()
    server.start()  # it has no token any more
    assert client.get("key") == 1
    for stranger, words in (
        (replace(mine, prefix="/other/"), "permission denied"),
        (replace(mine, password="wrong"), "authentication failed"),
        (replace(mine, user=""), "user name is empty"),
    ):
        with pytest.raises(BackendError, match=words):
            Etcd(stranger).get("key")
