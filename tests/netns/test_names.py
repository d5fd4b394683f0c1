"""Who answers when a container of an overlay asks for names, and who else may ask."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from netaddr import IPAddress
from tests.support import dockerd, witness
from tests.support.asking import ask, dig, name_server, queries, status
from tests.support.dockerd import docker_id
from tests.support.inhabited import inside, settle
from tests.support.machine import Machine
from tests.support.namespaces import add_way_out, container_namespace

from dockerlab import packages
from pyflat.driver.endpoints import name_endpoint
from pyflat.model import Record
from pyflat.names import dnsmasq, serve
from pyflat.names.serve import Answering
from pyflat.peers import Remote, Resolver
from pyflat.state import State

pytestmark = pytest.mark.quick

BLUE, GREEN, WEB, NEAR = (docker_id(name) for name in ("blue", "green", "web", "near"))
BRIDGE = f"pf-{BLUE[:12]}"
SERVERS = ("192.0.2.1", "192.0.2.3", "2001:db8::1")
GATEWAYS = ("10.42.0.1", "fd42::1")
NETWORKS = (
    dockerd.create_network(
        BLUE, "10.42.0.0/16", "fd42::/64", labels={"vni": "42", "peers": "192.0.2.12"}
    ),
    dockerd.create_network(GREEN, "10.43.0.0/16", "fd43::/64"),
)


@pytest.fixture(scope="module", autouse=True)
def programs() -> None:
    packages.ensure(["bind9-dnsutils", "dnsmasq-base"])


@pytest.fixture
def outside(namespace: None) -> Iterator[str]:
    """A place with name servers: each has its own address for the name "whoami.example"."""
    witness.run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0")
    add_way_out("eth0", "192.0.2", "2001:db8")
    witness.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    with container_namespace() as outside, ExitStack() as stack:
        witness.run("ip", "link", "set", "eth0-peer", "netns", outside)
        inside(outside, "ip", "link", "set", "eth0-peer", "up")
        for server in SERVERS:
            length = "64" if ":" in server else "24"
            words = ("address", "add", f"{server}/{length}", "dev", "eth0-peer")
            inside(outside, "ip", *words, *(("nodad",) if ":" in server else ()))
            stack.enter_context(name_server(outside, server))
        yield outside


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that everybody may read, as those of /run; what the service makes nobody may."""
    for each in (tmp_path, *tmp_path.parents):
        if each.name.startswith(("pytest-", "popen-")) or each == tmp_path:
            each.chmod(0o755)
    before = os.umask(0o077)
    yield tmp_path / "run" / "names"
    os.umask(before)


@pytest.fixture
def answering(outside: str, machine: Machine, folder: Path) -> Iterator[Answering]:
    machine.send(*NETWORKS)
    answering = Answering(machine.engine, folder)
    answering.start()
    yield answering
    answering.end()


@pytest.fixture
def web(answering: Answering, machine: Machine, container: str) -> str:
    """A container of the overlay, which asks all of the servers; "db" and "svc" are elsewhere."""
    start_web(machine, container)
    put(machine, remote("db", "10.42.0.3", "fd42::3"), remote("one", "10.42.0.4", names=["svc"]))
    put(machine, remote("two", "10.42.0.5", names=["svc"]))
    services = {"10.42.0.4", "10.42.0.5"}
    assert witness.eventually(
        lambda: (
            served(machine) == {*SERVERS, *GATEWAYS}
            and all(ask(container, server, "svc") == services for server in served(machine))
        ),
        10,
    )
    return container


def start_web(machine: Machine, container: str) -> None:
    address, address6 = "10.42.0.2/16", "fd42::2/64"
    machine.send(
        dockerd.create_endpoint(BLUE, WEB, address, address6, servers=SERVERS),
        dockerd.join(BLUE, WEB),
    )
    settle(container, WEB, address, address6)
    for gateway in GATEWAYS:
        inside(container, "ip", "route", "add", "default", "via", gateway)
    machine.engine.update(lambda s: (name_endpoint(s, identifier=WEB, names=["web"]), None))


