"""The sets and maps that the ruleset declares, and what nftables refuses as their elements."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from netaddr import IPNetwork

from pyflat.dataplane.objects import Element
from pyflat.dataplane.ruleset import TABLES, rules
from pyflat.errors import BackendError

_DECLARATION = re.compile(
    r"^\s*(?:set|map) (?P<name>\w+) \{ type(?:of)? (?P<match>[^;:]+?)(?: : (?P<data>[^;]+))?;"
    r"(?P<flags>.*)\}",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Declaration:
    """How many words the match and the data of an element have, and whether it is an interval."""

    match: int
    data: int
    interval: bool


def _declarations(family: str) -> Iterator[tuple[tuple[str, str], Declaration]]:
    for found in _DECLARATION.finditer(rules(family)):
        data = found["data"]
        yield (
            (family, found["name"]),
            Declaration(
                match=len(found["match"].split(" . ")),
                data=len(data.split(" . ")) if data else 0,
                interval="interval" in found["flags"],
            ),
        )


DECLARATIONS = dict(each for family in TABLES for each in _declarations(family))


def check_element(item: Element, present: Iterable[Element]) -> None:
    """Refuse an element that nftables would refuse beside those that are present."""
    declared = DECLARATIONS.get((item.family, item.name))
    if declared is None:
        raise BackendError(f"no set {item.name} in table {item.family}")
    if (len(item.match), len(item.data)) != (declared.match, declared.data):
        raise BackendError(f"{item} does not have the type of its set")
    for other in present:
        if other == item or (other.family, other.name) != (item.family, item.name):
            continue
        if other.match == item.match:
            raise BackendError(f"{item}: File exists")
        if declared.interval and _overlap(item, other):
            raise BackendError(f"{item}: conflicting intervals specified")


def _overlap(one: Element, other: Element) -> bool:
    if one.match[:-1] != other.match[:-1]:
        return False
    (low, high), (first, last) = _bounds(one.match[-1]), _bounds(other.match[-1])
    return low <= last and first <= high


def _bounds(word: str) -> tuple[int, int]:
    """Give the first and last value of a subnet or of a range of ports."""
    first, dash, last = word.partition("-")
    if dash:
        return int(first), int(last)
    subnet = IPNetwork(word)
    return subnet.first, subnet.last
