"""Hosts of a cluster over a real etcd: what they hear of each other, whatever etcd does."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from netaddr import IPAddress
from tests.support import dockerd
from tests.support.cluster import VNI, Member, eventually
from tests.support.dockerd import docker_id
from tests.support.etcd import FAR, NEAR, EtcdServer
from tests.support.witness import run

from pyflat.errors import Conflict, NotFound
from pyflat.model import Endpoint
from pyflat.overlay import follower, gateway, publisher
from pyflat.overlay.etcd import Etcd
from pyflat.peers import Peer, Remote

Make = Callable[..., Member]

#: Seconds, for the tests' sake: etcd grants no shorter lease.
TTL, GRACE, SILENCE = 3, 3.0, 0.5


@pytest.fixture
def make(etcd: EtcdServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Make hosts of a cluster of the test's own."""
    monkeypatch.setattr(publisher, "TTL", TTL)
    monkeypatch.setattr(follower, "GRACE", GRACE)
    monkeypatch.setattr(gateway, "SILENCE", SILENCE)
    prefix = secrets.token_hex(4)
    members: list[Member] = []

    def make_one(number: int, *, at: str = NEAR, create: bool = True, name: str = "") -> Member:
        member = Member(f"etcd://{at}:2379/{prefix}", number, name=name)
        members.append(member)
        if create:
            member.create()
        return member

    yield make_one
    for member in members:
        member.end()


@contextmanager
def cut_off() -> Iterator[None]:
    """Let nothing through to the farther address of etcd."""
    run("nft", "add", "table", "ip", "cut")
    run("nft", "add", "chain", "ip", "cut", "out", "{ type filter hook output priority 0; }")
    run("nft", "add", "rule", "ip", "cut", "out", "ip", "daddr", FAR, "drop")
    run("nft", "add", "rule", "ip", "cut", "out", "ip", "saddr", FAR, "drop")
    try:
        yield
    finally:
        run("nft", "delete", "table", "ip", "cut")


def never_lost(member: Member, name: str, since: int) -> bool:
    """Say whether a host has known a container in all its States from a number on."""
    return all(state.get(Remote, docker_id(name)) for state in member.states[since:])


def test_hosts_hear_of_each_other_and_of_what_was_there_before(make: Make) -> None:
    one = make(1)
    one.run("web", 2)
    two = make(2)
    eventually(lambda: two.hears(n2="h1") and one.peers() == {"h2"})
    two.run("db", 3)
    eventually(lambda: one.hears(n3="h2"))
    one.remove("web")
    eventually(lambda: two.hears())
    assert two.peers() == {"h1"}


def test_what_is_known_stays_while_etcd_is_away_and_what_was_missed_is_caught_up(
    make: Make, etcd: EtcdServer
) -> None:
    one, two = make(1), make(2)
    one.run("web", 2)
    two.run("db", 3)
    eventually(lambda: one.hears(n3="h2") and two.hears(n2="h1"))
    etcd.kill()
    one.remove("web")
    one.run("cache", 4)
    two.restart()
    eventually(lambda: two.cluster.status().hearing and two.cluster.status().telling)
    assert two.hears(n2="h1")
    assert two.cluster.lease() == 0
    etcd.start()
    eventually(lambda: two.hears(n4="h1") and one.hears(n3="h2"))
    eventually(lambda: two.cluster.lease())
    assert never_lost(one, "db", since=len(one.states) - 1)


def test_an_etcd_that_hangs_holds_nobody_up_and_is_caught_up_with(
    make: Make, etcd: EtcdServer
) -> None:
    one, two = make(1), make(2)
    eventually(lambda: one.peers() == {"h2"} and two.peers() == {"h1"})
    with etcd.paused():
        one.run("web", 2)
        eventually(lambda: two.cluster.status().hearing and one.cluster.status().telling)
    eventually(lambda: two.hears(n2="h1"))
    assert one.peers() == {"h2"}