def remote(name: str, *addresses: str, names: list[str] | None = None) -> Remote:
    return Remote(
        id=docker_id(name),
        vni=42,
        host="h2",
        vtep=IPAddress("192.0.2.12"),
        mac="02:42:00:00:00:09",
        addresses=tuple(map(IPAddress, addresses)),
        names=tuple(names or [name]),
    )


def put(machine: Machine, *records: Record) -> None:
    def change(state: State) -> tuple[State, None]:
        for record in records:
            state = state.put(record)
        return state, None

    machine.engine.update(change)


def resolvers(machine: Machine) -> list[Resolver]:
    return list(machine.engine.state.all(Resolver))


def served(machine: Machine) -> set[str]:
    """The name servers that something answers for."""
    return {str(resolver.server) for resolver in resolvers(machine)}


def processes() -> list[int]:
    """The process ids of the programs that answer, all of them children of this process."""
    listed = witness.run("ps", "-ww", "-o", "pid=,args=", "--ppid", str(os.getpid()), check=False)
    return [int(line.split()[0]) for line in listed.splitlines() if "--hostsdir" in line]


def asked(outside: str, name: str) -> list[str]:
    """The servers outside that were asked for a name."""
    return [server for server in SERVERS if f" {name} from" in queries(outside, server)]


@pytest.mark.parametrize("protocol", ["+notcp", "+tcp"])
def test_whatever_server_is_asked_knows_the_overlays_names(web: str, protocol: str) -> None:
    for server in (*SERVERS, *GATEWAYS):
        assert ask(web, server, "db", protocol) == {"10.42.0.3"}, server
        assert ask(web, server, "web", protocol, "AAAA") == {"fd42::2"}, server
        assert ask(web, server, "svc", protocol) == {"10.42.0.4", "10.42.0.5"}, server


@pytest.mark.parametrize("protocol", ["+notcp", "+tcp"])
def test_the_server_that_was_asked_answers_for_the_rest(
    web: str, outside: str, protocol: str
) -> None:
    for server in SERVERS:
        kind = "AAAA" if ":" in server else "A"
        assert ask(web, server, "whoami.example", protocol, kind) == {server}
    assert asked(outside, "whoami.example") == list(SERVERS)


def test_a_name_has_no_other_addresses_than_its_own_and_nobody_else_is_asked_for_them(
    web: str, outside: str
) -> None:
    answer = dig(web, "192.0.2.1", "svc", "AAAA")
    assert "status: NOERROR" in answer
    assert "ANSWER: 0" in answer
    assert status(web, "192.0.2.1", "nobody") == "NXDOMAIN"
    assert asked(outside, "svc") == asked(outside, "nobody") == []


def test_names_are_case_insensitive_short_lived_and_lead_back(web: str) -> None:
    assert ask(web, "192.0.2.1", "DB") == {"10.42.0.3"}
    _, ttl, *_ = dig(web, "192.0.2.1", "db", "+nocomments").split()
    assert int(ttl) <= 1
    assert ask(web, "192.0.2.1", "-x", "10.42.0.3") == {"db."}
    assert ask(web, "192.0.2.1", "-x", "fd42::3") == {"db."}


def test_names_change_and_go_at_once(web: str, machine: Machine) -> None:
    put(machine, remote("db", "10.42.0.7", names=["base"]))
    assert witness.eventually(lambda: ask(web, "192.0.2.1", "base") == {"10.42.0.7"})
    assert status(web, "192.0.2.1", "db") == "NXDOMAIN"
    machine.engine.update(lambda state: (state.drop(Remote, docker_id("one")), None))
    assert witness.eventually(lambda: ask(web, "192.0.2.1", "svc") == {"10.42.0.5"})
    machine.send(dockerd.leave(BLUE, WEB))
    assert witness.eventually(lambda: status(web, "192.0.2.1", "web") == "NXDOMAIN")


