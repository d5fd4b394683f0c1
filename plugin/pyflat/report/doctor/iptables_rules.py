"""Rules of iptables, from ``iptables-save``, as ``rules`` has them. Pure."""

import shlex
from collections.abc import Iterator, Sequence

from pyflat.report.doctor.rules import ACCEPT, DROP, RETURN, UNKNOWN, Chain, Condition, Rule

_ENDS = {"ACCEPT": ACCEPT, "DROP": DROP, "REJECT": DROP, "RETURN": RETURN}
#: Targets that decide nothing.
_PASSING = {"LOG", "MARK", "CONNMARK", "TRACE", "NFLOG", "TCPMSS", "CT", "CHECKSUM"}
_FACTS = {
    "-i": "iifname",
    "-o": "oifname",
    "-p": "l4proto",
    "--ctstate": "state",
    "--state": "state",
    "--ctstatus": "status",
    "--dport": "dport",
    "--mark": "mark",
}
_PRIORITIES = {"raw": -300, "mangle": -150, "nat": -100, "filter": 0, "security": 50}


#: Tables of iptables; where it is that of nf_tables, nftables shows them as well.
TABLES = frozenset(_PRIORITIES)


def read_chains(text: str, family: str, *, legacy: bool) -> Iterator[Chain]:
    """Give the built-in chains of all tables; ``family`` is ip or ip6."""
    for section in text.split("\n*")[1:]:
        table, *lines = section.splitlines()
        whose = f"legacy {family}tables" if legacy else f"table {family}"
        yield from _chains(f"{whose} {table}", table, lines, family)


def _chains(whose: str, table: str, lines: Sequence[str], family: str) -> Iterator[Chain]:
    heads = [line[1:].split() for line in lines if line.startswith(":")]
    rules: dict[str, list[Rule]] = {name: [] for name, *_ in heads}
    for line in lines:
        if line.startswith("-A "):
            words = shlex.split(line)
            rules[words[1]].append(_rule(words[2:]))
    frozen = {name: tuple(found) for name, found in rules.items()}
    for name, policy, *_ in heads:
        if policy != "-":
            yield Chain(
                name=f"{whose}, chain {name}",
                family=family,
                hook=name.lower(),
                priority=_PRIORITIES.get(table, 0),
                policy=policy.lower(),
                rules=frozen[name],
                table=frozen,
            )


def _rule(words: Sequence[str]) -> Rule:
    conditions, verdict, target = [], "", ""
    queue, negated = list(words), False
    while queue:
        word = queue.pop(0)
        if word == "!":
            negated = True
            continue
        values = []
        while queue and not queue[0].startswith("-") and queue[0] != "!":
            values.append(queue.pop(0))
        if word in {"-j", "-g"}:
            verdict, target = _end(values[0])
        elif word not in {"-m", "--comment", "--reject-with"} and not target + verdict:
            conditions.append(_condition(word, values, negated))
        negated = False
    return Rule(conditions=tuple(conditions), verdict=verdict, chain=target)


def _end(target: str) -> tuple[str, str]:
    if target in _ENDS:
        return _ENDS[target], ""
    return "", "" if target in _PASSING else target


def _condition(word: str, values: Sequence[str], negated: bool) -> Condition:
    fact = _FACTS.get(word, UNKNOWN)
    if fact == UNKNOWN or len(values) != 1:
        return Condition(fact=UNKNOWN)
    if fact == "mark":
        value, _, mask = values[0].partition("/")
        bits = int(mask or "0xffffffff", 0)
        wanted = frozenset({str(int(value, 0))})
        return Condition(fact=fact, values=wanted, negated=negated, mask=bits)
    found = frozenset(word.lower().replace("+", "*") for word in values[0].split(","))
    if fact in {"iifname", "oifname"}:
        found = frozenset({values[0].replace("+", "*")})
    return Condition(fact=fact, values=found, negated=negated)
