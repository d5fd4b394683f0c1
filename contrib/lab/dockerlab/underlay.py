"""The network between the hosts: addresses, the switch, and the machine outside.

Every lab has the same addresses, as its network is its own: hosts 192.0.2.11 and
2001:db8:1::11 onwards, the switch .1, the outside machine .200. The outside machine is the
hosts' default route, plays the Internet at 198.51.100.1 and 2001:db8:ffff::1, and knows no
route to any container.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from dockerlab import namespaces

OUTSIDE = ("192.0.2.200", "2001:db8:1::200")
INTERNET = ("198.51.100.1", "2001:db8:ffff::1")
_SWITCH = ("192.0.2.1", "2001:db8:1::1")


def addresses(host: str) -> tuple[IPv4Address, IPv6Address]:
    """The addresses of h1, h2, …"""
    last = int(host.removeprefix("h")) + 10
    return IPv4Address(f"192.0.2.{last}"), IPv6Address(f"2001:db8:1::{last}")


def make(names: dict[str, str]) -> None:
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
    for machine, name in ports.items():
        lines.append(f"link add to-{machine} type veth peer name eth0 netns {name}")
        lines.append(f"link set to-{machine} master br0 up")
    namespaces.configure(names["switch"], lines)
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
