"""The floor of the benchmark is made of what it says: the kernel has it then, and not before."""

from collections import Counter

import pytest

from dockerbench import floor, maps, remotes
from dockerbench.entries import Host
from dockerbench.program import alone
from dockerbench.shapes import HASH, TABLE
from dockerlab import LabError
from pyflat.dataplane.overlay_objects import Fdb, Neighbour, Route


def test_a_network_and_its_cable_are_made_and_gone_again() -> None:
    with floor.start() as kernel:
        for _ in range(2):
            assert all(kernel(operation) > 0 for operation in floor.LIFE)


@pytest.mark.parametrize("again", ["network create", "connect"])
def test_what_is_there_cannot_be_made_again(again: str) -> None:
    with floor.start() as kernel:
        kernel("network create")
        kernel("connect")
        with pytest.raises(LabError, match="FileExists"):
            kernel(again)


@pytest.mark.parametrize("gone", ["disconnect", "network rm", "forget"])
def test_what_is_not_there_cannot_be_removed(gone: str) -> None:
    with floor.start() as kernel, pytest.raises(LabError, match="No such device"):
        kernel(gone)


def test_entries_of_remote_endpoints_come_and_go() -> None:
    with floor.start(500) as kernel:
        for _ in range(2):
            kernel("learn")
            kernel("forget")


def test_pyflat_makes_the_entries_of_remote_endpoints(namespace: None) -> None:
    host = Host(remotes.VNI)
    told = remotes.of_host() | dict(map(remotes.endpoint, range(500)))
    assert host.make(told) > 0
    kinds = Counter(entry.kind for entry in host.entries.observe())
    assert kinds == {Fdb.kind: 500, Neighbour.kind: 500, Route.kind: 500}
    host.forget()
    assert not host.entries.observe()


def test_an_element_is_in_the_map_until_it_is_deleted() -> None:
    with alone(maps.FLOOR, f"add table {TABLE}", HASH.declare("this")) as program:
        program("add 5")
        program("delete 5")
        with pytest.raises(LabError, match="No such file"):
            program("delete 5")
