"""Published ports as elements, and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netaddr import IPAddress
from tests.support.records import binding

from pyflat.dataplane.mappings import SPAN, bindings_of, mappings
from pyflat.dataplane.objects import Element
from pyflat.model import PortBinding

OWN, OWN6 = "172.30.0.2", "fd00::2"


def run(first: int, count: int, host: str = "0.0.0.0", offset: int = 0) -> list[PortBinding]:
    """Neighbouring ports of the host."""
    own = OWN6 if ":" in host else OWN
    return [binding(host, p, own, p + offset) for p in range(first, first + count)]


def written(bindings: list[PortBinding]) -> list[str]:
    found = mappings(bindings)
    return [f"{e.name} {' '.join(e.match)} : {' '.join(e.data)}" for e in found]


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("0.0.0.0", "anyspan4 tcp"),
        ("::", "anyspan6 tcp"),
        ("10.0.0.1", "span4 tcp 10.0.0.1"),
        ("2001:db8::1", "span6 tcp 2001:db8::1"),
    ],
)
def test_a_long_run_that_keeps_its_numbers_is_one_element(host: str, name: str) -> None:
    ports = run(9000, SPAN, host)
    own = OWN6 if ":" in host else OWN
    assert written(ports) == [f"{name} 9000-{9000 + SPAN - 1} : {own}"]


@pytest.mark.parametrize(
    "ports",
    [
        run(9000, SPAN - 1),
        run(9000, SPAN, offset=1),
        run(9000, SPAN // 2) + run(9000 + SPAN // 2 + 1, SPAN // 2),
        run(9000, SPAN // 2) + run(9000 + SPAN // 2, SPAN // 2, "10.0.0.1"),
    ],
    ids=["too short", "other numbers", "a gap", "two addresses"],
)
def test_other_runs_are_an_element_for_each_port(ports: list[PortBinding]) -> None:
    assert len(written(ports)) == len(ports)
    assert not any("span" in line for line in written(ports))


def test_the_loopback_address_of_ipv6_and_open_ports_have_no_element() -> None:
    ports = run(9000, SPAN, "::1")
    bare = PortBinding(
        protocol="tcp", host=None, host_port=80, container=IPAddress(OWN), container_port=80
    )
    assert written([*ports, bare]) == []


BINDINGS = st.lists(
    st.builds(
        run,
        st.integers(1, 60000),
        st.integers(1, 2 * SPAN),
        st.sampled_from(["0.0.0.0", "::", "10.0.0.1", "2001:db8::1"]),
        st.sampled_from([0, 0, 1, 7]),
    ),
    max_size=4,
)


@given(BINDINGS)
def test_elements_lead_back_to_the_ports(runs: list[list[PortBinding]]) -> None:
    ports = {(b.host, b.host_port): b for each in runs for b in each}.values()
    assert set(bindings_of(mappings(ports))) == set(ports)


def test_elements_of_other_sets_are_no_ports() -> None:
    others = [
        Element(family="inet", name="snat4", match=("ipv4", "10.0.0.0/24"), data=("192.0.2.1",)),
        Element(family="inet", name="routed4", match=(OWN, "tcp", "80")),
        Element(family="bridge", name="quiet", match=("pv-0",)),
    ]
    assert list(bindings_of(others)) == []
