"""Keeps claims and the cluster's store equal, in the background of one thread."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Set
from dataclasses import replace
from itertools import groupby

import msgspec

from pyflat.addressing import Pool, overlap
from pyflat.errors import BackendError, Conflict, Exhausted
from pyflat.ipam.shared import cluster_network, is_idle, runs_low, spare_claims
from pyflat.model import Key, Network
from pyflat.overlay import keys
from pyflat.overlay.claims import Claims, Engine
from pyflat.overlay.etcd import PATIENCE, Etcd, Snapshot, absent, unchanged
from pyflat.peers import Claim, Segment
from pyflat.state import State
from pyflat.wants import BlockWant

log = logging.getLogger(__name__)

#: Seconds that a block has to be empty before it is given back.
EMPTY = 60.0
#: Seconds between two comparisons with what the cluster knows.
COMPARED = 60.0
#: Seconds between two looks at what is to be done, if nothing tells of any.
LOOKS = 1.0
#: Keys that one transaction writes; etcd takes 128 operations.
BATCH = 100

#: What a change of State may make to be done.
_KINDS = {Claim.kind, Segment.kind, "addresses", "endpoint", "network", "pool"}


class Upkeep:
    """Has this host's claims confirmed, made ahead and given back.

    ``lease`` gives the number of the host's lease, 0 while there is none.
    """

    def __init__(self, etcd: Etcd, engine: Engine, host: str, lease: Callable[[], int]) -> None:
        self.claims = Claims(etcd, engine, host, self.leased)
        """Claims for this host what requests want."""
        self._engine = engine
        self._lease = lease
        self._confirmed = 0
        self._next = 0.0
        self._idle: dict[str, float] = {}
        self._full: dict[str, float] = {}
        self._wake = threading.Event()
        self._stopped = False

    def leased(self) -> bool:
        """Say whether the cluster counts on this host, and has confirmed what it holds."""
        lease = self._lease()
        return lease != 0 and lease == self._confirmed

    def start(self) -> None:
        """Begin, in a thread of its own."""
        threading.Thread(target=self._run, name="upkeep", daemon=True).start()

    def stop(self) -> None:
        """Do nothing more."""
        self._stopped = True
        self._wake.set()

    def follow(self, _: State, touched: Set[Key]) -> None:
        """Be told of a commit."""
        if any(kind in _KINDS for kind, _ in touched):
            self._wake.set()

    def confirm(self) -> None:
        """Compare what State holds with what the cluster knows, and mend either.

        What the cluster has forgotten is claimed again; what it has given to another host is
        lost; what State knows nothing of is given back. Raises BackendError.
        """
        lease, etcd = self._lease(), self.claims.etcd
        with self.claims.asking(time.monotonic() + PATIENCE):
            blocks, addresses = etcd.read(keys.POOLS), etcd.read(keys.ADDRESSES)
            segments = etcd.read(keys.VNIS)
            state = self._engine.state
            by_pool = groupby(sorted(state.all(Claim), key=_pool), key=_pool)
            done = [
                *(self._confirm_pool(p, list(own), blocks, addresses) for p, own in by_pool),
                *(self._confirm_segment(segment, segments) for segment in state.all(Segment)),
            ]
            self._give_back_cut_off(state, blocks, addresses, segments)
        if all(done):
            self._confirmed = lease
            self._next = time.monotonic() + COMPARED

    def look(self) -> None:
        """Do what is to be done by now. Raises BackendError."""
        if not self._lease():
            return
        if not self.leased() or time.monotonic() >= self._next:
            self.confirm()
        state = self._engine.state
        for pool in list(state.all(Pool)):
            network = cluster_network(state, pool.id)
            if network is not None and runs_low(state, pool, network):
                self._claim_ahead(pool)
        for claim in self._long_idle(spare_claims(state)):
            self._give_back(claim)
        for segment in list(state.all(Segment)):
            if not _is_used(state, segment):
                self._leave(segment)

    def _run(self) -> None:
        while not self._stopped:
            self._wake.clear()
            try:
                self.look()
            except BackendError as error:
                log.debug("left to the next look: %s", error)
            except Exception:
                log.exception("left to the next look")
            self._wake.wait(LOOKS if self.leased() else LOOKS / 5)
            time.sleep(0.05)  # what comes together is done together

    def _confirm_pool(
        self, pool: str, claims: list[Claim], blocks: Snapshot, addresses: Snapshot
    ) -> bool:
        """Say whether all claims of a pool are known for what they are."""
        prefix = keys.prefix_of(pool)
        whole = prefix.startswith(keys.POOLS)
        seen = blocks if whole else addresses
        held = keys.held_in(seen, prefix)
        forgotten = []
        for claim in claims:
            holder = held.get(claim.cidr, "")
            if not holder and whole:
                holder = next((h for b, h in held.items() if overlap(b, claim.cidr)), "")
            self._note_loss(claim, "" if holder == self.claims.host else holder)
            if not holder:
                log.warning("%s is claimed again: the cluster has forgotten it", claim.id)
                forgotten.append(claim)
        some = forgotten[:BATCH]
        changed = [prefix] if whole else map(keys.key_of, some)
        conditions = [unchanged(key, seen.revision, prefix=whole) for key in changed]
        return not some or (self.claims.swap(conditions, some) and some == forgotten)

    def _note_loss(self, claim: Claim, host: str) -> None:
        if host == claim.lost:
            return
        if host:
            log.error(
                "%s is that of host %s by now: containers that have addresses of it keep them, "
                "nothing new is given out of it",
                *(claim.id, host),
            )

        def note(state: State) -> tuple[State, None]:
            known = state.get(Claim, claim.id) is not None
            return (state.put(replace(claim, lost=host)) if known else state), None

        self._engine.update(note)

    def _confirm_segment(self, segment: Segment, seen: Snapshot) -> bool:
        entry = keys.entry_of(seen, keys.vni_key(segment.vni))
        if self.claims.host in entry.hosts and entry.parts == segment.parts:
            return True
        try:
            return self.claims.enter(segment, seen)
        except Conflict as error:
            log.error("%s", error)  # noqa: TRY400 - a trace would say nothing more
            return True

    def _give_back_cut_off(self, state: State, *snapshots: Snapshot) -> None:
        """Give back what a crash, or an answer that never came, left in the store alone."""
        etcd, host = self.claims.etcd, self.claims.host
        known = {keys.key_of(claim) for claim in state.all(Claim)}
        *held, segments = snapshots
        for seen in held:
            for key, value in seen.values.items():
                if keys.holder_of(value) == host and key not in known:
                    etcd.transact([unchanged(key, seen.revision)], delete=[key])
        for key in segments.changed:
            mine = host in keys.entry_of(segments, key).hosts
            if mine and state.get(Segment, str(keys.vni_of(key))) is None:
                leave_vni(etcd, segments, key, host)

    def _claim_ahead(self, pool: Pool) -> None:
        now = time.monotonic()
        if now < self._full.get(pool.id, 0):
            return
        with self.claims.asking(now + PATIENCE):
            try:
                self.claims.claim_block(BlockWant(pool=pool.id, part=pool.part or pool.cidr))
            except Exhausted as error:
                log.warning("%s", error)
                self._full[pool.id] = now + COMPARED

    def _long_idle(self, claims: Iterable[Claim]) -> list[Claim]:
        """Give those that can go now; of a pool that is in use only what was idle for long."""
        now, before = time.monotonic(), self._idle
        spare = list(claims)
        self._idle = {claim.id: before.get(claim.id, now) for claim in spare}
        state = self._engine.state
        return [
            claim
            for claim in spare
            if state.get(Pool, claim.pool) is None or now - self._idle[claim.id] >= EMPTY
        ]

    def _give_back(self, claim: Claim) -> None:
        """Give a claim back if it is idle still."""
        etcd, key = self.claims.etcd, keys.key_of(claim)
        with self.claims.asking(time.monotonic() + PATIENCE):
            seen = etcd.read(key)  # as long as nobody answers, it may be of use yet
            gone = self._engine.update(lambda state: _drop_idle(state, claim))
            if gone and keys.holder_of(seen.values.get(key)) == self.claims.host:
                etcd.transact([unchanged(key, seen.revision)], delete=[key])

    def _leave(self, segment: Segment) -> None:
        """Leave a VNI that no network of this host has any more."""
        etcd, key = self.claims.etcd, keys.vni_key(segment.vni)
        with self.claims.asking(time.monotonic() + PATIENCE):
            seen = etcd.read(key)
            alone = not keys.entry_of(seen, key).without(self.claims.host).hosts
            if alone and etcd.read(f"networks/{segment.vni}/").changed:
                return  # what is left of it there goes first
            gone = self._engine.update(lambda state: _drop_unused(state, segment))
            if gone and not leave_vni(etcd, seen, key, self.claims.host):
                # Others leave in the same moment: the next look tries again.
                self._engine.update(lambda state: _put_back(state, segment))


def leave_vni(etcd: Etcd, seen: Snapshot, key: str, host: str) -> bool:
    """Take a host out of those that have a VNI; the last one leaves nothing behind.

    Nothing changes, and False is given, if somebody wrote since ``seen``, or still has endpoints
    there.
    """
    entry, condition = keys.entry_of(seen, key).without(host), unchanged(key, seen.revision)
    if entry.hosts:
        return etcd.transact([condition], put={key: msgspec.to_builtins(entry)})
    endpoints = absent(f"networks/{keys.vni_of(key)}/", prefix=True)
    return etcd.transact([condition, endpoints], delete=[key])


def forget(etcd: Etcd, host: str) -> None:
    """Give back whatever a host holds that will not come back. Raises BackendError."""
    for prefix in (keys.POOLS, keys.ADDRESSES):
        seen = etcd.read(prefix)
        etcd.delete(key for key, value in seen.values.items() if keys.holder_of(value) == host)
    seen = etcd.read(keys.VNIS)
    for key in seen.changed:
        if host in keys.entry_of(seen, key).hosts:
            leave_vni(etcd, seen, key, host)


def _drop_idle(state: State, claim: Claim) -> tuple[State, bool]:
    if not is_idle(state, claim):
        return state, False
    return state.drop(Claim, claim.id), True


def _drop_unused(state: State, segment: Segment) -> tuple[State, bool]:
    if _is_used(state, segment):
        return state, False
    return state.drop(Segment, segment.id), True


def _put_back(state: State, segment: Segment) -> tuple[State, None]:
    return state if state.get(Segment, segment.id) else state.put(segment), None


def _is_used(state: State, segment: Segment) -> bool:
    networks = (state.require(Network, found) for found in state.ids("vni", segment.id))
    return any(network.is_clustered for network in networks)


def _pool(claim: Claim) -> str:
    return claim.pool
