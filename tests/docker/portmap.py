"""Published ports as pyflat's firewall has them, which is where a user finds chosen ones."""

import json
from collections.abc import Iterator
from typing import Any

from dockerlab.host import Host


def published(host: Host, version: int = 4) -> dict[str, str]:
    """What stands behind each port of every address, as {"tcp 8080": "10.90.0.2 80"}."""
    return dict(_mappings(host, "any", version))


def published_on_one(host: Host, version: int = 4) -> dict[str, str]:
    """What stands behind each port of one address: {"tcp 127.0.0.1 8080": "10.90.0.2 80"}."""
    return dict(_mappings(host, "", version))


def ports_to(host: Host, target: str, version: int = 4) -> list[int]:
    """The ports of the host that lead to "ADDRESS PORT"."""
    found = published(host, version)
    return sorted(int(port.split()[1]) for port, inner in found.items() if inner == target)


def _mappings(host: Host, kind: str, version: int) -> Iterator[tuple[str, str]]:
    for key, data in _elements(host, f"{kind}port{version}"):
        yield " ".join(map(str, key["concat"])), " ".join(map(str, data["concat"]))
    for key, address in _elements(host, f"{kind}span{version}"):
        # The ports of a span keep their numbers.
        *words, ports = key["concat"]
        first, last = ports["range"]
        for port in range(first, last + 1):
            yield " ".join((*words, str(port))), f"{address} {port}"


def _elements(host: Host, name: str) -> Any:
    words = ("list", "map", "inet", "pyflat", name)
    listing = json.loads(host.run("nft", "-j", *words, check=True).stdout)
    (found,) = (entry["map"] for entry in listing["nftables"] if "map" in entry)
    return found.get("elem", ())
