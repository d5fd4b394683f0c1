"""Docker's labels for networks, and what it takes to see their meaning from outside."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from tests.docker.reach import Place, ask, pings

from dockerlab import Lab

SUBNET, GATEWAY = "10.90.0.0/24", "10.90.0.1"
SUBNET6, GATEWAY6 = "fd90::/64", "fd90::1"
DUAL = ("--ipv6", "--subnet", SUBNET, "--subnet", SUBNET6)


def label(name: str, value: str) -> tuple[str, str]:
    """The words that set a label, as ("-o", "com.docker.network.bridge.enable_icc=false")."""
    return ("-o", f"com.docker.network.{name}={value}")


def modes(ipv4: str, ipv6: str | None = None) -> tuple[str, ...]:
    """The words that set the gateway mode of each family."""
    return (
        *label("bridge.gateway_mode_ipv4", ipv4),
        *label("bridge.gateway_mode_ipv6", ipv6 or ipv4),
    )


@contextmanager
def ways_in(lab: Lab, *subnets: str, by: str = "h1") -> Iterator[None]:
    """The outside machine has routes to subnets by way of a host."""
    host = lab.host(by)
    ways = [(subnet, host.address6 if ":" in subnet else host.address4) for subnet in subnets]
    for subnet, via in ways:
        lab.outside.run("ip", "route", "add", subnet, "via", via, check=True)
    try:
        yield
    finally:
        for subnet, _ in ways:
            lab.outside.run("ip", "route", "delete", subnet, check=True)


def reached(place: Place, *addresses: str, port: int = 80) -> list[str]:
    """Which of the addresses answer, be it a ping or a question to the port."""
    with ThreadPoolExecutor(len(addresses)) as pool:
        answers = pool.map(lambda address: _answers(place, address, port), addresses)
        return [one for one, answer in zip(addresses, answers, strict=True) if answer]


def leaks(closed: Mapping[str, tuple[Place, Iterable[str]]]) -> list[str]:
    """Who reaches an address that is closed to him; ``closed`` has all who try, by name."""
    with ThreadPoolExecutor(len(closed)) as pool:
        found = pool.map(lambda target: reached(target[0], *target[1]), closed.values())
        return [
            f"{place} reaches {address}"
            for place, addresses in zip(closed, found, strict=True)
            for address in addresses
        ]


def _answers(place: Place, address: str, port: int) -> bool:
    return pings(place, address, wait=1) or ask(place, address, port, wait=1) is not None
