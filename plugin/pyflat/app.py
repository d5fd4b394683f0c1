"""Wires the parts together: settings → store → engine → HTTP. Nothing imports this module."""

import logging
import time
from contextlib import ExitStack
from pathlib import Path

from flask import Flask

from pyflat import docker_api
from pyflat.api.http import create_http
from pyflat.dataplane.linux import LinuxKernel
from pyflat.dataplane.objects import Bridge
from pyflat.dataplane.overlay_objects import Gateway
from pyflat.dataplane.watch import Watch
from pyflat.deadline import LIMIT, Deadline
from pyflat.engine import Engine
from pyflat.errors import StartupError
from pyflat.folder import alone, last_alive, lock_for_worker
from pyflat.model import Network
from pyflat.names.learn import Learning
from pyflat.names.serve import Answering
from pyflat.rebuild import rebuild
from pyflat.report.http import add_reports
from pyflat.settings import Settings
from pyflat.site import Site
from pyflat.state import State
from pyflat.store.sqlite import SqliteStore

log = logging.getLogger(__name__)

_LATE = (
    "Docker was started before pyflat: containers of its networks could not be started; "
    "docker start them, and see that pyflat is there first (pyflat install-service)"
)


def create_app(settings: Settings) -> Flask:
    """Make the application, with State recovered and the kernel equal to it.

    Takes the state folder for this process alone first, waiting for a predecessor to end: a
    worker that is replaced and its successor never overlap. Raises PyflatError.
    """
    lock = lock_for_worker(settings.state_dir)
    kernel = _kernel(settings)
    bare = not any(isinstance(item, Bridge | Gateway) for item in kernel.remains())
    if not bare and not SqliteStore.exists(settings.state_dir):
        raise StartupError(
            f"state {settings.state_dir}: nothing is there, but this host has networks of pyflat; "
            "pyflat rebuild asks Docker for what is lost"
        )
    engine = Engine(SqliteStore(settings.state_dir), kernel)
    watch = Watch(engine)
    kernel.follow_inside(watch.add)
    engine.start()
    # Where nothing of ours is in the kernel, it was not there since the boot.
    away = 0.0 if bare else last_alive(settings.state_dir)
    if any(engine.state.all(Network)) and docker_api.started() > away:
        log.warning("%s", _LATE)
    watch.start()
    answering = Answering(engine)
    answering.start()
    Learning(engine).start()
    app = create_http(engine, settings.pools)
    add_reports(app, engine)
    app.wsgi_app = Deadline(app.wsgi_app, LIMIT)  # type: ignore[method-assign]
    ends = app.extensions["pyflat-ends"] = ExitStack()
    ends.callback(engine.stop)
    ends.callback(answering.end)
    app.extensions["pyflat-lock"] = lock  # open as long as the process: its end unlocks it
    return app


def rebuild_state(settings: Settings, driver: str) -> State:
    """Replace the stored State by what Docker and the kernel know; give it.

    The old one is kept under another name. Raises PyflatError, also if the plugin runs.
    """
    with alone(settings.state_dir):
        kernel = _kernel(settings)
        state = rebuild(
            docker_api.networks_of(driver),
            docker_api.running_containers(),
            kernel.remains(),
            driver=driver,
            now=time.time(),
            site=Site(kernel),
        )
        kernel.close()
        SqliteStore.set_aside(settings.state_dir, time.strftime("%Y%m%d-%H%M%S"))
        store = SqliteStore(settings.state_dir)
        store.commit({key: state.lookup(key) for key in state.touched})
        store.close()
    return state


def _kernel(settings: Settings) -> LinuxKernel:
    return LinuxKernel(
        mark=settings.mark,
        sysctl_root=settings.sysctl_root,
        namespace=Path(settings.namespace) if settings.namespace else None,
        uplinks=settings.uplinks,
    )
