"""The nftables rules and elements as text, and their listing as objects. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import chain, repeat
from socket import IPPROTO_SCTP, IPPROTO_TCP, IPPROTO_UDP
from string import Template
from typing import Any

from netaddr import IPNetwork

from pyflat.dataplane.objects import Element, Table
from pyflat.dataplane.plan import Step

#: Our tables as nftables knows them, by the families that objects have.
TABLES = {
    "inet": "inet pyflat",
    "icc": "inet pyflat_icc",
    "untracked": "inet pyflat_untracked",
    "bridge": "bridge pyflat",
    "hairpin": "bridge pyflat_hairpin",
    "tunnels": "bridge pyflat_tunnels",
    "inside": "bridge pyflat",
    "inside-tunnels": "bridge pyflat_tunnels",
}
#: Those that lie in pyflat's namespace, and whose rules they have there.
INSIDE = {"inside": "bridge", "inside-tunnels": "tunnels"}

_PROTOCOLS = {
    str(number): name
    for name, number in (("tcp", IPPROTO_TCP), ("udp", IPPROTO_UDP), ("sctp", IPPROTO_SCTP))
}

_DECLARATION = re.compile(r"(?:set|map) (\w+) \{ type(?:of)? ([\w .@,]+)")


def listed(cidr: IPNetwork) -> str:
    """Write a subnet as nftables lists it: one that is a single address without its length."""
    return str(cidr.ip) if cidr.size == 1 else str(cidr)


def transaction(steps: Iterable[Step], mark: int) -> str:
    """Write the commands of one transaction; only tables and elements have any.

    Sets are written with all their elements of a kind at once. Element words must come from
    parsed addresses, numbers and checked interface names: nft looks up a malformed address in
    DNS.
    """
    lines: list[str] = []
    batches: dict[tuple[str, str, str], list[str]] = {}
    for step in steps:
        match step.object:
            case Table(family=family):
                lines.extend(_table(step.verb, family, mark))
            case Element() as element:
                batch = batches.setdefault((step.verb, element.family, element.name), [])
                batch.append(_words(step.verb, element))
    for (verb, family, name), elements in batches.items():
        lines.append(f"{verb} element {TABLES[family]} {name} {{ {', '.join(elements)} }}")
    return "\n".join(lines) + "\n" if lines else ""


def elements_of(family: str, listing: Mapping[str, Any]) -> Iterator[Element]:
    """Read the elements of a table of ours from what ``nft -j list`` prints."""
    for entry in listing["nftables"]:
        body = entry.get("set") or entry.get("map")
        for item in body.get("elem", ()) if body else ():
            match, data = item if "map" in entry else (item, None)
            types = _types(family).get(body["name"], ())
            yield Element(
                family=family,
                name=body["name"],
                match=tuple(map(_name, _read(match), chain(types, repeat("")))),
                data=tuple(_read(data)) if data is not None else (),
            )


def rules_of(listing: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Give what a listing says of our tables apart from elements, in a comparable form."""
    return [_plain(entry) for entry in listing["nftables"] if "metainfo" not in entry]


def _table(verb: str, family: str, mark: int) -> Iterator[str]:
    table = TABLES[family]
    if verb == "add":
        text = rules(family)
        # Declared first, or the deletion would fail where there is none to replace.
        yield f"table {table} {{ }}"
        yield f"delete table {table}"
        yield Template(text).substitute(mark=f"{mark:#x}", others=f"{mark ^ 0xFFFFFFFF:#x}")
    else:
        yield f"delete table {table}"


@cache
def rules(family: str) -> str:
    """Give the text of a table's file."""
    name = INSIDE.get(family, family)
    return files("pyflat.dataplane").joinpath(f"{name}.nft").read_text()


@cache
def _types(family: str) -> Mapping[str, Sequence[str]]:
    """Give the types of the words that match, for each set and map of a table."""
    found = _DECLARATION.findall(rules(family))
    return {name: [word.strip() for word in types.split(" . ")] for name, types in found}


def _words(verb: str, element: Element) -> str:
    types = _types(element.family)[element.name]
    match = " . ".join(map(_word, types, element.match))
    return f"{match} : {' . '.join(element.data)}" if verb == "add" and element.data else match


def _word(kind: str, word: str) -> str:
    # Without quotes an interface could be named like a word of nft's language, or a number.
    return f'"{word}"' if kind in {"ifname", "iifname"} else word


def _name(word: str, kind: str) -> str:
    # Where there is no /etc/protocols, as in small images, nft prints numbers.
    return _PROTOCOLS.get(word, word) if kind == "inet_proto" else word


def _read(value: Any) -> Iterator[str]:
    match value:
        case {"concat": parts}:
            for part in parts:
                yield from _read(part)
        case {"prefix": {"addr": address, "len": length}}:
            yield f"{address}/{length}"
        case {"range": [first, last]}:
            yield f"{first}-{last}"
        case {"elem": {"val": inner}}:
            yield from _read(inner)
        case _:
            yield str(value)


def _plain(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    ((kind, body),) = entry.items()
    return {kind: {k: v for k, v in body.items() if k not in {"handle", "elem"}}}
