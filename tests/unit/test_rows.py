"""Topology as rows: names, order, and ports that are neighbours."""

import pytest
from tests.support.pictured import BACK, DB, LAN, NAMES, shown
from tests.support.records import block, pool, state_of

from pyflat.docker_api import Names
from pyflat.driver.options import OPTIONS, parse_options
from pyflat.errors import NotFound
from pyflat.report.rows import (
    Naming,
    chosen,
    endpoint_rows,
    natural,
    network_rows,
    option_rows,
    peer_rows,
    pool_rows,
    port_rows,
    published,
    spans,
)
from pyflat.report.topology import NetworkView

NAMELESS = Naming(Names())


def networks(*wanted: str) -> list[NetworkView]:
    return chosen(shown(), NAMES, wanted)


def test_networks_are_listed_by_name_and_told_apart_by_what_they_are() -> None:
    rows = list(network_rows(networks(), NAMES))
    assert [(row["network"], row["kind"]) for row in rows] == [
        ("back", "internal"),
        ("blue", "overlay 42"),
        ("lan", "nat"),
    ]
    assert [(row["endpoints"], row["remotes"]) for row in rows] == [(0, 0), (2, 1), (1, 0)]
    assert rows[2]["subnets"] == ["172.30.0.0/24", "fd30::/64"]


@pytest.mark.parametrize("name", ["lan", LAN.id, LAN.id[:5]])
def test_a_network_is_chosen_by_its_name_or_the_start_of_its_id(name: str) -> None:
    assert [network.id for network in networks(name)] == [LAN.id]


def test_several_may_be_chosen_and_one_that_is_not_there_is_refused() -> None:
    assert [network.id for network in networks("lan", "back")] == [BACK.id, LAN.id]
    with pytest.raises(NotFound, match="nowhere"):
        networks("lan", "nowhere")


def test_a_container_has_dockers_name_or_one_that_is_told_or_its_id() -> None:
    (lan,) = networks("lan")
    (blue,) = networks("blue")
    assert [row["container"] for row in endpoint_rows([lan], NAMES)] == ["web"]
    assert [row["container"] for row in endpoint_rows([lan], NAMELESS)] == ["www"]
    ids = {row["container"] for row in endpoint_rows([blue], NAMELESS)}
    assert DB.id[:12] in ids
    assert next(endpoint_rows([lan], NAMELESS))["network"] == LAN.id[:12]


def test_each_port_has_a_row_and_neighbours_are_written_in_one() -> None:
    rows = list(port_rows(networks(), NAMES))
    assert [(row["host"], row["host_port"], row["port"]) for row in rows] == [
        ("0.0.0.0", 8080, 80),
        ("127.0.0.1", 7000, 7000),
        ("127.0.0.1", 7001, 7001),
        ("127.0.0.1", 7002, 7002),
        ("::", 8080, 80),
    ]
    brief = [(row["host"], row["host_port"], row["port"]) for row in spans(rows)]
    assert brief[1] == ("127.0.0.1", "7000-7002", "7000-7002")
    assert len(brief) == 3


def test_ports_that_differ_in_anything_else_are_no_neighbours() -> None:
    row = {"container": "web", "host": "::", "host_port": 80, "port": 80}
    assert spans([row, row | {"host_port": 81, "port": 82}]) == [
        row,
        row | {"host_port": 81, "port": 82},
    ]
    assert len(spans([row, row | {"host_port": 81, "port": 81, "host": "::1"}])) == 2


def test_an_opened_port_has_no_number_of_the_host() -> None:
    row = {"host": "", "host_port": 0, "port": 80}
    assert spans([row, row | {"port": 81}]) == [row | {"port": "80-81"}]


def test_published_ports_of_both_families_are_written_once() -> None:
    (lan,) = networks("lan")
    assert list(published(lan.endpoints[0])) == [
        "*:8080->80/tcp",
        "127.0.0.1:7000-7002->7000-7002/tcp",
    ]


def test_peers_have_their_containers_and_whether_they_are_heard_of() -> None:
    two, ten = sorted(peer_rows(networks(), NAMES), key=lambda row: natural(row["host"]))
    assert (two["host"], two["heard"], two["vtep"], two["vni"]) == ("h2", True, "192.0.2.12", 42)
    assert [each["name"] for each in two["containers"]] == ["cache"]
    assert (ten["host"], ten["heard"], ten["endpoints"]) == ("h10", False, 0)


def test_a_pool_says_how_much_of_it_is_given_out() -> None:
    lan = pool("172.30.0.0/24")
    (row,) = pool_rows(shown(state_of(lan, block(lan, 1, 2, 9))))
    assert (row["pool"], row["used"], row["size"]) == ("172.30.0.0/24", 3, 256)


def test_every_option_is_listed_with_a_default_that_it_allows() -> None:
    rows = list(option_rows())
    assert [row["option"] for row in rows] == sorted(OPTIONS)
    told = {row["option"]: row["default"] for row in rows if row["default"]}
    assert told["ports"] == "native"
    assert (told["dstport"], told["antispoof"]) == ("4789", "false")
    own = {key: text for key, text in told.items() if not OPTIONS[key].field.startswith("overlay")}
    assert parse_options(own) == parse_options({})


def test_numbers_in_names_are_ordered_as_numbers() -> None:
    assert sorted(["c10", "c2", "b10", "c", "2"], key=natural) == ["2", "b10", "c", "c2", "c10"]