def test_what_was_compacted_while_a_host_was_cut_off_is_read_anew(
    make: Make, etcd: EtcdServer
) -> None:
    one, two = make(1), make(2, at=FAR)
    one.run("web", 2)
    eventually(lambda: two.hears(n2="h1") and one.peers() == {"h2"})
    with cut_off():
        one.remove("web")
        one.run("cache", 3)
        # The last change has to be in the store before it is compacted.
        keys = ("get", "", "--prefix", "--keys-only")
        eventually(lambda: docker_id("cache") in etcd.control(*keys))
        answer = etcd.control("get", "none", "-w", "fields")
        (revision,) = (line.split()[-1] for line in answer.splitlines() if "Revision" in line)
        etcd.control("compact", revision)
        eventually(lambda: two.cluster.status().hearing)
        assert two.hears(n2="h1")
    eventually(lambda: two.hears(n3="h1") and one.peers() == {"h2"})


def test_a_host_that_is_cut_off_expires_and_goes_after_the_grace_and_is_back_with_all_it_has(
    make: Make,
) -> None:
    one, two = make(1), make(2, at=FAR)
    two.run("db", 3)
    eventually(lambda: one.hears(n3="h2") and two.peers() == {"h1"})
    with cut_off():
        eventually(lambda: one.expired() == {"h2"})
        assert one.hears(n3="h2")
        eventually(lambda: not one.expired())
        assert one.hears()
        assert one.peers() == set()
        # The one that is cut off keeps what it knows.
        assert two.peers() | two.expired() == {"h1"}
    eventually(lambda: one.hears(n3="h2") and one.peers() == {"h2"})


def test_a_host_returns_with_another_address_within_the_grace(make: Make) -> None:
    one, two = make(1), make(2, at=FAR)
    two.run("db", 3)
    eventually(lambda: one.hears(n3="h2"))
    since = len(one.states)
    with cut_off():
        eventually(lambda: one.expired() == {"h2"})
        kernel = two.host.kernel
        kernel.underlay = replace(kernel.underlay, address=IPAddress("192.0.2.99"))
        two.host.engine.refresh()
    eventually(lambda: {str(r.vtep) for r in one.host.state.all(Remote)} == {"192.0.2.99"})
    eventually(lambda: {str(peer.vtep) for peer in one.host.state.all(Peer)} == {"192.0.2.99"})
    assert never_lost(one, "db", since)


@pytest.mark.parametrize("how", ["stopped and emptied", "emptied by hand"])
def test_an_etcd_that_has_lost_everything_is_told_all_again_and_nobody_is_forgotten(
    make: Make, etcd: EtcdServer, how: str
) -> None:
    one, two = make(1), make(2)
    one.run("web", 2)
    for number in range(10, 40):
        two.run(f"db{number}", number)
    eventually(lambda: len(one.remotes()) == 30 and two.hears(n2="h1"))
    since = len(one.states)
    if how == "emptied by hand":
        etcd.control("del", "", "--prefix")
    else:
        etcd.wipe()
    keys = ("get", "", "--prefix", "--keys-only")
    eventually(lambda: etcd.control(*keys).count("/endpoints/") == 31)
    three = make(3)
    eventually(lambda: len(three.remotes()) == 31 and one.peers() == {"h2", "h3"})
    assert all(never_lost(one, f"db{number}", since) for number in range(10, 40))


