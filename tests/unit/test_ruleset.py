"""Transactions as text, and listings as elements."""

import re

import pytest
from netaddr import IPAddress

from pyflat.dataplane.objects import Element, HostPort, Table
from pyflat.dataplane.plan import Step
from pyflat.dataplane.ruleset import TABLES, elements_of, rules_of, transaction

MARK = 0x20000000


def element(name: str, *match: str, data: tuple[str, ...] = (), family: str = "inet") -> Element:
    return Element(family=family, name=name, match=match, data=data)


MAPPING = element("anyport4", "tcp", "80", data=("10.0.0.2", "8080"))


def listing(kind: str, name: str, *elements: object) -> dict[str, object]:
    body = {"family": "inet", "name": name, "table": "pyflat", "handle": 5, "elem": list(elements)}
    return {"nftables": [{"metainfo": {"version": "1"}}, {kind: body}]}


def test_elements_of_a_set_go_into_one_command() -> None:
    steps = [Step("add", element("bridges", "br0")), Step("add", element("bridges", "br1"))]
    assert transaction(steps, MARK) == 'add element inet pyflat bridges { "br0", "br1" }\n'


@pytest.mark.parametrize(
    ("item", "added", "deleted"),
    [
        (MAPPING, "tcp . 80 : 10.0.0.2 . 8080", "tcp . 80"),
        (element("masq4", "ipv4", "10.0.0.0/24"), "ipv4 . 10.0.0.0/24", "ipv4 . 10.0.0.0/24"),
        (element("opened", "ipv4", "tcp"), 'ipv4 . "tcp"', 'ipv4 . "tcp"'),
        (element("inside", "ip", "ip"), '"ip" . "ip"', '"ip" . "ip"'),
        (element("local6", "drop", "fd00::/64"), '"drop" . fd00::/64', '"drop" . fd00::/64'),
        (element("mirror", "a", "a", family="hairpin"), '"a" . "a"', '"a" . "a"'),
        (
            element("port6", "udp", "::1", "53", data=("fd00::2", "53")),
            "udp . ::1 . 53 : fd00::2 . 53",
            "udp . ::1 . 53",
        ),
    ],
)
def test_an_element_as_text(item: Element, added: str, deleted: str) -> None:
    place = f"element {TABLES[item.family]} {item.name}"
    assert transaction([Step("add", item)], MARK) == f"add {place} {{ {added} }}\n"
    assert transaction([Step("delete", item)], MARK) == f"delete {place} {{ {deleted} }}\n"


def test_commands_keep_the_order_of_their_steps() -> None:
    other = element("anyport4", "tcp", "80", data=("10.0.0.3", "80"))
    lines = transaction([Step("delete", MAPPING), Step("add", other)], MARK).splitlines()
    assert [line.split()[0] for line in lines] == ["delete", "add"]


def test_a_table_replaces_what_stands_under_its_name_before_elements_come() -> None:
    steps = [Step("add", Table(family="inet")), Step("add", element("bridges", "br0"))]
    lines = transaction(steps, MARK).splitlines()
    assert lines[:2] == ["table inet pyflat { }", "delete table inet pyflat"]
    assert lines[-1].startswith("add element inet pyflat bridges")


@pytest.mark.parametrize("family", ["inet", "bridge"])
@pytest.mark.parametrize("mark", [1, 0x20000000, 0x80000000])
def test_the_mark_is_the_only_blank_in_a_table(family: str, mark: int) -> None:
    text = transaction([Step("add", Table(family=family))], mark)
    rules = re.sub(r"#.*", "", text)
    assert "$" not in rules
    assert f"{mark:#x}" in rules
    if family == "inet":
        assert f"{mark ^ 0xFFFFFFFF:#x}" in rules


def test_a_table_is_deleted_by_name() -> None:
    steps = [Step("delete", Table(family="bridge"))]
    assert transaction(steps, MARK) == "delete table bridge pyflat\n"


def test_other_steps_say_nothing() -> None:
    port = HostPort(protocol="tcp", host=IPAddress("0.0.0.0"), port=80)
    assert transaction([Step("add", port)], MARK) == ""
    assert transaction([], MARK) == ""


@pytest.mark.parametrize(
    ("kind", "printed", "expected"),
    [
        ("set", "br0", element("x", "br0")),
        ("set", {"concat": ["br0", "br0"]}, element("x", "br0", "br0")),
        ("set", {"prefix": {"addr": "10.0.0.0", "len": 8}}, element("x", "10.0.0.0/8")),
        ("set", {"elem": {"val": "br0", "counter": {}}}, element("x", "br0")),
        (
            "set",
            {"concat": ["br0", {"prefix": {"addr": "fd00::", "len": 64}}]},
            element("x", "br0", "fd00::/64"),
        ),
        (
            "map",
            [{"concat": ["tcp", 80]}, {"concat": ["10.0.0.2", 8080]}],
            element("x", "tcp", "80", data=("10.0.0.2", "8080")),
        ),
    ],
)
def test_a_listing_is_read_as_elements(kind: str, printed: object, expected: Element) -> None:
    assert list(elements_of("inet", listing(kind, "x", printed))) == [expected]


@pytest.mark.parametrize(("number", "protocol"), [(6, "tcp"), (17, "udp"), (132, "sctp")])
def test_a_protocol_is_read_where_the_system_has_no_names_of_them(
    number: int, protocol: str
) -> None:
    printed = [{"concat": [number, 6]}, {"concat": ["10.0.0.2", 6]}]
    (found,) = elements_of("inet", listing("map", "anyport4", printed))
    assert found == element("anyport4", protocol, "6", data=("10.0.0.2", "6"))


def test_empty_sets_and_other_entries_are_read_as_nothing() -> None:
    empty = {"set": {"family": "inet", "name": "x", "handle": 1}}
    chain = {"chain": {"family": "inet", "name": "x", "handle": 2}}
    assert list(elements_of("inet", {"nftables": [{"metainfo": {}}, empty, chain]})) == []


def test_rules_are_compared_without_handles_and_elements() -> None:
    before = rules_of(listing("set", "x", "br0"))
    assert before == rules_of(listing("set", "x", "br1", "br2"))
    assert before != rules_of(listing("set", "y", "br0"))
    assert before != rules_of(listing("map", "x", "br0"))
