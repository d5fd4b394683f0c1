"""Thousands of requests in random order, sound and broken ones, and what is left of them."""

import json
import random
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support import dockerd, witness
from tests.support.dockerd import Call
from tests.support.serving import (
    PROGRAM,
    Serving,
    memory_of,
    open_files,
    serving,
    threads_of,
)
from tests.support.small_world import World, places_of
from tests.support.unix_http import post

#: What is put in the place of a value.
JUNK: tuple[Any, ...] = (
    *(None, True, "", "0", "é\0", -1, 80, 65536, 10**40, 0.5, [], {}, [{}], "a" * 5000),
    *("172.40.0.9/24", "0.0.0.0/0", "fd00:40::9/64", "255.255.255.255", "02:42:ac:1e:00:02"),
)
#: Megabytes that the worker may have gained after it has met every kind of request.
GROWTH = 6.0


@pytest.fixture
def plugin(namespace: None) -> Iterator[Serving]:
    with serving() as plugin:
        plugin.up_with_log()
        yield plugin


def broken(call: Call, chance: random.Random) -> Call:
    """Put junk in the place of one value."""
    body = json.loads(call.body)
    container, key = chance.choice(list(places_of(body)))
    container[key] = chance.choice(JUNK)
    return Call(call.path, json.dumps(body).encode())


def send_many(plugin: Serving, chance: random.Random, count: int) -> set[int]:
    """Send requests about a small world, one of four of them broken; give the statuses."""
    calls = World("many", 40).calls
    statuses = set()
    for _ in range(count):
        call = chance.choice(calls)
        if chance.random() < 0.25:
            call = broken(call, chance)
        status, answer = post(plugin.socket, call)
        assert status in {200, 400}, (call, answer)
        assert "Traceback" not in str(answer)
        statuses.add(status)
    return statuses


def remove_all(plugin: Serving) -> None:
    while records := plugin.records():
        for kind, identifier, _ in records:
            if kind == "network":
                plugin.send(dockerd.delete_network(identifier))
            elif kind == "pool":
                plugin.send(dockerd.release_pool(identifier))


def differences(plugin: Serving) -> dict[str, Any]:
    words = (str(PROGRAM), "plan", "--socket", str(plugin.socket), "--json")
    found: dict[str, Any] = json.loads(subprocess.run(words, capture_output=True).stdout)
    # Endpoints whose interface no container has taken for a minute.
    del found["dead"]
    return {wrong: items for wrong, items in found.items() if items}


@pytest.mark.parametrize("count", [2000, pytest.param(10_000, marks=pytest.mark.full)])
def test_thousands_of_requests_leave_nothing(plugin: Serving, count: int) -> None:
    chance, worker, links = random.Random(7), plugin.worker, witness.links()
    send_many(plugin, chance, 500)
    remove_all(plugin)
    rules, files, memory = witness.ruleset(), open_files(worker), memory_of(worker)
    assert send_many(plugin, chance, count) == {200, 400}
    assert differences(plugin) == {}
    remove_all(plugin)
    assert plugin.worker == worker
    assert witness.eventually(lambda: witness.links() == links)
    assert witness.ruleset() == rules
    # A thread that has once changed a link keeps a netlink socket.
    assert witness.eventually(lambda: open_files(worker) <= files + threads_of(worker))
    assert memory_of(worker) - memory < GROWTH
    assert "Traceback" not in plugin.log.read_text()
