"""The one writer: changes State, has it kept, and makes the kernel equal to it.

A change is committed before the kernel is touched, so a crash in between is repaired by the
next start. One lock covers all of it.
"""

import logging
import threading
import time
from collections.abc import Callable, Set
from dataclasses import replace
from typing import TypeAlias, TypeVar

from netaddr import IPAddress, IPNetwork

from pyflat import counts
from pyflat.dataplane.desired import desired, desired_all
from pyflat.dataplane.difference import Difference, compare
from pyflat.dataplane.drift import drifted
from pyflat.dataplane.events import Events
from pyflat.dataplane.kernel import Kernel
from pyflat.dataplane.objects import Surroundings
from pyflat.dataplane.plan import Step, plan
from pyflat.driver.endpoints import drop_dead
from pyflat.errors import BackendError, PyflatError
from pyflat.model import Endpoint, Key, Network
from pyflat.site import Addresses, Site
from pyflat.state import State
from pyflat.store.base import Store

log = logging.getLogger(__name__)

#: Seconds that both ends of a pair may lie with us before the endpoint counts as dead: up to
#: Engine 27 they do until the container's process starts.
GRACE = 60.0

T = TypeVar("T")

#: Is told of each commit: State before, and the records that were changed. It must return at
#: once: the engine's lock is held.
Follower: TypeAlias = Callable[[State, Set[Key]], None]


