"""Hosts that share pools and VNIs over a real etcd: whatever it does, nothing is given twice."""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from netaddr import IPNetwork
from tests.support import dockerd
from tests.support.cluster import Member, access, eventually
from tests.support.dockerd import Call, call, docker_id
from tests.support.etcd import NEAR, EtcdServer

from pyflat.errors import BackendError, Conflict, PyflatError
from pyflat.ipam.addresses import given_out
from pyflat.model import Key, Network, Record
from pyflat.overlay import publisher, upkeep
from pyflat.overlay.etcd import Etcd
from pyflat.overlay.upkeep import forget
from pyflat.peers import Claim, Peer, Segment
from pyflat.store.memory import MemoryStore

#: Seconds, for the tests' sake.
TTL, EMPTY, COMPARED = 2, 0.3, 0.3

POOL = "PyflatLocal|10.42.0.0/24"
GATEWAY = {"RequestAddressType": "com.docker.network.gateway"}


class Claimant(Member):
    """A host of a cluster that has its addresses from pyflat, as dockerd asks for them."""

    def make(
        self, subnet: str = "10.42.0.0/24", *, part: str = "", vni: str = "42", name: str = "blue"
    ) -> str:
        """Create a network with a pool of ours; give the pool's id."""
        lease: str = self.host.send(dockerd.request_pool(subnet, part))["PoolID"]
        gateway = self.host.send(dockerd.request_address(lease, options=GATEWAY))["Address"]
        assert gateway.partition("/")[0] == str(IPNetwork(subnet)[1])
        labels = {"vni": vni}
        self.host.send(dockerd.create_network(self.named(name), subnet, labels=labels))
        return lease

    def named(self, name: str) -> str:
        """Give the id of a network of this host."""
        return docker_id(f"{name} on {self.name}")

    def vni(self, name: str = "blue") -> int | None:
        """Give the VNI of a network."""
        return self.host.state.require(Network, self.named(name)).vni

    def take(self, lease: str, address: str = "") -> str:
        """Have an address given out."""
        answer = self.host.send(dockerd.request_address(lease, address))
        return str(answer["Address"]).partition("/")[0]

    def give(self, lease: str, address: str) -> None:
        """Have an address taken back."""
        self.host.send(dockerd.release_address(lease, address))

    def remove(self, name: str = "blue", lease: str = "") -> None:
        """Remove a network, and its pool."""
        self.host.send(dockerd.delete_network(self.named(name)))
        if lease:
            self.host.send(dockerd.release_pool(lease))

    def knows_blocks_of(self, name: str) -> bool:
        """Say whether it was told what another host gives out."""
        return any(peer.blocks for peer in self.host.state.all(Peer) if peer.host == name)

    def forget_peer(self, name: str) -> None:
        """Have it forget another host of blue, as after the grace."""
        self.host.engine.update(lambda state: (state.drop(Peer, f"42|{name}"), None))

    def claims(self) -> set[str]:
        """Give the blocks that it may give out."""
        return {str(claim.cidr) for claim in self.host.state.all(Claim) if not claim.lost}


class Cluster:
    """The hosts of a test, and what its part of etcd holds."""

    def __init__(self, server: EtcdServer) -> None:
        self.server = server
        self.url = f"etcd://{NEAR}:2379/{secrets.token_hex(4)}"
        self.store = Etcd(access(self.url))
        self.hosts: list[Claimant] = []

    def join(self, number: int, **keywords: Any) -> Claimant:
        """Have a host take part, and wait until the cluster counts on it."""
        host = Claimant(self.url, number, **keywords)
        self.hosts.append(host)
        eventually(host.upkeep.leased)
        return host

    def blocks(self) -> dict[str, str]:
        """Give the blocks that are claimed, and whose they are."""
        found = self.store.read("pools/").values
        return {
            key.rpartition("/")[2].replace("-", "/"): value["host"] for key, value in found.items()
        }

    def hosts_of(self, vni: int) -> list[str]:
        """Name the hosts that have a VNI."""
        value = self.store.get(f"vnis/{vni}")
        return sorted(value["hosts"]) if value else []


