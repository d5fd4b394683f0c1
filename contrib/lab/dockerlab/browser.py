"""A real browser in the network of a machine; needs Playwright, and installs Chromium."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, sync_playwright

from dockerlab import namespaces, packages
from dockerlab.machine import Machine

PACKAGES = ("chromium", "fonts-dejavu-core")
_PROGRAM = "/usr/bin/chromium"


@contextmanager
def chromium(machine: Machine | None = None) -> Iterator[Browser]:
    """Start one without a window, on a machine of a lab or in this thread's own namespace."""
    packages.ensure(PACKAGES)
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        program = Path(folder, "chromium")
        words = namespaces.enter(machine.netns) if machine else []
        program.write_text(f'#!/bin/sh\nexec {shlex.join([*words, _PROGRAM])} "$@"\n')
        program.chmod(0o755)
        # Its sandbox is not for root.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()
