"""What follows from the records that a change touched is what the whole State asks for."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from netaddr import IPAddress
from tests.support.dockerd import Call
from tests.support.host import ETH0, Host, records_of
from tests.support.news import News
from tests.support.small_world import Chain, World
from tests.support.stores import FailingStore

from pyflat.dataplane.objects import Hairpin, HostPort, Object, Uplink, Veth
from pyflat.errors import BackendError, PyflatError
from pyflat.model import Endpoint
from pyflat.store.memory import MemoryStore
from pyflat.wants import Unclaimed

WORLD = World("scoped", 30)
CALLS = st.sampled_from(WORLD.moves)
PORTS = tuple(
    HostPort(protocol=protocol, host=IPAddress(host), port=port)
    for protocol, port in (("tcp", 8080), ("udp", 53), ("tcp", 9000))
    for host in ("0.0.0.0", "127.0.0.1", "::")
)
WAYS_OUT = (ETH0, Uplink(device="eth0", routed=frozenset({4})), Uplink(device="wlan0"))


class Machine(RuleBasedStateMachine):
    """A host where requests come in any order, steps fail, containers die and ports are taken."""

    def __init__(self) -> None:
        super().__init__()
        self.disk = MemoryStore()
        self.store = FailingStore(self.disk)
        self.host = Host(store=self.store)
        self.host.kernel.foreign_links.update(uplink.device for uplink in WAYS_OUT)
        #: Host ends of pairs that nothing but a converge or dockerd will do anything about.
        self.lost: set[str] = set()
        #: Ports that somebody else took while there was no process to hold them.
        self.unheld: set[Object] = set()

    @initialize(inside=st.booleans())
    def have_a_namespace(self, inside: bool) -> None:
        self.host.kernel.has_inside = inside

    @rule(chain=st.sampled_from(WORLD.chains), length=st.integers(1, 4))
    def make(self, chain: Chain, length: int) -> None:
        for pair in chain[:length]:
            self.send(pair.do)

    @rule(call=CALLS)
    def send(self, call: Call | News) -> None:
        before = self.host.picture()
        refusal = self.refusal(call)
        unclaimed = isinstance(refusal, Unclaimed)
        assert refusal is None or refusal.status == 400 or unclaimed or self.lost
        if refusal is not None:
            assert self.host.picture().records == before.records

    @rule(call=CALLS, number=st.integers(1, 8))
    def send_while_a_step_fails(self, call: Call | News, number: int) -> None:
        before = self.host.picture()
        self.host.kernel.fail(number)
        refusal = self.refusal(call)
        happened = not self.host.kernel.fault_is_pending
        self.host.kernel.behave()
        if refusal is not None:
            assert self.host.picture().records == before.records
        if happened and str(refusal) != f"step {number} fails":
            # It was a step that removes, or one that takes back what could not be finished.
            self.converge()

    @rule(call=CALLS)
    def send_while_the_disk_is_full(self, call: Call | News) -> None:
        before = self.host.picture()
        self.store.refuse(1)
        if self.refusal(call) is not None:
            assert self.host.picture() == before
        self.store.refuse()

    @precondition(lambda self: any(self.host.state.all(Endpoint)))
    @rule(data=st.data())
    def lose_a_pair(self, data: st.DataObject) -> None:
        ends = sorted(endpoint.host_end for endpoint in self.host.state.all(Endpoint))
        lost = data.draw(st.sampled_from(ends))
        self.host.kernel.vanish(lost)
        self.lost.add(lost)

    @rule(port=st.sampled_from(PORTS))
    def take_a_port(self, port: HostPort) -> None:
        if self.host.kernel.free(port.protocol, port.host, port.port):
            self.host.kernel.foreign_ports.add(port)

    @rule()
    def free_foreign_ports(self) -> None:
        self.host.kernel.foreign_ports.clear()

    @rule(ways_out=st.sets(st.sampled_from(WAYS_OUT), max_size=2))
    def change_the_ways_out(self, ways_out: set[Uplink]) -> None:
        self.host.kernel.ways_out = ways_out
        self.host.engine.refresh()

    @rule(port=st.none() | st.sampled_from(PORTS))
    def restart(self, port: HostPort | None) -> None:
        self.host.kernel.end_process()
        if port is not None:
            self.host.kernel.foreign_ports.add(port)
        self.host.restart()
        self.forget_the_lost()

    @rule()
    def converge(self) -> None:
        self.host.engine.converge()
        self.forget_the_lost()

    @invariant()
    def the_kernel_holds_what_state_asks_for(self) -> None:
        self.unheld &= self.host.wanted()
        assert self.visible(self.host.present()) == self.visible(self.host.wanted())

    @invariant()
    def state_is_what_is_on_disk(self) -> None:
        assert frozenset(self.disk.load()) == records_of(self.host.state)

    def refusal(self, call: Call | News) -> PyflatError | None:
        """Send a request, and note what it makes of dead endpoints."""
        here = {e.host_end for e in self.host.state.all(Endpoint) if not self.host.engine.away(e)}
        refusal = self.host.refusal(call)
        present = {endpoint.host_end for endpoint in self.host.state.all(Endpoint)}
        self.lost &= present
        if isinstance(refusal, BackendError):
            # A dead endpoint that the request had taken over has its record back, but dockerd
            # alone could finish its pair.
            gone = {end for end in here if self.host.kernel.whereabouts(end) == "gone"}
            self.lost |= gone & present
        return refusal

    def forget_the_lost(self) -> None:
        self.lost.clear()
        self.unheld = {o for o in self.host.wanted() - self.host.present() if is_port(o)}

    def visible(self, objects: frozenset[Object]) -> set[Object]:
        return {o for o in objects - self.unheld if pair_of(o) not in self.lost}


def is_port(item: Object) -> bool:
    return isinstance(item, HostPort)


def pair_of(item: Object) -> str:
    match item:
        case Veth(name=name) | Hairpin(port=name):
            return name
    return ""


TestMachine = Machine.TestCase
TestMachine.settings = settings(stateful_step_count=40)