def test_a_second_host_of_a_name_is_refused_until_the_first_is_gone(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    one = make(1)
    eventually(one.cluster.lease)
    other = make(9, name="h1", create=False)
    eventually(lambda: "another host is called h1 already" in caplog.text)
    assert other.cluster.lease() == 0
    assert "PYFLAT_HOST" in other.cluster.status().telling
    one.end()
    eventually(other.cluster.lease)


def test_a_restart_is_the_same_host_at_once(make: Make) -> None:
    one, two = make(1), make(2)
    one.run("web", 2)
    eventually(lambda: two.hears(n2="h1") and two.peers() == {"h1"})
    since = len(two.states)
    one.restart()
    eventually(one.cluster.lease, seconds=TTL / 2)
    one.run("cache", 3)
    eventually(lambda: two.hears(n2="h1", n3="h1"))
    assert never_lost(two, "web", since)
    assert not any(peer.expired for state in two.states[since:] for peer in state.all(Peer))


def test_an_address_that_moves_is_announced_where_there_are_containers(make: Make) -> None:
    one, two, three = make(1), make(2), make(3)
    one.run("neighbour", 3)
    one.run("web", 2)
    three.run("other neighbour", 4)
    eventually(lambda: two.hears(n2="h1", n3="h1", n4="h3") and three.hears(n2="h1", n3="h1"))
    one.remove("web")
    eventually(lambda: two.hears(n3="h1", n4="h3"))
    two.run("moved", 2)
    move = (VNI, "10.42.0.2", two.host.state.require(Endpoint, docker_id("moved")).mac)
    eventually(lambda: three.hears(n2="h2", n3="h1") and move in three.moves)
    eventually(lambda: one.hears(n2="h2", n4="h3") and move in one.moves)
    # Those beside it knew it as one of another host.
    assert move in two.moves


def test_what_a_new_network_finds_is_announced_to_nobody(make: Make) -> None:
    one = make(1)
    one.run("web", 2)
    two = make(2, create=False)
    eventually(lambda: not two.cluster.status().hearing)
    two.create()
    eventually(lambda: two.hears(n2="h1"))
    assert two.moves == []


def test_an_address_taken_by_a_later_one_elsewhere_is_shouted_about_and_still_served_here(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = make(1), make(2, at=FAR)
    eventually(lambda: one.peers() == {"h2"} and two.peers() == {"h1"})
    with cut_off():
        one.run("web", 2)
        two.run("also web", 2)
    eventually(lambda: "10.42.0.2 of vni 42" in caplog.text)
    (line,) = (r for r in caplog.records if "10.42.0.2 of vni 42" in r.message)
    assert line.levelname == "ERROR"
    assert one.hears()
    one.remove("web")
    eventually(lambda: one.hears(n2="h2"))


def test_a_network_that_goes_takes_along_what_is_known_of_it_and_is_withdrawn(
    make: Make, etcd: EtcdServer
) -> None:
    one, two = make(1), make(2)
    one.run("web", 2)
    eventually(lambda: two.hears(n2="h1") and one.peers() == {"h2"})
    two.host.send(dockerd.delete_network(two.network))
    assert two.hears()
    assert two.peers() == set()
    eventually(lambda: one.expired() == {"h2"})
    two.create()
    eventually(lambda: two.hears(n2="h1") and one.peers() == {"h2"})


def test_a_host_is_forgotten_when_it_is_gone_and_nothing_else_is(
    make: Make, etcd: EtcdServer
) -> None:
    one, two = make(1), make(2)
    one.run("web", 2)
    two.run("db", 3)
    eventually(lambda: one.hears(n3="h2") and two.hears(n2="h1"))
    claims = Etcd(one.access)
    claims.put({"pools/x/blocks/1": {"host": "h1"}, "pools/x/blocks/2": {"host": "h2"}})
    claims.put({"vnis/42": {"hosts": ["h1", "h2"], "auto": True}, "vnis/43": {"hosts": ["h2"]}})
    with pytest.raises(Conflict, match="host h2 is there"):
        one.cluster.forget("h2")
    with pytest.raises(NotFound, match="host h3 is not known"):
        one.cluster.forget("h3")
    assert one.hears(n3="h2")
    two.end()
    eventually(lambda: one.expired() == {"h2"})
    one.cluster.forget("h2")
    assert one.hears()
    assert one.peers() | one.expired() == set()
    kept = claims.read("").values
    assert set(kept) == {
        *("hosts/h1", "networks/42/hosts/h1", f"networks/42/endpoints/{docker_id('web')}"),
        *("pools/x/blocks/1", "vnis/42"),
    }
    assert kept["vnis/42"] == {"hosts": ["h1"], "auto": True}
