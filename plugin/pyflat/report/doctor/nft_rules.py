"""Rules of nftables, from its listing in JSON, as ``rules`` has them. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pyflat.report.doctor.rules import ACCEPT, DROP, RETURN, UNKNOWN, Chain, Condition, Rule

_META = {"iifname", "oifname", "iif", "oif", "mark", "nfproto", "l4proto"}
_ENDS = {"accept": ACCEPT, "drop": DROP, "reject": DROP, "return": RETURN}
#: A mark of Docker's or of anybody's without a mask.
_ALL = 0xFFFFFFFF


def read_chains(listing: Mapping[str, Any]) -> Iterator[Chain]:
    """Give the chains at hooks, of all tables that a listing of the whole ruleset has."""
    rules: dict[tuple[str, str], dict[str, list[Rule]]] = {}
    bases = []
    for entry in listing["nftables"]:
        if chain := entry.get("chain"):
            rules.setdefault(_table(chain), {})[chain["name"]] = []
            bases.append(chain)
        if rule := entry.get("rule"):
            rules[_table(rule)][rule["chain"]].extend(_rules(rule["expr"]))
    for chain in bases:
        if "hook" in chain:
            yield _chain(chain, rules[_table(chain)])


def mark_of(listing: Mapping[str, Any]) -> int | None:
    """Give the bit that pyflat vouches with, by its own rules; None without them."""
    for entry in listing["nftables"]:
        rule = entry.get("rule", {})
        if (rule.get("table"), rule.get("chain")) == ("pyflat", "vouch"):
            for part in rule["expr"]:
                if "mangle" in part:
                    _, bit = part["mangle"]["value"]["|"]
                    return int(bit)
    return None


def _table(entry: Mapping[str, Any]) -> tuple[str, str]:
    return entry["family"], entry["table"]


def _chain(chain: Mapping[str, Any], table: Mapping[str, Iterable[Rule]]) -> Chain:
    return Chain(
        name=f"table {chain['family']} {chain['table']}, chain {chain['name']}",
        family=chain["family"],
        hook=chain["hook"],
        priority=chain["prio"],
        policy=chain.get("policy", ACCEPT),
        rules=tuple(table[chain["name"]]),
        table={name: tuple(rules) for name, rules in table.items()},
    )


def _rules(parts: Iterable[Mapping[str, Any]]) -> Iterator[Rule]:
    conditions: list[Condition] = []
    for part in parts:
        if "match" in part:
            conditions.append(_condition(part["match"]))
        elif "vmap" in part:
            yield from _of_map(part["vmap"], conditions)
        elif rule := _end(part, conditions):
            yield rule
        elif "xt" in part:
            conditions.append(Condition(fact=UNKNOWN))


def _end(part: Mapping[str, Any], conditions: Iterable[Condition]) -> Rule | None:
    """Give the rule that a part ends; None if it does not end any."""
    kept = tuple(conditions)
    for word in ("jump", "goto"):
        if word in part:
            return Rule(conditions=kept, chain=part[word]["target"])
    if part.get("xt", {}) and part["xt"].get("type") == "target":
        verdict = DROP if part["xt"]["name"] == "REJECT" else ""
        return Rule(conditions=kept, verdict=verdict)
    ends = (_ENDS[word] for word in _ENDS if word in part)
    return next((Rule(conditions=kept, verdict=verdict) for verdict in ends), None)


def _of_map(vmap: Mapping[str, Any], conditions: Iterable[Condition]) -> Iterator[Rule]:
    """Give a rule for each entry of a map of verdicts; one for all where it has a name."""
    data = vmap["data"]
    if isinstance(data, str):
        yield Rule(conditions=(*conditions, Condition(fact=UNKNOWN)), verdict=ACCEPT)
        return
    for value, end in data["set"]:
        match = {"op": "==", "left": vmap["key"], "right": value}
        if rule := _end(end, (*conditions, _condition(match))):
            yield rule


def _condition(match: Mapping[str, Any]) -> Condition:
    left, mask = match["left"], None
    if isinstance(left, Mapping) and "&" in left and isinstance(left["&"][1], int):
        left, mask = left["&"]
    fact, values = _fact(left), _values(match["right"])
    if fact == UNKNOWN or values is None or match["op"] not in {"==", "!=", "in"}:
        return Condition(fact=UNKNOWN)
    if fact == "mark":
        mask = _ALL if mask is None else mask
    return Condition(fact=fact, values=values, negated=match["op"] == "!=", mask=mask)


def _fact(left: Any) -> str:
    match left:
        case {"meta": {"key": str(key)}} if key in _META:
            return {"iif": "iifname", "oif": "oifname"}.get(key, key)
        case {"ct": {"key": "state"}}:
            return "state"
        case {"ct": {"key": "status"}}:
            return "status"
        case {"payload": {"protocol": "tcp" | "udp" | "th" as protocol, "field": "dport"}}:
            return "dport" if protocol == "th" else f"{protocol} dport"
        case _:
            return UNKNOWN


def _values(right: Any) -> frozenset[str] | None:
    match right:
        case bool():
            return None
        case str() if right.startswith("@"):
            return None
        case str() | int():
            return frozenset({str(right)})
        case {"set": list(entries)} | list(entries):
            if all(isinstance(entry, str | int) for entry in entries):
                return frozenset(map(str, entries))
    return None
