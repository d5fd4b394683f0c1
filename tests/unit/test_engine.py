"""The engine: one change at a time, and a kernel that follows the host's ways out."""

import threading
from collections.abc import Iterable

import pytest
from tests.support import dockerd
from tests.support.dockerd import docker_id
from tests.support.fake_kernel import FakeKernel
from tests.support.host import ETH0, Host, records_of
from tests.support.records import endpoint, network
from tests.support.stores import FailingStore

from pyflat.dataplane.objects import Uplink
from pyflat.engine import Engine
from pyflat.errors import BackendError, Conflict
from pyflat.model import Record
from pyflat.state import State
from pyflat.store.memory import MemoryStore

LAN = network("lan", "172.30.0.0/24")
NETWORK = dockerd.create_network(LAN.id, "172.30.0.0/24")
WLAN0 = Uplink(device="wlan0")


def test_requests_of_many_threads_are_carried_out_one_after_another() -> None:
    host = Host(NETWORK)

    def work(first: int) -> None:
        for number in range(first, 200, 8):
            call = dockerd.create_endpoint(LAN.id, docker_id(str(number)), f"172.30.0.{number}/24")
            host.send(call)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(2, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(records_of(host.state)) == 199
    assert host.present() == host.wanted()


def test_a_change_that_raises_changes_nothing() -> None:
    host = Host(NETWORK)
    before, steps = host.picture(), host.kernel.steps

    def change(state: State) -> tuple[State, None]:
        state.put(endpoint("web", LAN))
        raise Conflict("no")

    with pytest.raises(Conflict):
        host.engine.update(change)
    assert (host.picture(), host.kernel.steps) == (before, steps)


def test_a_change_gives_what_it_gives() -> None:
    host = Host()
    assert host.engine.update(lambda state: (state, "answer")) == "answer"
    assert host.engine.update(lambda state: (state.put(LAN), "made")) == "made"
    assert host.state.touched == frozenset()
    assert {record.id for record in records_of(host.state)} == {LAN.id}


def test_a_question_costs_neither_a_commit_nor_a_step() -> None:
    store = FailingStore(MemoryStore())
    host = Host(NETWORK, store=store)
    steps = host.kernel.steps
    store.refuse(1)
    host.send(NETWORK)
    host.send(dockerd.endpoint_info(LAN.id, LAN.id))
    assert host.kernel.steps == steps


@pytest.mark.parametrize("ways_out", [set(), {WLAN0}, {ETH0, WLAN0}])
def test_ways_out_are_followed_as_they_come_and_go(ways_out: set[Uplink]) -> None:
    host = Host(NETWORK)
    host.kernel.foreign_links.add("wlan0")
    host.kernel.ways_out = ways_out
    assert (host.present() == host.wanted()) == (ways_out == {ETH0})
    host.engine.refresh()
    assert host.present() == host.wanted()


def test_a_way_out_that_cannot_be_opened_is_tried_again_by_the_next_converge() -> None:
    host = Host(NETWORK)
    host.kernel.ways_out = {WLAN0}
    host.engine.refresh()
    assert host.present() != host.wanted()
    host.kernel.foreign_links.add("wlan0")
    host.engine.converge()
    assert host.present() == host.wanted()


def test_ways_out_that_stay_the_same_take_no_step() -> None:
    host = Host(NETWORK)
    before = host.kernel.steps
    host.engine.refresh()
    assert host.kernel.steps == before


def test_an_engine_that_has_stopped_touches_nothing_any_more() -> None:
    host = Host(NETWORK)
    host.engine.stop()
    before, steps = host.kernel.objects, host.kernel.steps
    host.kernel.ways_out = set()
    host.engine.refresh()
    assert (host.kernel.objects, host.kernel.steps) == (before, steps)


def test_what_was_made_for_containers_stays_when_the_engine_stops() -> None:
    host = Host(NETWORK, *dockerd.run(LAN.id, docker_id("web"), "172.30.0.2/24"))
    before = host.kernel.objects
    host.engine.stop()
    assert host.kernel.objects == before


class Unreadable(MemoryStore):
    """A store whose file is damaged."""

    def load(self) -> Iterable[Record]:
        raise BackendError("the file is damaged")


def test_a_state_that_cannot_be_read_ends_the_start_before_the_kernel_is_touched() -> None:
    kernel = FakeKernel(ETH0)
    with pytest.raises(BackendError, match="damaged"):
        Engine(Unreadable(), kernel).start()
    assert kernel.steps == 0


def test_a_kernel_that_cannot_do_everything_does_not_end_the_start() -> None:
    store = MemoryStore()
    Host(NETWORK, store=store)
    kernel = FakeKernel(ETH0)
    kernel.foreign_links.add(LAN.bridge)
    host = Host(kernel=kernel, store=store)
    assert {record.id for record in records_of(host.state)} == {LAN.id}
    assert host.present() < host.wanted()
    web = dockerd.create_endpoint(LAN.id, docker_id("web"), "172.30.0.2/24")
    assert isinstance(host.refusal(web), BackendError)
    kernel.foreign_links.remove(LAN.bridge)
    host.engine.converge()
    host.send(web)


def test_what_keeps_it_from_looking_is_said_until_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(NETWORK)
    with monkeypatch.context() as broken:
        broken.setattr(host.kernel, "observe", raise_on_purpose)
        with pytest.raises(BackendError, match="on purpose"):
            host.engine.converge()
        assert "on purpose" in host.engine.last.errors
    host.engine.converge()
    assert not host.engine.last.errors


def raise_on_purpose(_: object) -> None:
    raise BackendError("on purpose")
