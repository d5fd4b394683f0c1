"""Docker's labels for networks, and what it takes to see their meaning from outside."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dockerlab import Lab

SUBNET, GATEWAY = "10.90.0.0/24", "10.90.0.1"
SUBNET6, GATEWAY6 = "fd90::/64", "fd90::1"
DUAL = ("--ipv6", "--subnet", SUBNET, "--subnet", SUBNET6)

#: What is held of pyflat is held of Docker's own driver too, wherever all is run.
BOTH_DRIVERS = pytest.mark.parametrize(
    "driver", ["pyflat", pytest.param("bridge", marks=pytest.mark.full)]
)


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
def ways_in(lab: Lab, *subnets: str) -> Iterator[None]:
    """The outside machine has routes to the subnets of h1's networks."""
    host = lab.host("h1")
    ways = [(subnet, host.address6 if ":" in subnet else host.address4) for subnet in subnets]
    for subnet, via in ways:
        lab.outside.run("ip", "route", "add", subnet, "via", via, check=True)
    try:
        yield
    finally:
        for subnet, _ in ways:
            lab.outside.run("ip", "route", "delete", subnet, check=True)
