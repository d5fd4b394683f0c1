"""Hosts of a cluster over three etcds, of which some end."""

import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from tests.netns.test_cluster import never_lost
from tests.support.cluster import VNI, Member, eventually
from tests.support.etcd import EtcdServer
from tests.support.namespaces import fresh_namespace

from pyflat.errors import BackendError

ADDRESSES = ("127.0.0.11", "127.0.0.12", "127.0.0.13")


@pytest.fixture
def three(tmp_path: Path) -> Iterator[list[EtcdServer]]:
    """Three etcds that are one, in a namespace of their own."""
    peers = ",".join(f"{address}=http://{address}:2380" for address in ADDRESSES)
    with fresh_namespace():
        servers = []
        for address in ADDRESSES:
            url, folder = f"http://{address}:2380", tmp_path / address
            folder.mkdir()
            words = (f"--listen-peer-urls={url}", f"--initial-advertise-peer-urls={url}")
            name = (f"--name={address}", f"--initial-cluster={peers}")
            servers.append(EtcdServer(folder, *words, *name, at=address))
        for server in servers:
            server.launch()
        for server in servers:
            server.wait()
        yield servers
        for server in servers:
            server.kill()


@pytest.fixture
def hosts(three: list[EtcdServer]) -> Iterator[list[Member]]:
    url = f"etcd://{','.join(f'{a}:2379' for a in ADDRESSES)}/{secrets.token_hex(4)}"
    members = [Member(url, number) for number in (1, 2)]
    for member in members:
        eventually(partial(creates, member, VNI))
    yield members
    for member in members:
        member.end()


def creates(member: Member, vni: int) -> bool:
    """Whether a host is given a VNI, which takes most of the etcds."""
    with suppress(BackendError):
        member.create(vni)
        return True
    return False


def test_one_of_three_may_end_and_without_two_what_is_known_stays(
    three: list[EtcdServer], hosts: list[Member]
) -> None:
    one, two = hosts
    one.run("web", 2)
    eventually(lambda: two.hears(n2="h1"))
    three[0].kill()
    eventually(lambda: creates(one, 43))
    one.run("db", 3)
    eventually(lambda: two.hears(n2="h1", n3="h1"))
    three[1].kill()
    since = len(two.states)
    began = time.monotonic()
    assert not creates(one, 44)
    assert time.monotonic() - began < 4
    one.run("late", 4)
    three[1].launch()
    eventually(lambda: creates(one, 44), 20)
    eventually(lambda: two.hears(n2="h1", n3="h1", n4="h1"))
    assert never_lost(two, "web", since)
    three[0].launch()
