"""UDP flows that are older than a change of published ports, from one port of the outside."""

from collections.abc import Callable

import pytest
from tests.docker.client import Container, Docker
from tests.docker.reach import answering

from dockerlab import Lab
from dockerlab.processes import wait_until

pytestmark = [pytest.mark.engine("28.5"), pytest.mark.placements]

DUAL = ("--ipv6", "--subnet", "10.90.0.0/24", "--subnet", "fd90::/64")
STATIC = ("--ip", "10.90.0.9", "--ip6", "fd90::9")
PORT = 5353
Flow = Callable[[], str | None]


@pytest.fixture(params=[4, 6], ids=["IPv4", "IPv6"])
def flow(docker: Docker, lab: Lab, request: pytest.FixtureRequest) -> Flow:
    """Sends one more packet of one flow to the host; gives the name of the server it reaches."""
    host = docker.host
    address = host.address4 if request.param == 4 else host.address6
    source = ("-p", "4040")

    def send() -> str | None:
        words = ("nc", "-n", "-u", *source, "-W1", "-w1", address, str(PORT))
        lines = lab.outside.run(*words, input="?").stdout.split()
        return lines[0] if lines else None

    return send


@pytest.fixture
def blue(docker: Docker) -> str:
    return docker.network("blue", *DUAL)


def _arrives(flow: Flow, name: str) -> bool:
    """Whether the flow comes to reach a server: the host forgets old flows beside the request,
    and finds IPv6 neighbours on a new bridge only once its own address there is settled."""
    return wait_until(lambda: flow() == name, 5)


def _names(docker: Docker, name: str, *options: str) -> Container:
    return docker.run(name, "--network", "blue", *options)


def test_a_flow_goes_to_whoever_has_the_port_next(docker: Docker, blue: str, flow: Flow) -> None:
    publish = ("-p", f"{PORT}:53/udp")
    with answering(_names(docker, "first", *publish), 53, "first"):
        assert _arrives(flow, "first")
    docker("rm", "-f", "first")
    with answering(_names(docker, "second", *STATIC, *publish), 53, "second"):
        assert _arrives(flow, "second")


def test_a_flow_ends_with_its_container_even_if_the_address_goes_on(
    docker: Docker, blue: str, flow: Flow
) -> None:
    with answering(_names(docker, "first", *STATIC, "-p", f"{PORT}:53/udp"), 53, "first"):
        assert _arrives(flow, "first")
    docker("rm", "-f", "first")
    with answering(_names(docker, "heir", *STATIC), 53, "heir"):
        assert flow() is None


def test_a_flow_ends_when_its_network_is_disconnected(
    docker: Docker, blue: str, flow: Flow
) -> None:
    first = _names(docker, "first", *STATIC, "-p", f"{PORT}:53/udp")
    with answering(first, 53, "first"):
        assert _arrives(flow, "first")
        docker("network", "disconnect", blue, "first")
        assert flow() is None


def test_a_flow_that_is_older_than_the_port_is_translated(
    docker: Docker, blue: str, flow: Flow
) -> None:
    # Only a flow that was answered once is kept as it is.
    with answering(docker.host, PORT, "host"):
        assert flow() == "host"
    with answering(_names(docker, "late", "-p", f"{PORT}:53/udp"), 53, "late"):
        assert _arrives(flow, "late")


def test_a_flow_through_one_of_two_ports_does_not_suffer_with_the_other(
    docker: Docker, blue: str, flow: Flow
) -> None:
    with answering(_names(docker, "first", "-p", f"{PORT}:53/udp"), 53, "first"):
        assert _arrives(flow, "first")
        _names(docker, "other", "-p", "5454:53/udp")
        docker("rm", "-f", "other")
        assert flow() == "first"
