"""The network between the hosts: addresses, the switches, and the machine outside.

Every lab has the same addresses, as its network is its own: hosts 192.0.2.11 and
2001:db8:1::11 onwards, the switch .1, the outside machine .200. The outside machine is the
hosts' default route, plays the Internet at 198.51.100.1 and 2001:db8:ffff::1, and knows no
route to any container. Hosts that are far are on a switch of their own, br1, as 203.0.113.11 and
2001:db8:2::11 onwards, with the outside machine as the router between the two.
"""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address

from dockerlab import namespaces

NEAR, FAR = ("192.0.2.", "2001:db8:1::"), ("203.0.113.", "2001:db8:2::")
OUTSIDE = ("192.0.2.200", "2001:db8:1::200")
INTERNET = ("198.51.100.1", "2001:db8:ffff::1")
_SWITCH = ("192.0.2.1", "2001:db8:1::1")


def addresses(host: str, *, far: bool = False) -> tuple[IPv4Address, IPv6Address]:
    """The addresses of h1, h2, …"""
    last = int(host.removeprefix("h")) + 10
    ipv4, ipv6 = FAR if far else NEAR
    return IPv4Address(f"{ipv4}{last}"), IPv6Address(f"{ipv6}{last}")


def router(*, far: bool = False) -> tuple[str, str]:
    """The addresses of the machine outside in one of the segments."""
    ipv4, ipv6 = FAR if far else NEAR
    return f"{ipv4}200", f"{ipv6}200"


def make(names: dict[str, str], far: Collection[str] = ()) -> None:
    """Make all network namespaces and connect them; hosts get their eth0 as it is, down."""
    for name in names.values():
        namespaces.add(name)
    ports = {machine: name for machine, name in names.items() if machine != "switch"}
    lines = [
        "link set lo up",
        # Without snooping it is the plainest switch: multicast reaches everyone at once.
        "link add br0 type bridge mcast_snooping 0",
        "link set br0 up",
        f"address add {_SWITCH[0]}/24 dev br0",
        f"address add {_SWITCH[1]}/64 dev br0 nodad",
    ]
    if far:
        lines += ("link add br1 type bridge mcast_snooping 0", "link set br1 up")
        lines.append(f"link add to-far type veth peer name eth1 netns {names['outside']}")
        lines.append("link set to-far master br1 up")
    for machine, name in ports.items():
        lines.append(f"link add to-{machine} type veth peer name eth0 netns {name}")
        lines.append(f"link set to-{machine} master {'br1' if machine in far else 'br0'} up")
    namespaces.configure(names["switch"], lines)
    if far:
        _route_between(names["outside"])
    namespaces.configure(
        names["outside"],
        (
            "link set lo up",
            "link set eth0 up",
            f"address add {OUTSIDE[0]}/24 dev eth0",
            f"address add {OUTSIDE[1]}/64 dev eth0 nodad",
            f"address add {INTERNET[0]}/32 dev lo",
            f"address add {INTERNET[1]}/128 dev lo nodad",
        ),
    )


def _route_between(outside: str) -> None:
    """Have the machine outside route from one segment to the other."""
    ipv4, ipv6 = router(far=True)
    namespaces.configure(
        outside,
        (
            "link set eth1 up",
            f"address add {ipv4}/24 dev eth1",
            f"address add {ipv6}/64 dev eth1 nodad",
        ),
    )
    namespaces.start_forwarding(outside)
