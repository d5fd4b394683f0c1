"""Published ports in every form: what is written after `-p`, and where that has to answer."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from dockerlab.underlay import addresses

OWN, OWN6 = map(str, addresses("h1"))
SECOND, SECOND6 = "192.0.2.21", "2001:db8:1::21"
"""Further addresses of the host, on the same interface."""
GATEWAY, GATEWAY6 = "10.90.0.1", "fd90::1"
LOOPBACK, LOOPBACK6 = "127.0.0.1", "::1"

IPV4 = frozenset({OWN, SECOND, GATEWAY, LOOPBACK})
IPV6 = frozenset({OWN6, SECOND6, GATEWAY6, LOOPBACK6})
ALL = IPV4 | IPV6


@dataclass(frozen=True, slots=True)
class Form:
    """One way to publish ports: words for `docker run`, the container's port behind each port
    of the host, and the host's addresses that they answer on."""

    protocol: str
    words: tuple[str, ...]
    ports: Mapping[int, int]
    where: frozenset[str] = ALL

    def options(self) -> Iterator[str]:
        for word in self.words:
            yield from ("-p", f"{word}/{self.protocol}")


def _both(protocol: str, web: int) -> Iterator[Form]:
    """The forms that exist for either protocol; ``web`` is a port of the container."""
    for words, ports, where in (
        ((f"81:{web}",), {81: web}, ALL),
        ((f"{LOOPBACK}:82:{web}",), {82: web}, {LOOPBACK}),
        ((f"{OWN}:84:{web}",), {84: web}, {OWN}),
        ((f"[{OWN6}]:85:{web}",), {85: web}, {OWN6}),
        ((f"{OWN}:86:{web}", f"{SECOND}:86:{web}"), {86: web}, {OWN, SECOND}),
        ((f"[{OWN6}]:87:{web}", f"{SECOND}:87:{web}"), {87: web}, {OWN6, SECOND}),
        ((f"0.0.0.0:88:{web}",), {88: web}, IPV4),
        ((f"[::]:89:{web}",), {89: web}, IPV6),
        (("9000-9002:9000-9002",), {port: port for port in range(9000, 9003)}, ALL),
        (("9100-9102:9200-9202",), {port: port + 100 for port in range(9100, 9103)}, ALL),
        ((f"9300-9305:{web}",), {9300: web}, ALL),
    ):
        # Only connections can be relayed, and the kernel does not translate there.
        without = set() if protocol == "tcp" else {LOOPBACK6}
        yield Form(protocol, words, ports, frozenset(where - without))


FORMS = (
    *_both("tcp", 80),
    *_both("udp", 53),
    Form("tcp", ("[::1]:83:80",), {83: 80}, frozenset({LOOPBACK6})),
    Form("tcp", ("91:9000",), {91: 9000}),
    Form("udp", ("92:9000",), {92: 9000}, ALL - {LOOPBACK6}),
)
UNANSWERED = (*range(9301, 9306), 93)
"""Ports that no form publishes: the rest of a range that leads to one port, and another."""


def options(forms: Iterable[Form]) -> Iterator[str]:
    """The options of `docker run` for some forms."""
    for form in forms:
        yield from form.options()