def test_nobody_else_reaches_what_answers(web: str, machine: Machine, outside: str) -> None:
    with container_namespace() as near:
        address, address6 = "10.43.0.2/16", "fd43::2/64"
        machine.send(*dockerd.run(GREEN, NEAR, address, v6=address6))
        settle(near, NEAR, address, address6)
        for gateway in ("10.43.0.1", "fd43::1"):
            inside(near, "ip", "route", "add", "default", "via", gateway)
        for block, way in (("10.42.0.0/16", "192.0.2.2"), ("fd42::/64", "2001:db8::2")):
            inside(outside, "ip", "route", "add", block, "via", way)
        places = (None, near, outside, web)
        found = {place: reached(place, resolvers(machine)) for place in places}
        assert found == {None: {*SERVERS, *GATEWAYS}, near: set(), outside: set(), web: set()}
        # Another network's questions go where they were sent.
        assert ask(near, "192.0.2.1", "whoami.example") == {"192.0.2.1"}
        assert ask(near, "192.0.2.1", "db") == set()


def reached(place: str | None, resolvers: list[Resolver]) -> set[str]:
    """The servers whose stand-in is reached at its own address and port, by UDP or TCP."""
    cases = [(each, protocol) for each in resolvers for protocol in ("+notcp", "+tcp")]

    def answer(case: tuple[Resolver, str]) -> str:
        resolver, protocol = case
        return dig(place, str(resolver.address), "-p", str(resolver.port), "db", protocol)

    with ThreadPoolExecutor(len(cases)) as pool:
        answers = zip(cases, pool.map(answer, cases), strict=True)
        return {str(case[0].server) for case, said in answers if "10.42.0.3" in said}


def test_who_answers_has_no_rights(web: str) -> None:
    assert len(processes()) == len((*SERVERS, *GATEWAYS))
    for pid in processes():
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        facts = dict(line.split(":\t", 1) for line in lines)
        assert set(facts["Uid"].split()) == set(facts["Gid"].split()) == {"65534"}
        assert int(facts["CapEff"], 16) == 0


def test_one_that_is_killed_is_started_again(web: str) -> None:
    former = processes()
    assert len(former) == len((*SERVERS, *GATEWAYS))
    for pid in former:
        os.kill(pid, signal.SIGKILL)
    servers = (*SERVERS, *GATEWAYS)
    assert witness.eventually(lambda: all(ask(web, s, "db") == {"10.42.0.3"} for s in servers))
    assert not {*former} & {*processes()}


def test_without_pyflat_questions_go_where_they_were_sent(web: str, answering: Answering) -> None:
    assert processes() != []
    answering.end()
    assert processes() == []
    assert ask(web, "192.0.2.3", "whoami.example") == {"192.0.2.3"}
    assert witness.elements("resolver4") == witness.elements("private4") == []


def test_what_a_killed_one_has_left_is_taken_up_where_it_was(
    outside: str, machine: Machine, container: str, folder: Path
) -> None:
    machine.send(*NETWORKS)
    start_web(machine, container)
    left = [
        Resolver(network=BLUE, server=IPAddress(server), address=IPAddress("10.42.0.1"), port=port)
        for server, port in (("192.0.2.1", 40001), ("192.0.2.99", 40002))
    ]
    put(machine, *left, remote("db", "10.42.0.3"))
    answering = Answering(machine.engine, folder)
    answering.start()
    assert witness.eventually(lambda: served(machine) == {*SERVERS, *GATEWAYS})
    assert left[0] in resolvers(machine)
    assert witness.eventually(lambda: ask(container, "192.0.2.1", "db") == {"10.42.0.3"})
    answering.end()


def test_without_the_program_the_servers_are_asked_and_the_log_says_so_once(
    answering: Answering,
    machine: Machine,
    container: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(serve, "RETRY", 0.1)
    with monkeypatch.context() as without:
        without.setattr(dnsmasq, "PROGRAM", Path("/nonexistent"))
        start_web(machine, container)
        assert witness.eventually(lambda: "/nonexistent is missing" in caplog.text)
        assert ask(container, "192.0.2.1", "whoami.example") == {"192.0.2.1"}
        assert resolvers(machine) == []
    assert witness.eventually(lambda: served(machine) == {*SERVERS, *GATEWAYS})
    assert caplog.text.count("is missing") == 1


def test_the_last_container_takes_them_along(web: str, machine: Machine, folder: Path) -> None:
    assert processes() != []
    machine.send(*dockerd.stop(BLUE, WEB))
    assert witness.eventually(lambda: processes() == [] and resolvers(machine) == [])
    machine.send(dockerd.delete_network(BLUE))
    assert witness.eventually(lambda: list(folder.iterdir()) == [])
