"""Wherever the process ends, the next one makes the kernel what State says."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netaddr import IPAddress
from tests.support import dockerd
from tests.support.dockerd import docker_id
from tests.support.fake_kernel import FakeKernel
from tests.support.host import ETH0, Host, records_of
from tests.support.small_world import Pair, World
from tests.support.stores import Crash, CrashingStore

from pyflat.dataplane.objects import Bridge, Element, HostPort, Veth
from pyflat.engine import GRACE
from pyflat.store.base import Store
from pyflat.store.memory import MemoryStore
from pyflat.store.sqlite import SqliteStore

LAN, WEB, DB = docker_id("lan"), docker_id("web"), docker_id("db")
POOL = "PyflatLocal|172.30.0.0/24"
LIFE = (
    dockerd.request_pool("172.30.0.0/24"),
    dockerd.request_address(POOL, "172.30.0.1"),
    dockerd.create_network(LAN, "172.30.0.0/24", "fd00::/64"),
    dockerd.request_address(POOL, ""),
    *dockerd.run(LAN, WEB, "172.30.0.2/24", "8080:80", "53:53/udp", v6="fd00::2/64"),
    *dockerd.run(LAN, DB, "172.30.0.3/24", "127.0.0.1:5432:5432"),
    dockerd.program(LAN, WEB, "8080:81"),
    *dockerd.stop(LAN, WEB),
    dockerd.release_address(POOL, "172.30.0.2"),
    *dockerd.stop(LAN, DB),
    dockerd.release_pool(POOL),
    dockerd.delete_network(LAN),
)
WORLD = World("restarts", 30)


def live_until_crash(host: Host) -> bool:
    """Play a life through; says whether a crash ended it."""
    try:
        host.send_all(LIFE)
    except Crash:
        return True
    return False


def crash_at_every_commit(store: Store, number: int) -> bool:
    crashing = CrashingStore(store, number)
    host = Host(store=crashing)
    crashed = live_until_crash(host)
    kept = {(r.kind, r.id) for r in store.load()}
    host.restart()
    assert host.present() == host.wanted()
    # Nothing is lost but an endpoint whose making was cut off before its interface was there.
    lost = kept - {(r.kind, r.id) for r in records_of(host.state)}
    assert {kind for kind, _ in lost} <= {"endpoint"}
    assert frozenset(store.load()) == records_of(host.state)
    return crashed


def test_a_restart_after_any_commit_makes_the_kernel_equal_to_state() -> None:
    number = 1
    while crash_at_every_commit(MemoryStore(), number):
        number += 1
    assert number > len(LIFE) - 2


def test_a_restart_after_any_commit_finds_everything_on_disk(tmp_path: Path) -> None:
    number = 1
    while crash_at_every_commit(SqliteStore(tmp_path / str(number)), number):
        number += 1
    assert number > len(LIFE) - 2


@given(WORLD.sequences(10), st.integers(1, 20), st.booleans())
def test_any_sequence_can_be_cut_off_by_a_crash(
    pairs: list[Pair], number: int, inside: bool
) -> None:
    store = MemoryStore()
    host = Host(store=CrashingStore(store, number), inside=inside)
    try:
        for pair in pairs:
            host.refusal(pair.do)
    except Crash:
        pass
    host.restart()
    assert host.present() == host.wanted()
    assert frozenset(store.load()) == records_of(host.state)


RUNNING = (
    dockerd.create_network(LAN, "172.30.0.0/24"),
    *dockerd.run(LAN, WEB, "172.30.0.2/24", "8080:80"),
)


def test_ports_are_held_again_after_a_restart() -> None:
    host = Host(*RUNNING)
    host.kernel.end_process()
    assert host.present() != host.wanted()
    host.restart()
    assert HostPort(protocol="tcp", host=IPAddress("0.0.0.0"), port=8080) in host.present()


def test_a_port_that_was_taken_meanwhile_keeps_its_mapping_and_is_had_back_later() -> None:
    host = Host(*RUNNING)
    port = HostPort(protocol="tcp", host=IPAddress("0.0.0.0"), port=8080)
    host.kernel.foreign_ports.add(port)
    host.kernel.end_process()
    host.restart()
    assert host.wanted() - host.present() == {port}
    host.kernel.foreign_ports.clear()
    host.engine.converge()
    assert host.present() == host.wanted()


def test_an_endpoint_whose_pair_is_gone_is_dropped_with_its_ports() -> None:
    host = Host(*RUNNING)
    host.kernel.vanish(f"pv-{WEB[:12]}")
    host.restart()
    assert {r.kind for r in records_of(host.state)} == {"network"}
    assert host.present() == host.wanted()


@pytest.mark.parametrize(("age", "kept"), [(GRACE - 1, True), (GRACE + 1, False)])
def test_a_pair_at_home_is_a_containers_only_for_a_while(
    age: float, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(*RUNNING)
    host.kernel.give_back(f"pv-{WEB[:12]}")
    now = host.engine.now()
    host.engine = type(host.engine)(host.store, host.kernel)
    monkeypatch.setattr(host.engine, "now", lambda: now + age)
    host.engine.start()
    assert {r.kind for r in records_of(host.state)} == (
        {"network", "endpoint", "publication"} if kept else {"network"}
    )
    assert host.present() == host.wanted()


def test_a_pair_in_a_container_is_kept_however_old() -> None:
    host = Host(*RUNNING)
    host.engine.now = lambda: 4e9  # type: ignore[method-assign]
    host.engine.converge()
    assert host.present() == host.wanted()


def test_a_pair_that_a_container_had_is_never_made_anew() -> None:
    host = Host(*RUNNING)
    host.kernel.lose(Bridge(name=f"pf-{LAN[:12]}", mac="", mtu=0, owner=""))
    host.restart()
    assert host.present() == host.wanted()
    host.kernel.vanish(f"pv-{WEB[:12]}")
    host.restart()
    assert not any(isinstance(item, Veth) for item in host.present())


def test_leftovers_without_a_record_are_removed() -> None:
    host = Host(*RUNNING)
    before = host.present()
    stray = Veth(
        name="pv-0123456789ab", bridge=f"pf-{LAN[:12]}", mtu=1500, owner="0", peer="p", mac="02:"
    )
    host.kernel.plant(stray)
    host.kernel.plant(Element(family="inet", name="masq4", match=("ipv4", "10.0.0.0/8")))
    host.kernel.plant(Bridge(name="pf-0123456789ab", mac="02:", mtu=1500, owner="0"))
    host.restart()
    assert host.present() == before


@pytest.mark.parametrize("family", ["inet", "bridge"])
def test_a_table_that_somebody_changed_is_replaced(family: str) -> None:
    host = Host(*RUNNING)
    before = host.present()
    host.kernel.tamper(family)
    assert host.present() != before
    host.engine.converge()
    assert host.present() == before


def test_tables_that_somebody_flushed_are_made_anew() -> None:
    host = Host(*RUNNING)
    before = host.present()
    host.kernel.flush_ruleset()
    host.engine.converge()
    assert host.present() == before


def test_a_restart_with_nothing_to_do_takes_no_step() -> None:
    kernel = FakeKernel(ETH0)
    host = Host(*RUNNING, kernel=kernel)
    before = kernel.steps
    host.engine.converge()
    assert kernel.steps == before
