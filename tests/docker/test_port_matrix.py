"""Published ports in every form, asked for from everywhere at every address of the host."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain, product

import pytest
from tests.conftest import NEWEST
from tests.docker.client import Container, Docker
from tests.docker.labels import label, ways_in
from tests.docker.matrix import (
    ALL,
    FORMS,
    GATEWAY,
    GATEWAY6,
    IPV4,
    LOOPBACK,
    LOOPBACK6,
    OWN,
    SECOND,
    SECOND6,
    UNANSWERED,
    Form,
    options,
)
from tests.docker.portmap import ports_to, published
from tests.docker.reach import Answer, Place, Question, ask_all, serving
from tests.docker.starting import bare_lab, start
from tests.docker.traces import assert_same, traces

from dockerlab import Lab
from dockerlab.host import Host
from dockerlab.underlay import OUTSIDE

pytestmark = pytest.mark.placements("28.5")

#: The networks with published ports, and one without, by their gateways.
GATEWAYS = {
    "blue": {4: GATEWAY, 6: GATEWAY6},
    "red": {4: "10.91.0.1", 6: "fd91::1"},
    "grey": {4: "10.92.0.1"},
    "green": {4: "10.93.0.1", 6: "fd93::1"},
}
FORMS_OF = {
    "blue": FORMS,
    "red": (
        Form("tcp", ("95:80",), {95: 80}, frozenset({OWN})),
        Form("tcp", (f"{SECOND}:98:80",), {98: 80}, frozenset({SECOND})),
    ),
    "grey": (
        Form("tcp", ("96:80",), {96: 80}, IPV4),
        Form("udp", ("96:53",), {96: 53}, IPV4),
        Form("tcp", ("[::1]:97:80",), {97: 80}, frozenset({LOOPBACK6})),
    ),
}
SERVERS = (80, 53, *range(9000, 9003), *range(9200, 9203), 7001, 7002)
CHOSEN = {7001: ("-p", "7001"), 7002: ("--expose", "7002", "-P")}
#: The containers that ask, by their network, beside the one with ports on blue itself.
ASKING = {"near": "blue", "other": "green", "stranger": "foreign", "legacy": "bridge"}
PLACES = ("outside", "host", "itself", *ASKING)
#: Docker's default network has no IPv6.
FAMILIES = [pair for pair in product(PLACES, (4, 6)) if pair != ("legacy", 6)]


@dataclass(frozen=True, slots=True)
class Stage:
    """Who asks for which ports; ``own`` are the addresses that containers of other networks than
    the server's are seen with, by IP version."""

    places: dict[str, Place]
    own: dict[str, dict[int, str]]
    forms: dict[str, tuple[Form, ...]]


@pytest.fixture(scope="module")
def lab(engine: str) -> Iterator[Lab]:
    """A host with two addresses of each family."""
    with bare_lab(engine) as lab:
        host = lab.host("h1")
        # dockerd would switch this on with its first IPv6 network, for good.
        host.run("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1", check=True)
        host.run("ip", "address", "add", f"{SECOND}/32", "dev", "eth0", check=True)
        host.run("ip", "address", "add", f"{SECOND6}/128", "dev", "eth0", "nodad", check=True)
        start(host)
        yield lab


@pytest.fixture(scope="module")
def stage(lab: Lab, host: Host, engine: str) -> Iterator[Stage]:
    """Containers with ports and containers that ask; afterwards there is no trace of them."""
    docker = Docker(host)
    before = traces(host)
    _make_networks(docker)
    servers = {name: docker.run(f"in-{name}", *_options(name)) for name in FORMS_OF}
    asking = {name: docker.run(name, "--network", home) for name, home in ASKING.items()}
    own = {"itself": _addresses(servers["blue"], "blue")}
    own |= {name: _addresses(asking[name], ASKING[name]) for name in ("near", "other")}
    if engine != NEWEST:
        # Those translate IPv4 alone on Docker's own networks.
        own["stranger"] = {6: asking["stranger"].address("foreign", 6)}
    chosen = tuple(_chosen(host, own["itself"][4], port) for port in CHOSEN)
    places: dict[str, Place] = {
        **asking,
        "outside": lab.outside,
        "host": host,
        "itself": servers["blue"],
    }
    with _serving(servers), ways_in(lab, GATEWAY, GATEWAY6):
        yield Stage(places, own, {**FORMS_OF, "blue": (*FORMS, *chosen)})
    docker.remove_all()
    assert_same(host, before)


