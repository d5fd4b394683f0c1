"""The engine over the real kernel of the namespace that the test is in."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests.support.dockerd import Call
from tests.support.host import CLUSTER, send

from pyflat.dataplane.desired import desired_all
from pyflat.dataplane.linux import LinuxKernel
from pyflat.dataplane.plan import Step, plan
from pyflat.engine import Engine
from pyflat.peers import Peer, Remote, Segment
from pyflat.store.memory import MemoryStore

MARK = 0x20000000


class Machine:
    """Takes requests; a restart keeps what is stored and what is in the kernel.

    ``namespace`` is the path of that of overlays.
    """

    def __init__(self, *uplinks: str, namespace: Path | None = None) -> None:
        self._uplinks = uplinks
        self.namespace = namespace
        self._store = MemoryStore()
        self.start()

    def start(self) -> None:
        """Start a process."""
        root = Path("/proc/sys/net")
        self.kernel = LinuxKernel(
            mark=MARK, sysctl_root=root, namespace=self.namespace, uplinks=self._uplinks
        )
        self.engine = Engine(self._store, self.kernel, lambda: CLUSTER)
        self.engine.start()

    def send(self, *calls: Call) -> dict[str, Any]:
        """Send requests, and give the answer to the last."""
        answer: dict[str, Any] = {}
        for call in calls:
            answer = send(self.engine, call)
        return answer

    def hear(self, *records: Peer | Remote | Segment) -> None:
        """Take up what a cluster tells."""
        state = self.engine.state
        for record in records:
            state = state.put(record)
        self.engine.learn(lambda _: (state, None))

    def pending(self) -> list[Step]:
        """Give the steps that a converge would take."""
        wanted = desired_all(self.engine.state, self.kernel.surroundings().uplinks)
        return plan(self.kernel.observe(wanted), wanted)

    def is_whole(self) -> bool:
        """Say whether a converge would take no step; to be asked while a watch is at work, too."""
        return not self.engine.pending().steps

    def apply(self, steps: Iterable[Step]) -> None:
        """Take steps at the kernel, past the engine."""
        self.kernel.apply(list(steps))

    def restart(self) -> None:
        """End the process and start another."""
        self.engine.stop()
        self.start()

    def close(self) -> None:
        """End the process."""
        self.engine.stop()


def count_calls(machine: Machine, name: str) -> Callable[[], int]:
    """Count how often a method of the engine is called from now on."""
    calls: list[None] = []
    method = getattr(machine.engine, name)

    def counted(*arguments: object) -> object:
        calls.append(None)
        return method(*arguments)

    setattr(machine.engine, name, counted)
    return lambda: len(calls)
