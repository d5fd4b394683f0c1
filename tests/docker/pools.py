"""Pools of pyflat's own address manager: asked for over its socket, read from its records."""

import base64
import json
from ipaddress import ip_address, ip_network

from tests.docker.client import Docker
from tests.docker.plugin import call
from tests.docker.traces import records

from dockerlab.host import Host

OWN = ("--ipam-driver", "pyflat")
SPACE = "PyflatLocal"


def automatic_pool(host: Host, *, ipv6: bool = False) -> str:
    """Ask for a pool as dockerd does where the user names no subnet; its id is in the answer."""
    answer = call(host, "IpamDriver.RequestPool", AddressSpace=SPACE, V6=ipv6)
    assert not answer.get("Error"), answer
    return str(answer["PoolID"])


def release_pool(host: Host, pool: str) -> None:
    answer = call(host, "IpamDriver.ReleasePool", PoolID=pool)
    assert not answer.get("Error"), answer


def next_pool(host: Host) -> str:
    """The subnet that the next network would have, which stays free."""
    pool = automatic_pool(host)
    release_pool(host, pool)
    return pool.partition("|")[2]


def subnets(docker: Docker, network: str) -> list[str]:
    """What Docker shows of a network, IPv4 first."""
    shown = [config["Subnet"] for config in docker.inspect("network", network)["IPAM"]["Config"]]
    return sorted(shown, key=lambda subnet: ip_network(subnet).version)


def pools(host: Host) -> set[str]:
    """The pools that are recorded as given out."""
    return {row.split()[1].partition("|")[2] for row in records(host) if row.startswith("pool ")}


def given_out(host: Host) -> set[str]:
    """The addresses that are recorded as given out, gateways among them."""
    rows = (row.split(" ", 2)[2] for row in records(host) if row.startswith("addresses "))
    return {address for row in rows for address in _taken(json.loads(row))}


def _taken(block: dict[str, str]) -> set[str]:
    subnet = ip_network(block["pool"].partition("|")[2])
    bits = int.from_bytes(base64.b64decode(block["taken"]), "little")
    numbers = (number for number in range(bits.bit_length()) if bits >> number & 1)
    return {str(ip_address(int(subnet.network_address) + number)) for number in numbers}
