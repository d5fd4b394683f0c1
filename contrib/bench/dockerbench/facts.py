"""What a reader of figures has to know of the machine and the programs they come from."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def machine() -> dict[str, str]:
    """Describe the machine, as it is before a run."""
    cpu = _line(Path("/proc/cpuinfo"), "model name") or platform.machine()
    memory = int(_line(Path("/proc/meminfo"), "MemTotal").split()[0]) / 2**20
    return {
        "kernel": platform.release(),
        "CPU": f"{cpu}, {os.cpu_count()} cores",
        "memory": f"{memory:.0f} GiB",
        "load before": f"{os.getloadavg()[0]:.2f}",
    }


def programs() -> dict[str, str]:
    """Name the versions of pyflat, of what it depends on, and of Python."""
    required = (_NAME.match(text) for text in metadata.requires("pyflat") or () if ";" not in text)
    names = ["pyflat", *(match.group() for match in required if match)]
    versions = {name: metadata.version(name) for name in names}
    return {"Python": platform.python_version(), **versions, "commit": _commit()}


def _commit() -> str:
    """Give the commit of the working tree, and whether the plugin differs from it."""
    try:
        commit = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--", "plugin")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{commit} with changes" if changed else commit


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
