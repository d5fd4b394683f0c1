"""Where a lab keeps its things, and the two knobs of the environment."""

from __future__ import annotations

import os
from pathlib import Path

# Unix socket paths end at 108 bytes, so labs live near the root.
LABS = Path("/var/lib/pyflat-lab")
REPOSITORY = Path(__file__).resolve().parents[3]


def cache() -> Path:
    """The folder of fetched engines and made images (PYFLAT_LAB_CACHE)."""
    return Path(os.environ.get("PYFLAT_LAB_CACHE", "/var/cache/pyflat-lab"))


def mirror() -> str | None:
    """A Debian mirror that replaces the machine's own (PYFLAT_LAB_MIRROR)."""
    return os.environ.get("PYFLAT_LAB_MIRROR")
