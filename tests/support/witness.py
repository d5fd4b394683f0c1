"""What the host's own tools say about the kernel."""

import json
import re
import subprocess
import time
from collections.abc import Callable
from typing import Any

from pyflat.dataplane.ruleset import TABLES

#: Seconds that a mend is waited for, on a machine that may be busy; far below the minute after
#: which everything is looked at anyway.
MENDED = 10.0

_OF_THE_CARRIER = {"NO-CARRIER", "LOWER_UP", "M-DOWN"}


def run(*words: str, check: bool = True) -> str:
    """Run a program and give what it prints."""
    return subprocess.run(words, check=check, capture_output=True, text=True).stdout


def links() -> dict[str, dict[str, Any]]:
    """Give all interfaces by name as ``ip`` describes them, without what changes by itself."""
    listing = json.loads(run("ip", "-d", "-j", "link", "show"))
    for link in listing:
        del link["operstate"]
        link["flags"] = [flag for flag in link["flags"] if flag not in _OF_THE_CARRIER]
        for part in filter(lambda part: isinstance(part, dict), link.get("linkinfo", {}).values()):
            for key in [key for key in part if key.endswith("_timer")]:
                del part[key]
    return {link["ifname"]: link for link in listing}


def addresses(device: str) -> dict[str, dict[str, Any]]:
    """Give the addresses of an interface, but for link-local ones."""
    (link,) = json.loads(run("ip", "-j", "address", "show", "dev", device))
    found = (a for a in link.get("addr_info", ()) if a["scope"] != "link")
    return {f"{a['local']}/{a['prefixlen']}": a for a in found}


def tables() -> set[str]:
    """Give family and name of all nftables tables."""
    listing = json.loads(run("nft", "-j", "list", "tables"))["nftables"]
    entries = (entry["table"] for entry in listing if "table" in entry)
    return {f"{table['family']} {table['name']}" for table in entries}


def ruleset() -> list[str]:
    """Give all of nftables, in an order that does not tell when what was made."""
    listing = json.loads(run("nft", "-j", "list", "ruleset"))["nftables"]
    entries = [next(iter(entry.items())) for entry in listing if "metainfo" not in entry]
    for _, body in entries:
        body.pop("handle")
        body.get("elem", []).sort(key=json.dumps)
    entries.sort(
        key=lambda entry: (entry[1]["family"], entry[1].get("table", entry[1].get("name")))
    )
    return [json.dumps(entry, sort_keys=True) for entry in entries]


def elements(name: str, family: str = "inet") -> list[Any]:
    """Give the elements of one of our sets or maps, as ``nft`` writes them in JSON."""
    listing = json.loads(run("nft", "-j", "list", "table", *TABLES[family].split()))["nftables"]
    bodies = (entry.get("set") or entry.get("map") or {} for entry in listing)
    (body,) = (body for body in bodies if body.get("name") == name)
    found: list[Any] = body.get("elem", [])
    return found


def listing(table: str) -> dict[str, list[str]]:
    """Give the elements of all sets and maps in a table of ours, as ``nft`` writes them in text."""
    text = run("nft", "list", "table", *table.split()).replace('"', "")
    found = re.findall(r"\t(?:set|map) (\w+) {(.*?)\n\t}", text, re.DOTALL)
    bodies = ((name, re.search(r"elements = {(.*?)}", body, re.DOTALL)) for name, body in found)
    return {
        name: [" ".join(element.split()) for element in body[1].split(",")]
        for name, body in bodies
        if body
    }


def rules(program: str, chain: str) -> list[str]:
    """Give the rules of a chain, as iptables or ip6tables writes them."""
    lines = run(program, "-S", chain).splitlines()
    return [line for line in lines if line.startswith("-A")]


def eventually(holds: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Say whether something comes true in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
