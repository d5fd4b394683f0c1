"""The packets of a question, and how nftables tells them from all others. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from netaddr import IPAddress

from pyflat.dataplane.trace import Match
from pyflat.errors import InvalidRequest

#: Before all rules of others, and after conntrack has looked (-200).
FIRST, KNOWN = -350, -199
_TARGET = re.compile(
    r"(?P<name>\[[0-9a-fA-F:.]+\]|[^:/]+|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)"
    r"(:(?P<port>\d{1,5}))?(/(?P<protocol>tcp|udp))?"
)
#: What an echo request is of.
ECHO = {4: "icmp", 6: "icmpv6"}
#: Where, in bits behind the outer IP header, the addresses of a packet in a tunnel are.
_INNER = {4: (336, 368, 32), 6: (304, 432, 128)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Who is asked; port 0 stands for an echo request."""

    name: str
    protocol: str
    port: int

    def __str__(self) -> str:
        """Write it as people do."""
        return f"port {self.port}/{self.protocol}" if self.port else "an echo request"


def read_target(text: str) -> Target:
    """Read ``NAME[:PORT][/udp]``, NAME being an address as well. Raises InvalidRequest."""
    found = _TARGET.fullmatch(text)
    port = int(found["port"] or 0) if found else 0
    if found is None or port > 65535 or (found["protocol"] and not port):
        raise InvalidRequest(f"{text!r} is not a name or an address, as web, web:80, web:53/udp")
    protocol = found["protocol"] or ("tcp" if port else "icmp")
    return Target(name=found["name"].strip("[]"), protocol=protocol, port=port)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """The packets from an address to another, and their answers."""

    source: IPAddress
    target: IPAddress
    protocol: str
    port: int

    @property
    def version(self) -> int:
        """Give the family of its addresses."""
        return int(self.target.version)

    def matches(self) -> Iterator[Match]:
        """Match it in a namespace, on its bridges too."""
        there, back = self._words(self.source, self.target, "d"), self._answer()
        for hook in ("prerouting", "output"):
            yield Match(family="inet", hook=hook, priority=FIRST, words=there)
            yield Match(family="inet", hook=hook, priority=KNOWN, words=self._tracked())
            yield Match(family="bridge", hook=hook, priority=FIRST, words=there)
            yield Match(family="bridge", hook=hook, priority=FIRST, words=back)

    def tunnelled(self, port: int, vni: int) -> Iterator[Match]:
        """Match it inside of a tunnel's packets, in the namespace that these are sent from."""
        ends = self.source, self.target
        for hook, (one, other) in (("output", ends), ("prerouting", ends[::-1])):
            first, second, length = _INNER[self.version]
            words = (
                f"udp dport {port} @th,96,24 {vni} @th,{first},{length} {int(one):#x} "
                f"@th,{second},{length} {int(other):#x}"
            )
            yield Match(family="inet", hook=hook, priority=FIRST, words=words)

    def _words(self, source: IPAddress, target: IPAddress, end: str) -> str:
        family = "ip" if self.version == 4 else "ip6"
        addresses = f"{family} saddr {source} {family} daddr {target}"
        if self.port:
            return f"{addresses} {self.protocol} {end}port {self.port}"
        return f"{addresses} meta l4proto {ECHO[self.version]}"

    def _answer(self) -> str:
        return self._words(self.target, self.source, "s")

    def _tracked(self) -> str:
        """Match its connection: so answers, too, whatever is translated."""
        family = "ip" if self.version == 4 else "ip6"
        ends = f"ct original {family} saddr {self.source} ct original {family} daddr {self.target}"
        if self.port:
            return f"{ends} meta l4proto {self.protocol} ct original proto-dst {self.port}"
        return f"{ends} meta l4proto {ECHO[self.version]}"
