"""Wires the parts together: settings → store → engine → HTTP. Nothing imports this module."""

import fcntl
from pathlib import Path
from typing import IO

from flask import Flask

from pyflat.api.http import create_http
from pyflat.dataplane.linux import LinuxKernel
from pyflat.dataplane.watch import Watch
from pyflat.engine import Engine
from pyflat.report.http import add_reports
from pyflat.settings import Settings
from pyflat.store.sqlite import SqliteStore


def create_app(settings: Settings) -> Flask:
    """Make the application, with State recovered and the kernel equal to it.

    Takes the state folder for this process alone first, waiting for a predecessor to end: a
    worker that is replaced and its successor never overlap. Raises PyflatError.
    """
    lock = _lock_folder(settings.state_dir)
    kernel = LinuxKernel(
        mark=settings.mark, sysctl_root=settings.sysctl_root, uplinks=settings.uplinks
    )
    engine = Engine(SqliteStore(settings.state_dir), kernel)
    watch = Watch(engine)
    engine.start()
    watch.start()
    app = create_http(engine, settings.pools)
    add_reports(app, engine)
    app.extensions["pyflat"] = engine
    app.extensions["pyflat-lock"] = lock  # open as long as the process: its end unlocks it
    return app


def _lock_folder(folder: Path) -> IO[str]:
    lock = (folder / "worker.lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock
