"""What becomes of a packet in the rules of any firewall, as far as that can be said. Pure.

Of what a rule asks, only some is understood: interfaces, the mark, the state of the connection,
the protocol and its port. A rule that asks for more may match or not.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

#: What a rule may end in, beside a jump or a goto to a chain.
ACCEPT, DROP, RETURN = "accept", "drop", "return"

#: Not understood: it may hold or not.
UNKNOWN = "?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What a rule asks of a packet: that a fact is one of some values, or none of them.

    Names of interfaces may end in ``*``. With a ``mask``, the fact is a number of which only
    those bits count.
    """

    fact: str
    values: frozenset[str] = frozenset()
    negated: bool = False
    mask: int | None = None

    def holds(self, packet: Mapping[str, str]) -> bool | None:
        """Say whether it holds; None if that is not known."""
        if self.fact not in packet:
            return None
        found = packet[self.fact]
        if self.mask is not None:
            found = str(int(found) & self.mask)
        return any(fnmatchcase(found, value) for value in self.values) != self.negated


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule; ``verdict`` is "" if it decides nothing, ``chain`` where it jumps to, or ""."""

    conditions: tuple[Condition, ...] = ()
    verdict: str = ""
    chain: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A chain at a hook; ``table`` holds the chains that it may lead to.

    ``name`` says whose it is, as ``table ip filter, chain FORWARD``.
    """

    name: str
    family: str
    hook: str
    priority: int
    policy: str
    rules: tuple[Rule, ...]
    table: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)

    def drops(self, packet: Mapping[str, str]) -> bool:
        """Say whether a packet is dropped for sure."""
        return set(self._fates(self.rules, packet, 0)) - {RETURN} == {DROP}

    def _fates(
        self, rules: tuple[Rule, ...], packet: Mapping[str, str], depth: int
    ) -> Iterator[str]:
        for rule in rules:
            match = _matches(rule, packet)
            if match is False:
                continue
            fates = set(self._fates_of(rule, packet, depth))
            yield from fates - {RETURN}
            if match and (RETURN in fates) and not rule.chain:
                break
            if match and fates and RETURN not in fates:
                return
        if depth:
            yield RETURN
        else:
            yield self.policy

    def _fates_of(self, rule: Rule, packet: Mapping[str, str], depth: int) -> Iterator[str]:
        if rule.chain and depth < 16:
            yield from self._fates(self.table.get(rule.chain, ()), packet, depth + 1)
        elif rule.verdict:
            yield rule.verdict


def _matches(rule: Rule, packet: Mapping[str, str]) -> bool | None:
    answers = {condition.holds(packet) for condition in rule.conditions}
    if False in answers:
        return False
    return None if None in answers else True
