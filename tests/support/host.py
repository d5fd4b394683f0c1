"""One host: the engine over a fake kernel, and containers that take and give back interfaces."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from netaddr import IPAddress
from tests.support.dockerd import Call, discover
from tests.support.fake_kernel import FakeKernel
from tests.support.news import News

from pyflat import naming
from pyflat.api.calls import Claims, carry_out
from pyflat.api.codec import decode, encode
from pyflat.api.http import routes
from pyflat.dataplane.desired import desired_all
from pyflat.dataplane.objects import Element, Object, Uplink
from pyflat.engine import Engine
from pyflat.errors import PyflatError
from pyflat.model import Record
from pyflat.settings import Settings
from pyflat.site import Addresses
from pyflat.state import Index, State
from pyflat.store.base import Store
from pyflat.store.memory import MemoryStore

POOLS = Settings().pools
ROUTES = routes(POOLS)
ETH0 = Uplink(device="eth0")
CLUSTER = (IPAddress("192.0.2.10"),)


class Picture(NamedTuple):
    """Everything that a request may change."""

    records: frozenset[Record]
    facts: Index
    objects: frozenset[Object]


def records_of(state: State) -> frozenset[Record]:
    """Give all records of a State."""
    return frozenset(record for table in state.tables.values() for record in table.values())


def send(engine: Engine, call: Call, claims: Claims | None = None) -> dict[str, Any]:
    """Carry a request out as the HTTP side does."""
    method = ROUTES[call.path]
    message = decode(call.body, method.request)
    answer = carry_out(engine, claims, lambda state: method.handle(state, message, engine))
    result: dict[str, Any] = json.loads(encode(answer))
    return result


#: Hosts that agree by etcd, and nodes of a swarm that know of another.
KINDS: Mapping[str, Mapping[str, Any]] = {
    "cluster": {},
    "swarm": {"cluster": None, "scope": "global", "nodes": ("192.0.2.12",)},
}


class Host:
    """Takes requests as the HTTP side does, and plays the containers' part beside them.

    ``inside`` says whether there is a namespace for overlays, ``cluster`` where hosts agree,
    ``scope`` whose networks are made, ``nodes`` which others the swarm has.
    """

    def __init__(
        self,
        *calls: Call | News,
        kernel: FakeKernel | None = None,
        store: Store | None = None,
        cluster: Addresses | None = lambda: CLUSTER,
        inside: bool = False,
        scope: str = "local",
        nodes: Iterable[str] = (),
    ) -> None:
        self._scope = scope
        self.kernel = kernel or FakeKernel(ETH0)
        self.kernel.has_inside = inside
        self.store = store or MemoryStore()
        self.claims: Claims | None = None
        self._cluster = cluster
        self.start()
        self.send_all(map(discover, nodes))
        self.send_all(calls)

    def start(self) -> None:
        """Start a process."""
        self.engine = Engine(self.store, self.kernel, self._cluster, self._scope)
        self.engine.start()

    def send(self, call: Call | News) -> dict[str, Any]:
        """Send a request and let dockerd move the interface as the answer says, or hear news."""
        if isinstance(call, News):
            self.engine.learn(lambda state: (call.heard(state), None))
            return {}
        answer = send(self.engine, call, self.claims)
        self.move(call)
        return answer

    def move(self, call: Call) -> None:
        """Let dockerd move the interface, as it does after Join and Leave."""
        method = call.path.rpartition(".")[2]
        if method in {"Join", "Leave"}:
            end = naming.host_end(json.loads(call.body)["EndpointID"])
            (self.kernel.take if method == "Join" else self.kernel.give_back)(end)

    def send_all(self, calls: Iterable[Call | News]) -> None:
        """Send requests that all succeed."""
        for call in calls:
            self.send(call)

    def refusal(self, call: Call | News) -> PyflatError | None:
        """Send a request that may be refused, and give the refusal."""
        try:
            self.send(call)
        except PyflatError as error:
            return error
        return None

    def restart(self) -> None:
        """End the process where it stands and start another on the same store and kernel."""
        self.kernel.end_process()
        self.start()

    @property
    def state(self) -> State:
        """The engine's State."""
        return self.engine.state

    def picture(self) -> Picture:
        """Give all that a request may change, to compare it with a later picture."""
        return Picture(records_of(self.state), self.state.index, self.present())

    def present(self) -> frozenset[Object]:
        """Give what the kernel holds, but for switches that nobody cares about any more."""
        return frozenset(self.kernel.observe(self.wanted()))

    def wanted(self) -> frozenset[Object]:
        """Give what the whole kernel should hold."""
        return frozenset(desired_all(self.state, self.kernel.surroundings().uplinks))

    def mappings(self) -> set[Element]:
        """Give the elements that lead from a port of the host to a container's."""
        elements = (o for o in self.present() if isinstance(o, Element))
        return {element for element in elements if element.data}
