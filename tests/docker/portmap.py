"""Published ports as pyflat's firewall has them, which is where a user finds chosen ones."""

import json

from dockerlab.host import Host


def published(host: Host, version: int = 4) -> dict[str, str]:
    """What stands behind each port of every address, as {"tcp 8080": "10.90.0.2 80"}."""
    words = ("list", "map", "inet", "pyflat", f"anyport{version}")
    listing = json.loads(host.run("nft", "-j", *words, check=True).stdout)
    (found,) = (entry["map"] for entry in listing["nftables"] if "map" in entry)
    return {_words(key): _words(data) for key, data in found.get("elem", ())}


def _words(concatenation: dict[str, list[str | int]]) -> str:
    return " ".join(map(str, concatenation["concat"]))


def ports_to(host: Host, target: str, version: int = 4) -> list[int]:
    """The ports of the host that lead to "ADDRESS PORT"."""
    found = published(host, version)
    return sorted(int(port.split()[1]) for port, inner in found.items() if inner == target)
