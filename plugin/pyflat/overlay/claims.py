"""What the cluster has given this host: blocks of pools, VNIs, addresses of foreign managers.

::

    pools/<subnet>/blocks/<block>   {"host": NAME}, a slash of a subnet written as "-"
    addresses/<vni>/<address>       {"host": NAME}
    vnis/<vni>                      {"parts": [SUBNET, …], "auto": BOOL, "hosts": [NAME, …]}

None of them is under a lease: what is in use stays in use. A key is written by compare-and-swap
before State has the record of it, and the record goes before the key. So a host gives out only
what the cluster knows it has, and a key of this host that State knows nothing of was cut off.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Protocol, TypeVar

import msgspec
from netaddr import IPNetwork

from pyflat.addressing import Pool
from pyflat.errors import BackendError, Conflict
from pyflat.ipam.shared import choose_block, cluster_network, is_held
from pyflat.model import Record
from pyflat.overlay import keys
from pyflat.overlay.etcd import PATIENCE, Compare, Etcd, Snapshot, present, unchanged
from pyflat.peers import Claim, Segment, foreign_pool
from pyflat.state import State
from pyflat.wants import AddressesWant, BlockWant, SegmentWant, Want

#: The first VNI that is drawn: smaller ones are for people to choose.
FIRST_DRAWN = 4096
#: How often a claim is tried while other hosts claim, too.
ATTEMPTS = 20

T = TypeVar("T")


class Engine(Protocol):
    """The one that holds State."""

    @property
    def state(self) -> State:
        """The present State."""

    def update(self, change: Callable[[State], tuple[State, T]]) -> T:
        """Carry out a change and give what it gives beside the new State."""


class Claims:
    """Claims for this ``host`` what changes want; may be used by any thread.

    ``leased`` says whether the cluster counts on this host, and has confirmed what it holds.
    """

    def __init__(self, etcd: Etcd, engine: Engine, host: str, leased: Callable[[], bool]) -> None:
        self.etcd = etcd
        self.host = host
        self._engine = engine
        self._leased = leased
        self._lock = threading.Lock()
        self._failed = 0.0
        self._failure = ""

    def acquire(self, want: Want, until: float) -> None:
        """Have State hold what a change wants, by a moment of the monotonic clock.

        Raises BackendError if the cluster does not answer or does not count on this host,
        Conflict if another host has what is wanted, Exhausted if nothing is left.
        """
        began = time.monotonic()
        end = min(began + PATIENCE, until)
        while not self._leased():
            if time.monotonic() > end:
                raise BackendError(
                    f"cluster {self.etcd}: host {self.host} has no lease there; "
                    "it gives out nothing new until it has one"
                )
            time.sleep(0.05)
        with self.asking(end):
            self._claim(want)

    @contextmanager
    def asking(self, end: float) -> Iterator[None]:
        """Have one thread at a time claim or give back, so that each knows what there is.

        It waits for the others until ``end``, and has PATIENCE for what it asks. Who waited for
        one that got no answer is told the same. Raises BackendError.
        """
        began = time.monotonic()
        if not self._lock.acquire(timeout=max(end - began, 0)):
            raise BackendError(f"cluster {self.etcd}: does not answer in time")
        try:
            self._check_hope(began)
            with self.etcd.within(PATIENCE):
                yield
        except BackendError as error:
            self._failed, self._failure = time.monotonic(), str(error)
            raise
        finally:
            self._lock.release()

    def claim_block(self, want: BlockWant) -> None:
        """Claim one more block, whatever this host holds already. To be called while ``asking``."""
        prefix = keys.prefix_of(want.pool)
        for _ in range(ATTEMPTS):
            seen = self.etcd.read(prefix)
            state = self._engine.state
            network = cluster_network(state, want.pool)
            if network is None or state.get(Pool, want.pool) is None:
                return  # removed meanwhile: nobody wants it any more
            block = choose_block(state, network, want, keys.held_in(seen, prefix), self.host)
            claim = Claim(pool=want.pool, cidr=block)
            if self.swap([unchanged(prefix, seen.revision, prefix=True)], [claim]):
                self._note([claim])
                return
        raise self._too_busy(want)

    def swap(self, conditions: Sequence[Compare], claims: Sequence[Claim]) -> bool:
        """Write the keys of claims if conditions hold, and if the cluster counts on this host."""
        put = {keys.key_of(claim): keys.holder(self.host) for claim in claims}
        return self.etcd.transact([present(f"hosts/{self.host}"), *conditions], put=put)

    def enter(self, segment: Segment, seen: Snapshot) -> bool:
        """Note that this host has a VNI, too, if nobody noted anything since ``seen``.

        Raises Conflict if the VNI is another network on other hosts.
        """
        key = keys.vni_key(segment.vni)
        entry = keys.entry_of(seen, key).without(self.host)
        if entry.hosts and entry.parts != segment.parts:
            raise Conflict(
                f"vni {segment.vni} is {entry.told()} on host {', '.join(entry.hosts)}; "
                f"it cannot be {keys.tell(segment.parts)} on host {self.host}"
            )
        auto = entry.auto if entry.hosts else segment.auto
        hosts = (*entry.hosts, self.host)
        value = msgspec.to_builtins(keys.Entry(parts=segment.parts, auto=auto, hosts=hosts))
        conditions = [present(f"hosts/{self.host}"), unchanged(key, seen.revision)]
        if segment.auto:  # the only one that was drawn for this, and no one else's
            conditions.append(unchanged(keys.VNIS, seen.revision, prefix=True))
        return self.etcd.transact(conditions, put={key: value})

    def _check_hope(self, began: float) -> None:
        """Raise what somebody else was told since a moment."""
        if self._failed > began:
            raise BackendError(self._failure)

    def _claim(self, want: Want) -> None:
        match want:
            case BlockWant():
                if not is_held(self._engine.state, want):
                    self.claim_block(want)
            case AddressesWant():
                self._claim_addresses(want)
            case SegmentWant():
                self._claim_segment(want)

    def _claim_addresses(self, want: AddressesWant) -> None:
        pool = foreign_pool(want.vni)
        claims = [Claim(pool=pool, cidr=IPNetwork(address)) for address in want.addresses]
        for _ in range(ATTEMPTS):
            missing = [c for c in claims if self._engine.state.get(Claim, c.id) is None]
            conditions = [self._vacant(claim) for claim in missing]
            if not missing or self.swap(conditions, missing):
                self._note(missing)
                return
        raise self._too_busy(want)

    def _vacant(self, claim: Claim) -> Compare:
        """Give the condition that nobody takes an address, or raise Conflict if somebody has it."""
        key = keys.key_of(claim)
        seen = self.etcd.read(key)
        host = keys.holder_of(seen.values.get(key)) if key in seen.changed else self.host
        if host != self.host:
            raise Conflict(
                f"address {claim.cidr.ip} is in use on host {host}; "
                f"if that host is gone for good: pyflat forget host {host}"
            )
        return unchanged(key, seen.revision)

    def _claim_segment(self, want: SegmentWant) -> None:
        for _ in range(ATTEMPTS):
            seen = self.etcd.read(keys.VNIS)
            vni = want.vni or _drawn(seen, want.parts) or _unused(seen, self._engine.state)
            segment = Segment(vni=vni, parts=want.parts, auto=not want.vni)
            if self.enter(segment, seen):
                self._note([segment])
                return
        raise self._too_busy(want)

    def _note(self, records: Sequence[Record]) -> None:
        def put(state: State) -> tuple[State, None]:
            for record in records:
                state = state.put(record)
            return state, None

        self._engine.update(put)

    def _too_busy(self, want: Want) -> BackendError:
        return BackendError(f"cluster {self.etcd}: {want} could not be claimed; try again")


def _drawn(seen: Snapshot, parts: tuple[str, ...]) -> int:
    """Give the VNI that was drawn for a network already, or 0."""
    entries = ((key, keys.entry_of(seen, key)) for key in seen.changed)
    return next((keys.vni_of(k) for k, e in entries if e.auto and e.parts == parts), 0)


def _unused(seen: Snapshot, state: State) -> int:
    """Give the first VNI that neither the cluster nor a network of this host alone has."""
    candidates = (n for n in count(FIRST_DRAWN) if keys.vni_key(n) not in seen.changed)
    return next(n for n in candidates if not any(state.ids("vni", str(n))))