class Engine:
    """Holds State and the kernel; every method may be called by any thread.

    ``cluster`` and ``scope`` as in ``Site``.
    """

    def __init__(
        self,
        store: Store,
        kernel: Kernel,
        cluster: Addresses | None = None,
        scope: str = "local",
    ) -> None:
        self._store = store
        self._kernel = kernel
        self.site = Site(kernel, cluster, scope)
        """This host, as its overlays see it."""
        self._lock = threading.Lock()
        self._state = State()
        self._around = Surroundings()
        self._stopped = False
        self._repairs = 0
        self.last = Difference()
        """What the last look at everything found, and could not mend."""
        self._followers: list[Follower] = []

    @property
    def state(self) -> State:
        """The present State; a value that later changes leave as it is."""
        return self._state

    def start(self) -> None:
        """Read State and make the kernel equal to it; raises BackendError if it is unreadable."""
        with self._lock:
            state = State()
            for record in self._store.load():
                state = state.put(record).settled()
            self._state = state
        if (difference := self.converge()).steps:
            log.info("start: %s", difference)

    def stop(self) -> None:
        """Let go of the store and the kernel; what was made for containers stays."""
        with self._lock:
            self._stopped = True
            self._kernel.close()
            self._store.close()

    def subscribe(self, follower: Follower) -> None:
        """Have a follower told of every commit from now on, with ``state`` as it is after it."""
        self._followers.append(follower)

    def update(self, change: Callable[[State], tuple[State, T]]) -> T:
        """Carry out one change, and give what it gives beside the new State.

        If the kernel refuses something that the change adds, the touched records are put back
        and the error is raised. A change that only removes stays made; what the kernel would
        not let go of is left to the next ``converge``. Raises BackendError after ``stop``.
        """
        with self._lock:
            if self._stopped:
                raise BackendError("pyflat is ending")
            before = self._state
            after, result = change(before)
            if after.touched:
                self._commit(after)
                self._follow(before, after.touched)
            return result

    def learn(self, change: Callable[[State], tuple[State, T]]) -> T:
        """Carry out a change that tells what is so elsewhere, and give what it gives.

        It stays whatever the kernel says: what that refuses is left to the next ``converge``.
        """
        with self._lock:
            before = self._state
            after, result = change(before)
            if after.touched:
                self._commit(after)
                steps = self._steps(before, after.touched)
                _report(self._kernel.apply(steps, keep_going=True))
            return result

    def converge(self) -> Difference:
        """Drop dead endpoints and make the whole kernel equal to State; give what was amiss.

        Reads everything there is: for starts and repairs, never for a request. Errors are
        logged; one that keeps it from looking is raised, and in ``last`` all the same.
        """
        with self._lock, counts.CONVERGES.timed():
            if self._stopped:
                return Difference()
            try:
                return self._converge()
            except Exception as error:
                self.last = replace(self.last, errors=(str(error),))
                raise

    def repair(self) -> None:
        """Converge because something may be amiss; what was is logged and counted."""
        difference = self.converge()
        if difference.steps:
            self._repairs += 1
            counts.REPAIRS.add()
            for wrong, objects in difference.by_kind().items():
                counts.DRIFT.add(wrong, number=len(objects))
            log.warning("repair %d: %s", self._repairs, difference)

    def pending(self) -> Difference:
        """Give what a converge would do now, and what it could not mend."""
        with self._lock:
            after = self._without_dead()
            return replace(self._difference(after), dead=after.touched)

    def is_drift(self, events: Events) -> bool:
        """Say whether events have left something to mend."""
        uplinks = self._around.uplinks
        return drifted(self._state, events, self.is_taken, self._kernel.stands, uplinks)

    def has_untold_drift(self) -> bool:
        """Say whether there is something to mend that no notification tells of."""
        return self._kernel.has_untold_drift()

    def refresh(self) -> None:
        """Follow what has become of the host's uplinks and addresses."""
        with self._lock:
            if self._stopped:
                return
            before, self._around = self._around, self._kernel.surroundings()
            steps = plan(
                desired(self._state, (), before.uplinks),
                desired(self._state, (), self._around.uplinks),
            )
            _report(self._kernel.apply(steps, keep_going=True))
            moved = self.site.with_tunnels(self._state)
            if moved.touched:
                self._commit(moved)
        if moved.touched:
            self.converge()

    def has_entries(self) -> bool:
        """Say whether overlays have entries in the host's namespace."""
        state = self._state
        return any(not state.require(Network, i).inside for i in state.ids("overlays"))

    def announce(self, vni: int, address: IPAddress, mac: str) -> None:
        """Tell containers of an overlay on this host that an address is behind another MAC."""
        for identifier in self._state.ids("vni", str(vni)):
            network = self._state.require(Network, identifier)
            self._kernel.announce(network.port_bridge, network.inside, address, mac)

    def alive(self, endpoint: Endpoint) -> bool:
        """Say whether a container has the endpoint, or may be about to take it."""
        match self._kernel.whereabouts(endpoint.host_end):
            case "away":
                return True
            case "home":
                return self.now() - endpoint.since < GRACE
            case _:
                return False

    def is_taken(self, endpoint: Endpoint) -> bool:
        """Say whether a container lives that has lost the endpoint's interface."""
        sandbox = endpoint.sandbox or ""
        gone = self._kernel.whereabouts(endpoint.host_end) == "gone"
        return gone and self._kernel.is_pinned(sandbox)

    def away(self, endpoint: Endpoint) -> bool:
        """Say whether the endpoint's interface is in a container."""
        return self._kernel.whereabouts(endpoint.host_end) == "away"

    def free(self, protocol: str, host: IPAddress, port: int) -> bool:
        """Say whether a port of the host could be held now."""
        return self._kernel.free(protocol, host, port)

    def occupied(self) -> Set[IPNetwork]:
        """Give the subnets and addresses that the host itself uses."""
        return self._around.occupied

    def ephemeral(self) -> range:
        """Give the ports of the host that are chosen from where nobody names one."""
        return self._around.ephemeral

    def now(self) -> float:
        """Give the Unix time."""
        return time.time()

    def _converge(self) -> Difference:
        after = self._without_dead()
        if after.touched:
            for kind, identifier in sorted(after.touched):
                log.info("dropped %s %s: no container stands behind it", kind, identifier)
            self._commit(after)
        self._around = self._kernel.surroundings()
        difference = self._difference(self._state)
        errors = _report(self._kernel.apply(difference.steps, keep_going=True))
        for pair in difference.lost - self.last.lost:
            log.warning("%s", pair)
        self.last = replace(difference, errors=errors)
        return difference

    def _commit(self, after: State) -> None:
        records = {key: after.lookup(key) for key in after.touched}
        self._store.commit(records)
        before, self._state = self._state, after.settled()
        for follower in self._followers:
            follower(before, after.touched)

    def _follow(self, before: State, touched: Set[Key]) -> None:
        steps = self._steps(before, touched)
        if all(step.verb == "delete" for step in steps):
            _report(self._kernel.apply(steps, keep_going=True))
            return
        try:
            self._kernel.apply(steps)
        except Exception:
            self._restore(before, touched)
            raise

    def _steps(self, before: State, touched: Set[Key]) -> list[Step]:
        return plan(
            desired(before, touched, self._around.uplinks),
            desired(self._state, touched, self._around.uplinks),
        )

    def _without_dead(self) -> State:
        return drop_dead(self._state, lambda e: self.alive(e) or self.is_taken(e))

    def _difference(self, state: State) -> Difference:
        wanted = desired_all(state, self._around.uplinks)
        return compare(self._kernel.observe(wanted), wanted)

    def _restore(self, before: State, touched: Set[Key]) -> None:
        """Put the touched records back as they were, in State and in the kernel."""
        failed = self._state
        state = failed
        for key in touched:
            state = state.restored(key, before)
        try:
            self._commit(state)
        except BackendError:
            # State on disk and in memory stay the failed change's; its objects are made
            # again by the next converge, or removed with the endpoint by dockerd.
            log.exception("a failed change could not be taken back")
            return
        steps = self._steps(failed, touched)
        _report(self._kernel.apply(steps, keep_going=True))


def _report(errors: list[PyflatError]) -> tuple[str, ...]:
    texts = tuple(dict.fromkeys(map(str, errors)))
    for text in texts:
        log.error("left to the next converge: %s", text)
    return texts
