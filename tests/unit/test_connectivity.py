"""Published ports as changes of State: what is chosen, who conflicts, who gives way."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netaddr import IPAddress
from tests.support.dockerd import docker_id
from tests.support.records import endpoint, network, state_of

from pyflat.driver.connectivity import PortRequest, program, revoke
from pyflat.errors import Conflict, Exhausted, InvalidRequest, NotFound
from pyflat.model import Endpoint, NetworkOptions, Publication
from pyflat.state import State

LAN = network("lan", "172.30.0.0/24", "fd00::/64")
WEB = endpoint("web", LAN, "172.30.0.2/24", "fd00::2/64")
DB = endpoint("db", LAN, "172.30.0.3/24", "fd00::3/64")
BASE = state_of(LAN, WEB, DB)

Alive = Callable[[Endpoint], bool]


def want(
    container: int, first: int, last: int = 0, host: str = "", proto: str = "tcp"
) -> PortRequest:
    return PortRequest(
        protocol=proto,
        container_port=container,
        host=IPAddress(host) if host else None,
        host_ports=range(first, (last or first) + 1),
    )


def publish(
    state: State,
    of: Endpoint,
    *requests: PortRequest,
    alive: Alive = lambda _: True,
    taken: frozenset[int] = frozenset(),
    ipv6: bool = True,
) -> State:
    return program(
        state,
        identifier=of.id,
        requests=requests,
        ipv6=ipv6,
        alive=alive,
        free=lambda protocol, host, port: port not in taken,
    )


def ports_of(state: State, of: Endpoint) -> set[str]:
    """Give what is published as ``tcp 0.0.0.0:80 172.30.0.2:80``."""
    found = state.get(Publication, of.id)
    return {
        f"{b.protocol} {b.host}:{b.host_port} {b.container}:{b.container_port}"
        for b in (found.bindings if found else ())
    }


def test_a_port_without_an_address_is_published_in_each_family_of_the_container() -> None:
    assert ports_of(publish(BASE, WEB, want(80, 8080)), WEB) == {
        "tcp 0.0.0.0:8080 172.30.0.2:80",
        "tcp :::8080 fd00::2:80",
    }


def test_a_port_with_an_address_is_published_there_only() -> None:
    requests = (want(80, 8080, host="127.0.0.1"), want(53, 53, host="2001:db8::1", proto="udp"))
    assert ports_of(publish(BASE, WEB, *requests), WEB) == {
        "tcp 127.0.0.1:8080 172.30.0.2:80",
        "udp 2001:db8::1:53 fd00::2:53",
    }


@pytest.mark.parametrize(
    ("own", "behind"),
    [
        (("172.30.0.4/24", "fd00::4/64"), "fd00::4"),
        (("172.30.0.4/24",), "172.30.0.4"),
        (("fd00::4/64",), "fd00::4"),
    ],
)
def test_the_loopback_address_of_ipv6_leads_to_either_family_but_tcp_only(
    own: tuple[str, ...], behind: str
) -> None:
    one = endpoint("one", LAN, *own)
    state = state_of(LAN, one)
    assert ports_of(publish(state, one, want(80, 8080, host="::1")), one) == {
        f"tcp ::1:8080 {behind}:80"
    }
    for protocol in ("udp", "sctp"):
        with pytest.raises(InvalidRequest, match=rf"53/{protocol} on ::1: .* 127\.0\.0\.1"):
            publish(state, one, want(53, 53, host="::1", proto=protocol))


def test_who_is_not_the_way_out_for_ipv6_leaves_its_addresses_alone() -> None:
    requests = [want(80, 8080), want(80, 8081, host="2001:db8::1"), want(80, 8082, host="::1")]
    assert ports_of(publish(BASE, WEB, *requests, ipv6=False), WEB) == {
        "tcp 0.0.0.0:8080 172.30.0.2:80"
    }


def test_the_way_out_for_ipv6_has_its_ports_though_there_is_one_for_ipv4() -> None:
    only6 = endpoint("only6", LAN, "fd00::4/64")
    state = publish(BASE.put(only6), only6, want(80, 8080), ipv6=False)
    assert ports_of(state, only6) == {"tcp :::8080 fd00::4:80"}


def test_a_container_of_ipv6_alone_leaves_addresses_of_ipv4_to_its_other_network() -> None:
    only6 = endpoint("only6", LAN, "fd00::4/64")
    requests = [want(80, 8080), want(80, 8081, host="127.0.0.1")]
    assert ports_of(publish(state_of(LAN, only6), only6, *requests), only6) == {
        "tcp :::8080 fd00::4:80"
    }


@pytest.mark.parametrize(
    ("chosen", "hosts"),
    [
        (None, {"0.0.0.0", "::"}),
        ("0.0.0.0", {"0.0.0.0", "::"}),
        ("127.0.0.1", {"127.0.0.1"}),
    ],
)
def test_the_networks_binding_address_is_used_for_ports_that_name_none(
    chosen: str | None, hosts: set[str]
) -> None:
    options = NetworkOptions(host_binding=IPAddress(chosen) if chosen else None)
    lan = network("lan", "172.30.0.0/24", "fd00::/64", options=options)
    state = publish(state_of(lan, WEB), WEB, want(80, 8080))
    bindings = state.require(Publication, WEB.id).bindings
    assert {str(binding.host) for binding in bindings} == hosts
    state = publish(state_of(lan, WEB), WEB, want(80, 8080, host="10.0.0.1"))
    assert [str(b.host) for b in state.require(Publication, WEB.id).bindings] == ["10.0.0.1"]


def test_a_family_that_the_container_lacks_is_left_out_or_refused_if_asked_for() -> None:
    only4 = endpoint("only4", LAN, "172.30.0.4/24")
    state = state_of(LAN, only4)
    assert ports_of(publish(state, only4, want(80, 80)), only4) == {"tcp 0.0.0.0:80 172.30.0.4:80"}
    with pytest.raises(InvalidRequest, match="no IPv6 address"):
        publish(state, only4, want(80, 80, host="::"))


def test_a_container_without_addresses_publishes_nothing() -> None:
    bare = endpoint("bare", LAN)
    assert publish(state_of(LAN, bare), bare, want(80, 80)).get(Publication, bare.id) is None


def test_an_internal_network_publishes_nothing() -> None:
    lan = network("lan", "172.30.0.0/24", internal=True)
    assert publish(state_of(lan, WEB), WEB, want(80, 80)).get(Publication, WEB.id) is None


def test_who_is_unknown_publishes_nothing() -> None:
    with pytest.raises(NotFound, match=docker_id("x")):
        publish(BASE, endpoint("x", LAN), want(80, 80))


def test_what_was_published_is_replaced() -> None:
    state = publish(BASE, WEB, want(80, 8080), want(443, 8443))
    state = publish(state, WEB, want(80, 9090, host="127.0.0.1"))
    assert ports_of(state, WEB) == {"tcp 127.0.0.1:9090 172.30.0.2:80"}
    assert publish(state, WEB).get(Publication, WEB.id) is None


def test_the_same_once_more_gives_the_same_ports_although_they_are_held_by_now() -> None:
    requests = (want(80, 8000, 8001), want(81, 49153, 65535), want(82, 70))
    state = publish(BASE, WEB, *requests)
    held = frozenset({70, 8000, 49153})
    again = publish(state, WEB, *requests, taken=held)
    assert ports_of(again, WEB) == ports_of(state, WEB)


def test_revoke_withdraws_everything_and_knows_nobody_is_success() -> None:
    state = publish(BASE, WEB, want(80, 8080))
    assert revoke(state, WEB.id).get(Publication, WEB.id) is None
    assert revoke(BASE, WEB.id) is BASE


@pytest.mark.parametrize(
    ("held", "wanted", "collide"),
    [
        ("", "", True),
        ("", "127.0.0.1", True),
        ("127.0.0.1", "", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("0.0.0.0", "::", False),
        ("0.0.0.0", "::1", False),
        ("::", "::1", True),
        ("::1", "127.0.0.1", False),
    ],
)
def test_addresses_of_one_port_collide_as_sockets_do(held: str, wanted: str, collide: bool) -> None:
    state = publish(BASE, WEB, want(80, 8080, host=held))
    if collide:
        with pytest.raises(Conflict, match=f"8080/tcp is already .* endpoint {WEB.id[:12]}"):
            publish(state, DB, want(80, 8080, host=wanted))
    else:
        assert len(ports_of(publish(state, DB, want(80, 8080, host=wanted)), DB)) == 1
    if wanted != "::1":
        assert ports_of(publish(state, DB, want(80, 8080, host=wanted, proto="udp")), DB)
    assert ports_of(publish(state, DB, want(80, 8081, host=wanted)), DB)


def test_a_dead_holder_gives_way() -> None:
    state = publish(BASE, WEB, want(80, 8080))
    state = publish(state, DB, want(80, 8080), alive=lambda e: e.id == DB.id)
    assert ports_of(state, DB)
    assert state.get(Endpoint, WEB.id) is None
    assert state.get(Publication, WEB.id) is None


def test_the_dead_elsewhere_stay() -> None:
    state = publish(BASE, WEB, want(80, 8080, host="127.0.0.1"))
    state = publish(state, DB, want(80, 8080, host="127.0.0.2"), alive=lambda e: e.id == DB.id)
    assert state.get(Endpoint, WEB.id) == WEB


def test_a_dead_holder_gives_a_port_of_a_range_where_no_other_is_free() -> None:
    state = publish(BASE, WEB, want(80, 8080, 8081))
    state = publish(
        state, DB, want(80, 8080, 8081), alive=lambda e: e.id == DB.id, taken=frozenset({8081})
    )
    assert "tcp 0.0.0.0:8080 172.30.0.3:80" in ports_of(state, DB)


def test_a_single_port_is_not_tried_out() -> None:
    assert ports_of(publish(BASE, WEB, want(80, 8080), taken=frozenset({8080})), WEB)


def test_a_range_gives_the_first_port_that_is_free_in_both_families() -> None:
    state = publish(BASE, DB, want(80, 8000, host="::1"))
    state = publish(state, WEB, want(80, 8000, 8005), taken=frozenset({8001, 8002}))
    assert {line.split()[1] for line in ports_of(state, WEB)} == {"0.0.0.0:8003", ":::8003"}


def test_a_range_with_no_free_port_says_so() -> None:
    with pytest.raises(Exhausted, match="8000-8001/tcp"):
        publish(BASE, WEB, want(80, 8000, 8001), taken=frozenset({8000, 8001}))


def test_a_port_asked_for_twice_is_refused() -> None:
    with pytest.raises(Conflict, match="8080/tcp is asked for twice"):
        publish(BASE, WEB, want(80, 8080), want(81, 8080, host="127.0.0.1"))


def test_one_port_may_lead_to_two_places_from_two_addresses() -> None:
    requests = (want(80, 8080, host="127.0.0.1"), want(81, 8080, host="127.0.0.2"))
    assert len(ports_of(publish(BASE, WEB, *requests), WEB)) == 2


def test_a_range_leaves_single_ports_to_those_who_need_them() -> None:
    state = publish(BASE, WEB, want(80, 8000, 8001), want(81, 8000))
    assert {line.split()[1] for line in ports_of(state, WEB)} >= {"0.0.0.0:8000", "0.0.0.0:8001"}


REQUESTS = st.lists(
    st.builds(
        want,
        st.integers(1, 9),
        st.integers(1, 4),
        st.sampled_from([0, 5, 6]),
        st.sampled_from(["", "0.0.0.0", "127.0.0.1", "::", "2001:db8::1"]),
        st.sampled_from(["tcp", "udp"]),
    ),
    max_size=6,
)


@given(REQUESTS, st.frozensets(st.integers(1, 6), max_size=3))
def test_each_request_is_served_once_and_no_two_collide(
    requests: list[PortRequest], taken: frozenset[int]
) -> None:
    try:
        state = publish(BASE, WEB, *requests, taken=taken)
    except (Conflict, Exhausted):
        return
    found = state.get(Publication, WEB.id)
    bindings = found.bindings if found else ()
    keys = [(b.protocol, b.host, b.host_port) for b in bindings]
    assert len(keys) == len(set(keys)) == sum(2 if r.host is None else 1 for r in requests)
    for protocol, host, port in keys:
        assert host is not None
        wild = IPAddress("0.0.0.0" if host.version == 4 else "::")
        assert host == wild or (protocol, wild, port) not in keys


def test_a_thousand_single_ports_ask_about_nobody_elses() -> None:
    asked: list[object] = []

    def alive(one: Endpoint) -> bool:
        asked.append(one)
        return True

    def free(protocol: str, host: IPAddress, number: int) -> bool:
        asked.append(number)
        return True

    state = publish(BASE, DB, *(want(80, number) for number in range(1, 1001)))
    requests = [want(80, number) for number in range(2001, 3001)]
    state = program(state, identifier=WEB.id, requests=requests, ipv6=True, alive=alive, free=free)
    assert len(ports_of(state, WEB)) == 2000
    assert asked == []