@pytest.fixture
def cluster(etcd: EtcdServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    monkeypatch.setattr(publisher, "TTL", TTL)
    monkeypatch.setattr(upkeep, "EMPTY", 60.0)
    monkeypatch.setattr(upkeep, "COMPARED", COMPARED)
    cluster = Cluster(etcd)
    yield cluster
    for host in cluster.hosts:
        host.end()


def at_once(*changes: Callable[[], object]) -> list[object]:
    """Make changes in a thread each; give their results, or what they raised."""
    start = threading.Barrier(len(changes))

    def one(change: Callable[[], object]) -> object:
        start.wait()
        try:
            return change()
        except PyflatError as error:
            return error

    with ThreadPoolExecutor(len(changes)) as pool:
        return list(pool.map(one, changes))


def takes(leases: Mapping[Claimant, str], each: int) -> list[Callable[[], str]]:
    return [
        lambda host=host, lease=lease: host.take(lease)  # type: ignore[misc]
        for host, lease in leases.items()
        for _ in range(each)
    ]


def test_60_addresses_are_taken_at_once_on_3_hosts_and_none_twice(cluster: Cluster) -> None:
    leases = {host: host.make() for host in map(cluster.join, (1, 2, 3))}
    began = time.monotonic()
    given = at_once(*takes(leases, 20))
    assert time.monotonic() - began < 5
    assert len({str(address) for address in given if isinstance(address, str)}) == 60
    eventually(lambda: _held(cluster) == cluster.blocks())
    assert not {"10.42.0.0", "10.42.0.1", "10.42.0.255"} & set(map(str, given))


def test_what_is_taken_while_etcd_dies_and_comes_back_is_taken_once(cluster: Cluster) -> None:
    leases = {host: host.make() for host in map(cluster.join, (1, 2, 3))}
    given: list[object] = []
    for _ in range(3):
        killer = threading.Timer(0.02, cluster.server.kill)
        killer.start()
        began = time.monotonic()
        given += at_once(*takes(leases, 7))
        assert time.monotonic() - began < 5
        killer.join()
        cluster.server.start()
        for host in leases:
            eventually(host.upkeep.leased)
    given += at_once(*takes(leases, 7))
    addresses = [address for address in given if isinstance(address, str)]
    assert len(addresses) == len(set(addresses)) >= 21
    refused = {str(error) for error in given if not isinstance(error, str)}
    assert all(text.startswith(f"cluster {cluster.url}: ") for text in refused)
    eventually(lambda: _held(cluster) == cluster.blocks())


def test_a_host_whose_lease_is_over_gives_out_nothing_and_takes_everything_back(
    cluster: Cluster,
) -> None:
    host = cluster.join(1)
    lease = host.make()
    first, second = host.take(lease), host.take(lease)
    with cluster.server.paused():
        eventually(lambda: not host.upkeep.leased())
        began = time.monotonic()
        errors = at_once(*takes({host: lease}, 20))
        assert time.monotonic() - began < 5
        words = (
            f"cluster {cluster.url}: host h1 has no lease there; "
            "it gives out nothing new until it has one"
        )
        assert {str(error) for error in errors} == {words}
        host.give(lease, first)
        assert given_out(host.host.state, POOL, IPNetwork(second).ip)
    eventually(host.upkeep.leased)
    assert host.take(lease) == first


def test_a_cluster_that_does_not_answer_refuses_20_at_once_in_time(cluster: Cluster) -> None:
    host = cluster.join(1)
    lease = host.make()
    with cluster.server.paused():
        began = time.monotonic()
        errors = at_once(*takes({host: lease}, 20))
        assert time.monotonic() - began < 5
    assert all(str(error).startswith(f"cluster {cluster.url}: ") for error in errors)


def test_the_first_block_is_claimed_in_line_and_further_ones_ahead(cluster: Cluster) -> None:
    host = cluster.join(1)
    lease = host.make()
    assert cluster.blocks() == {}
    assert host.take(lease) == "10.42.0.2"
    assert cluster.blocks() == {"10.42.0.0/28": "h1"}
    for _ in range(10):
        host.take(lease)
    eventually(lambda: cluster.blocks() == {"10.42.0.0/28": "h1", "10.42.0.16/28": "h1"})
    assert host.claims() == set(cluster.blocks())


def test_each_host_may_have_a_range_of_its_own(cluster: Cluster) -> None:
    one, two = cluster.join(1), cluster.join(2)
    lower, upper = one.make(part="10.42.0.0/25"), two.make(part="10.42.0.128/26")
    assert one.take(lower) == "10.42.0.2"
    assert two.take(upper) == "10.42.0.128"
    assert cluster.blocks() == {"10.42.0.0/29": "h1", "10.42.0.128/30": "h2"}


def test_a_static_address_claims_its_block_or_is_refused_with_the_hosts_name(
    cluster: Cluster,
) -> None:
    one, two = cluster.join(1), cluster.join(2)
    leases = one.make(), two.make()
    assert one.take(leases[0], "10.42.0.70") == "10.42.0.70"
    assert cluster.blocks() == {"10.42.0.64/28": "h1"}
    with pytest.raises(Conflict) as refusal:
        two.take(leases[1], "10.42.0.70")
    assert str(refusal.value) == "address 10.42.0.70 is in block 10.42.0.64/28 of host h1"
    with pytest.raises(Conflict, match="is already given out"):
        two.take(leases[1], "10.42.0.1")


def test_one_of_two_hosts_that_want_an_address_at_once_has_it(cluster: Cluster) -> None:
    leases = {host: host.make() for host in map(cluster.join, (1, 2, 3))}
    asked = [lambda h=h, p=p: h.take(p, "10.42.0.70") for h, p in leases.items()]
    results = at_once(*asked)
    assert results.count("10.42.0.70") == 1
    assert [type(result) for result in results].count(Conflict) == 2


class Refusing(MemoryStore):
    """A disk that is full when a claim is to be kept."""

    full = False

    def commit(self, records: Mapping[Key, Record | None]) -> None:
        if self.full and any(isinstance(record, Claim) for record in records.values()):
            raise BackendError("database or disk is full")
        super().commit(records)


@pytest.fixture
def cut_off(cluster: Cluster) -> tuple[Claimant, str]:
    """Give a host that claimed a block and was ended before it could keep that in mind."""
    store = Refusing()
    host = cluster.join(1, store=store)
    lease = host.make()
    store.full = True
    with pytest.raises(BackendError, match="disk is full"):
        host.take(lease)
    assert cluster.blocks() == {"10.42.0.0/28": "h1"}
    assert host.claims() == set()
    store.full = False
    return host, lease


def test_a_block_whose_claim_was_cut_off_is_taken_up_again(
    cluster: Cluster, cut_off: tuple[Claimant, str]
) -> None:
    host, lease = cut_off
    other = cluster.join(2)
    assert other.take(other.make()) == "10.42.0.16"
    assert host.take(lease) == "10.42.0.2"
    assert cluster.blocks()["10.42.0.0/28"] == "h1"


def test_a_block_whose_claim_was_cut_off_is_given_back_if_nobody_wants_it(
    cluster: Cluster, cut_off: tuple[Claimant, str]
) -> None:
    host, _ = cut_off
    host.restart()
    eventually(lambda: cluster.blocks() == {})


def test_what_a_wiped_etcd_has_forgotten_is_claimed_again_by_who_had_it(
    cluster: Cluster,
) -> None:
    one, two = cluster.join(1), cluster.join(2)
    leases = one.make(), two.make()
    given = [one.take(leases[0]), two.take(leases[1])]
    before = cluster.blocks()
    eventually(lambda: one.knows_blocks_of("h2") and two.knows_blocks_of("h1"))
    cluster.server.wipe()
    # At once, before the hosts know of it, and for long enough that they do.
    results = [r for _ in range(8) for r in at_once(*takes({one: leases[0], two: leases[1]}, 2))]
    given += [address for address in results if isinstance(address, str)]
    eventually(lambda: cluster.blocks().items() >= before.items())
    eventually(lambda: one.upkeep.leased() and two.upkeep.leased())
    given += map(str, at_once(*takes({one: leases[0], two: leases[1]}, 10)))
    assert len(given) == len(set(given)) >= 22
    assert cluster.hosts_of(42) == ["h1", "h2"]


def test_a_block_that_the_cluster_gave_to_another_host_keeps_its_containers_only(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = cluster.join(1), cluster.join(2)
    leases = one.make(), two.make()
    held = one.take(leases[0])
    one.end()
    forget(cluster.store, "h1")
    assert cluster.blocks() == {}
    two.forget_peer("h1")
    assert two.take(leases[1], "10.42.0.9") == "10.42.0.9"
    with caplog.at_level(logging.ERROR):
        one.restart()
        eventually(one.upkeep.leased)
    assert "10.42.0.0/28 is that of host h2 by now" in caplog.text
    assert given_out(one.host.state, POOL, IPNetwork(held).ip)
    assert one.take(leases[0]) == "10.42.0.16"
    with pytest.raises(Conflict, match=r"is in block 10\.42\.0\.0/28 of host h2"):
        one.take(leases[0], "10.42.0.10")
    one.give(leases[0], held)
    one.remove(lease=leases[0])
    eventually(lambda: cluster.blocks() == {"10.42.0.0/28": "h2"})
    assert one.claims() == set()


def test_a_block_that_stays_empty_is_given_back(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = cluster.join(1)
    lease = host.make()
    address = host.take(lease)
    monkeypatch.setattr(upkeep, "EMPTY", EMPTY)
    time.sleep(2 * EMPTY)
    assert cluster.blocks() == {"10.42.0.0/28": "h1"}
    host.give(lease, address)
    eventually(lambda: cluster.blocks() == {})
    assert host.take(lease) == address


def test_blocks_of_a_released_pool_are_given_back_when_etcd_is_there_again(
    cluster: Cluster,
) -> None:
    host = cluster.join(1)
    lease = host.make()
    host.take(lease)
    cluster.server.kill()
    host.remove(lease=lease)
    time.sleep(0.5)
    assert host.claims() == {"10.42.0.0/28"}
    cluster.server.start()
    eventually(lambda: cluster.blocks() == {} and host.claims() == set())


def test_a_vni_is_one_network_for_all_and_goes_with_the_last_host(cluster: Cluster) -> None:
    one, two, three = map(cluster.join, (1, 2, 3))
    leases = one.make(), two.make()
    with pytest.raises(Conflict) as refusal:
        three.make("10.43.0.0/24")
    assert str(refusal.value) == (
        "vni 42 is --subnet 10.42.0.0/24 --ipam-driver pyflat --gateway 10.42.0.1 on host h1, h2; "
        "it cannot be --subnet 10.43.0.0/24 --ipam-driver pyflat --gateway 10.43.0.1 on host h3"
    )
    assert cluster.hosts_of(42) == ["h1", "h2"]
    one.remove(lease=leases[0])
    eventually(lambda: cluster.hosts_of(42) == ["h2"])
    two.remove(lease=leases[1])
    eventually(lambda: cluster.hosts_of(42) == [])
    assert not any(two.host.state.all(Segment))
    three.make("10.44.0.0/24")
    assert cluster.hosts_of(42) == ["h3"]


def test_hosts_that_leave_a_vni_in_the_same_moment_have_all_left_it_soon(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = [cluster.join(number) for number in (1, 2, 3)]
    # What compares everything from time to time would give back what is left.
    monkeypatch.setattr(upkeep, "COMPARED", 60.0)
    for _ in range(5):
        leases = [(host, host.make()) for host in hosts]
        at_once(*(partial(host.remove, lease=lease) for host, lease in leases))
        eventually(lambda: cluster.hosts_of(42) == [])


def test_a_drawn_vni_is_the_same_on_every_host_and_another_for_another_subnet(
    cluster: Cluster,
) -> None:
    hosts = [cluster.join(number) for number in (1, 2, 3)]
    hosts[0].make("10.40.0.0/24", vni="4096", name="chosen")
    made = [
        lambda h=h, s=s, n=n: h.make(s, vni="auto", name=n)
        for h in hosts
        for s, n in (("10.42.0.0/24", "blue"), ("10.43.0.0/24", "green"))
    ]
    at_once(*made)
    drawn = {(host.vni("blue"), host.vni("green")) for host in hosts}
    assert len(drawn) == 1
    assert {*drawn.pop()} == {4097, 4098}


def test_a_vni_of_a_network_that_never_came_to_be_is_left(cluster: Cluster) -> None:
    host = cluster.join(1)
    host.make()
    host.host.engine.update(lambda s: (s.put(Segment(vni=43, parts=("--subnet x",))), None))
    eventually(lambda: not any(s.vni == 43 for s in host.host.state.all(Segment)))
    cluster.store.put({"vnis/44": {"parts": ["--subnet x"], "auto": False, "hosts": ["h1"]}})
    eventually(lambda: cluster.hosts_of(44) == [])
    assert cluster.hosts_of(42) == ["h1"]


def foreign(host: Claimant) -> Call:
    """Describe a network whose addresses Docker gives out itself."""
    subnet = {"AddressSpace": "LocalDefault", "Pool": "10.42.0.0/24", "Gateway": "10.42.0.1/24"}
    return call(
        "NetworkDriver.CreateNetwork",
        NetworkID=host.named("blue"),
        Options=dockerd.network_options({"vni": "42"}),
        IPv4Data=[subnet],
        IPv6Data=[],
    )


def connected(host: Claimant, name: str, address: str) -> Callable[[], object]:
    request = dockerd.create_endpoint(host.named("blue"), docker_id(name), f"{address}/24")
    return lambda: host.host.send(request)


def test_an_address_of_dockers_manager_is_one_hosts_until_its_endpoint_goes(
    cluster: Cluster,
) -> None:
    one, two = cluster.join(1), cluster.join(2)
    for host in (one, two):
        host.host.send(foreign(host))
    results = at_once(connected(one, "a", "10.42.0.9"), connected(two, "b", "10.42.0.9"))
    (refusal,) = (result for result in results if isinstance(result, Conflict))
    (name, winner), loser = (("b", two), one) if refusal is results[0] else (("a", one), two)
    assert f"address 10.42.0.9 is in use on host {winner.name}" in str(refusal)
    winner.host.send(dockerd.delete_endpoint(winner.named("blue"), docker_id(name)))
    eventually(lambda: _succeeds(connected(loser, "later", "10.42.0.9")))


def test_an_address_of_dockers_manager_is_refused_while_etcd_is_away_but_for_a_restart(
    cluster: Cluster,
) -> None:
    host = cluster.join(1)
    host.host.send(foreign(host))
    connected(host, "web", "10.42.0.9")()
    with cluster.server.paused():
        host.host.send(dockerd.delete_endpoint(host.named("blue"), docker_id("web")))
        connected(host, "web", "10.42.0.9")()
        began = time.monotonic()
        with pytest.raises(BackendError, match=f"cluster {cluster.url}: "):
            connected(host, "db", "10.42.0.10")()
        assert time.monotonic() - began < 5


def test_a_network_has_its_addresses_from_one_manager_on_all_hosts(cluster: Cluster) -> None:
    one, two = cluster.join(1), cluster.join(2)
    one.make()
    with pytest.raises(Conflict) as refusal:
        two.host.send(foreign(two))
    assert str(refusal.value) == (
        "vni 42 is --subnet 10.42.0.0/24 --ipam-driver pyflat --gateway 10.42.0.1 on host h1; "
        "it cannot be --subnet 10.42.0.0/24 on host h2"
    )


def test_a_second_host_of_the_same_name_is_given_nothing(cluster: Cluster) -> None:
    one = cluster.join(1)
    lease = one.make()
    one.take(lease)
    twin = Claimant(cluster.url, 9, name="h1")
    cluster.hosts.append(twin)
    began = time.monotonic()
    with pytest.raises(BackendError, match="host h1 has no lease there"):
        twin.make()
    assert time.monotonic() - began < 5
    assert cluster.blocks() == {"10.42.0.0/28": "h1"}


def _held(cluster: Cluster) -> dict[str, str]:
    """Give the blocks that hosts believe they hold; none is another's."""
    held = [(block, host.name) for host in cluster.hosts for block in host.claims()]
    assert len(held) == len(dict(held))
    return dict(held)


def _succeeds(change: Callable[[], object]) -> bool:
    try:
        change()
    except Conflict:
        return False
    return True
