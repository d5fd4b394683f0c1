"""What a reader of figures has to know of the machine and the programs they come from."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
#: The fact that is a number of seconds.
TOOK = "took"
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def machine() -> dict[str, str]:
    """Describe the machine, as it is before a run."""
    cpu = _line(Path("/proc/cpuinfo"), "model name") or platform.machine()
    memory = int(_line(Path("/proc/meminfo"), "MemTotal").split()[0]) / 2**20
    return {
        "kernel": platform.release(),
        "CPU": f"{cpu}, {os.cpu_count()} cores",
        "memory": f"{memory:.0f} GiB",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "load before": f"{os.getloadavg()[0]:.2f}",
    }


def programs() -> dict[str, str]:
    """Name the versions of pyflat, of what it depends on, and of Python."""
    required = (_NAME.match(text) for text in metadata.requires("pyflat") or () if ";" not in text)
    names = [match.group() for match in required if match]
    libraries = ", ".join(f"{name} {metadata.version(name)}" for name in names)
    return {
        "pyflat": metadata.version("pyflat"),
        "commit": commit(),
        "Python": platform.python_version(),
        "libraries": libraries,
    }


def merged(told: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Give the facts of several cases: each once, if it is the same for all; times are added."""
    found: dict[str, dict[str, None]] = {}
    for facts in told:
        for name, value in facts.items():
            found.setdefault(name, {})[value] = None
    seconds = sum(int(facts[TOOK].split()[0]) for facts in told if TOOK in facts)
    return {name: ", ".join(values) for name, values in found.items()} | {TOOK: f"{seconds} s"}


def commit() -> str:
    """Give the commit of the working tree, and a sign of what but documents differs from it."""
    try:
        name = _git("rev-parse", "--short=12", "HEAD")
        changes = _git("diff", "HEAD", "--", ".", ":!docs")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{name} with changes {sha256(changes.encode()).hexdigest()[:8]}" if changes else name


def _git(*words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(ROOT), *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def _line(path: Path, name: str) -> str:
    """Give the value of the first line `name: value` of a file, or nothing."""
    for line in path.read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""