def _make_networks(docker: Docker) -> None:
    for name, gateways in GATEWAYS.items():
        ends = {4: "0/24", 6: "/64"}
        subnets = [gateways[version].removesuffix("1") + ends[version] for version in gateways]
        words = [word for subnet in subnets for word in ("--subnet", subnet)]
        binding = label("bridge.host_binding_ipv4", OWN) if name == "red" else ()
        docker.network(name, *(("--ipv6",) if 6 in gateways else ()), *words, *binding)
    dual = ("--ipv6", "--subnet", "10.95.0.0/24", "--subnet", "fd95::/64")
    docker.network("foreign", *dual, driver="bridge")


def _options(network: str) -> Iterator[str]:
    yield from ("--network", network, *options(FORMS_OF[network]))
    if network == "blue":
        yield from ("-p", "81:80/sctp", *chain(*CHOSEN.values()))


def _addresses(container: Container, network: str) -> dict[int, str]:
    return {version: container.address(network, version) for version in (4, 6)}


def _chosen(host: Host, address: str, port: int) -> Form:
    (found,) = ports_to(host, f"{address} {port}")
    return Form("tcp", (), {found: port})


@contextmanager
def _serving(servers: dict[str, Container]) -> Iterator[None]:
    with ExitStack() as stack:
        for server in servers.values():
            stack.enter_context(serving(server, {port: str(port) for port in SERVERS}))
        yield


@pytest.fixture(scope="module")
def survey(stage: Stage) -> dict[str, dict[Question, Answer]]:
    """What everybody was answered, everywhere, all at once."""

    def ask(place: str) -> dict[Question, Answer]:
        expected = _expected(stage, place)
        # An answer may take long on a busy machine, silence may not.
        waits = {question: 6 if question in expected else 1 for question in _asked(stage, place)}
        return ask_all(stage.places[place], waits)

    with ThreadPoolExecutor(len(PLACES)) as pool:
        return dict(zip(PLACES, pool.map(ask, PLACES), strict=True))


@pytest.mark.quick
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
@pytest.mark.parametrize(
    ("place", "version"), FAMILIES, ids=[f"{place}-IPv{version}" for place, version in FAMILIES]
)
def test_ports_answer_where_they_are_published_and_nowhere_else(
    stage: Stage,
    survey: dict[str, dict[Question, Answer]],
    place: str,
    version: int,
    protocol: str,
) -> None:
    def of_this_kind(answers: dict[Question, Answer]) -> dict[Question, Answer]:
        return {
            question: answer
            for question, answer in answers.items()
            if (question.protocol, _version(question.address)) == (protocol, version)
        }

    expected = of_this_kind(_expected(stage, place))
    assert expected
    assert of_this_kind(survey[place]) == expected


def _asked(stage: Stage, place: str) -> Iterator[Question]:
    """Every port that anybody publishes and a few more, with both protocols on every address."""
    ports = {port for forms in stage.forms.values() for form in forms for port in form.ports}
    for protocol, address, port in product(("tcp", "udp"), ALL, ports.union(UNANSWERED)):
        if _own_loopback(address) <= (place == "host"):
            yield Question(protocol, address, port)


def _expected(stage: Stage, place: str) -> dict[Question, Answer]:
    return {
        Question(form.protocol, address, port): Answer(
            str(inner), _client(stage, place, address, network)
        )
        for network, forms in stage.forms.items()
        for form in forms
        for port, inner in form.ports.items()
        for address in form.where
        if _own_loopback(address) <= (place == "host")
    }


def _client(stage: Stage, place: str, address: str, network: str) -> str:
    """Who the server on a network sees: the one who asks, but where the answer would not come
    back the right way, or where Docker's own bridge hides him."""
    version = _version(address)
    if place == "outside":
        return OUTSIDE[version == 6]
    if place == "host" and not _own_loopback(address):
        return address
    if version in stage.own.get(place, {}) and ASKING.get(place, "blue") != network:
        return stage.own[place][version]
    # A network without IPv6 is reached by IPv4 from ::1, too.
    return GATEWAYS[network].get(version, GATEWAYS[network][4])


def _own_loopback(address: str) -> bool:
    return address in {LOOPBACK, LOOPBACK6}


def _version(address: str) -> int:
    return 6 if ":" in address else 4


def test_a_port_of_sctp_is_in_the_map(stage: Stage, host: Host) -> None:
    for version, address in stage.own["itself"].items():
        assert published(host, version)["sctp 81"] == f"{address} 80"
