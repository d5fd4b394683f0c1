"""Rules of the legacy iptables, which tell of no packet: what they count has to do."""

import re
import shutil
import subprocess
from pathlib import Path

from pyflat.errors import BackendError

_PROGRAMS = {4: "iptables-legacy-save", 6: "ip6tables-legacy-save"}
_NAMES = {4: Path("/proc/net/ip_tables_names"), 6: Path("/proc/net/ip6_tables_names")}
_COUNTED = re.compile(r"^\[(\d+):\d+\] (.*)$|^:(\S+ (?:DROP)) \[(\d+):\d+\]$")
_PATIENCE = 10


def dropped(version: int) -> dict[str, int]:
    """Give what each dropping rule and policy of a family has counted, by ``table: rule``.

    Nothing is asked where the legacy variant has no tables, as asking would make some. Raises
    BackendError.
    """
    names = _NAMES[version]
    if not names.exists() or not names.read_text().strip():
        return {}
    if not shutil.which(_PROGRAMS[version]):
        raise BackendError(f"{_PROGRAMS[version]} is missing: its rules cannot be followed")
    words = (_PROGRAMS[version], "--counters")
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=_PATIENCE)
    return read_counters(done.stdout)


def read_counters(text: str) -> dict[str, int]:
    """Read what ``iptables-save --counters`` writes. Pure."""
    found, table = {}, ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif counted := _COUNTED.match(line):
            packets, rule, policy, count = counted.groups()
            if policy:
                chain, _ = policy.split()
                found[f"{table}: the policy of {chain}, DROP"] = int(count)
            elif rule.endswith("-j DROP") or "-j REJECT" in rule:
                found[f"{table}: {rule}"] = int(packets)
    return found


def risen(before: dict[str, int], after: dict[str, int]) -> list[str]:
    """Give what has counted more. Pure."""
    return [name for name, count in after.items() if count > before.get(name, 0)]
