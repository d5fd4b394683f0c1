"""The process: checks that end in one clear line, then gunicorn with one worker."""

import contextlib
import ctypes
import errno
import gc
import logging
import os
import resource
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from gunicorn.systemd import listen_fds, sd_notify

from pyflat import __version__, counts, logs
from pyflat.deadline import LIMIT, THREADS, Worker
from pyflat.errors import PyflatError, StartupError
from pyflat.folder import CHECK, alone, note_alive, note_end
from pyflat.settings import Settings
from pyflat.support import unsupported

if TYPE_CHECKING:
    from flask import Flask

log = logging.getLogger("pyflat")

_CAP_NET_ADMIN = 12  # linux/capability.h
_M_ARENA_MAX = -8  # malloc.h
#: State is a hundred thousand objects without cycles, which the collector would go through each
#: time that a tenth more come: half the time of taking up ten thousand remote endpoints.
COLLECTIONS = 5_000, 20, 50
_APP_LOAD_ERROR = 4  # gunicorn.arbiter: the master ends too, with this status
_ECHOES = {"Worker (pid:%s) exited with code %s.", "Shutting down: %s", "Reason: %s"}


def serve(settings: Settings) -> None:
    """Run the plugin until a signal ends it. Raises StartupError if it cannot run here."""
    logs.set_up(settings.log_level, settings.log_format)
    logging.getLogger("gunicorn.error").addFilter(_says_more)
    _check_rights()
    _take_descriptors()
    if found := list(unsupported(settings.sysctl_root)):
        log.warning("not supported: %s", "; ".join(found))
    with alone(settings.state_dir):
        if not _has_socket():
            _clear_socket(settings.socket)
        # The collector would write to what the worker shares with this process, and so copy it.
        gc.freeze()
        _Server(settings).run()


class _Server(BaseApplication):  # type: ignore[misc]  # gunicorn publishes no types
    """gunicorn, told in code what to do: no configuration file, no command line of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # gunicorn's master would say that it is ready before the worker is.
        self._notify_socket = os.environ.pop("NOTIFY_SOCKET", None)
        super().__init__()

    def load_config(self) -> None:
        """Set what differs from gunicorn's defaults."""
        values: dict[str, Any] = {
            "bind": f"unix:{self._settings.socket}",
            "umask": 0o077,
            "workers": 1,  # one process owns State
            "worker_class": Worker,
            "threads": THREADS,
            # Of a main thread that stands still; the threads have their own limit, the same one.
            "timeout": int(LIMIT),
            # An idle connection that we close could meet a request of dockerd's, which it would
            # send again without its body: so no connection is ever idle.
            "keepalive": 0,
            "graceful_timeout": 5,
            "control_socket_disable": True,
            "loglevel": "warning",
            "logger_class": _Logger,
            "post_worker_init": self._ready,
            "worker_exit": self._end,
        }
        for name, value in values.items():
            self.cfg.set(name, value)

    def load(self) -> "Flask":
        """Make the application, in the worker."""
        _share_heap()
        gc.set_threshold(*COLLECTIONS)
        # Imported here, so that the master stays small.
        from pyflat.app import create_app

        try:
            return create_app(self._settings)
        except PyflatError as error:
            log.critical("%s", error)
            sys.exit(_APP_LOAD_ERROR)

    def _ready(self, worker: Any) -> None:
        counts.STARTS.add()
        (listener,) = worker.sockets
        log.info("pyflat %s listens on %s", __version__, listener.getsockname())
        if self._notify_socket is not None:
            os.environ["NOTIFY_SOCKET"] = self._notify_socket
        sd_notify("READY=1", log)
        deadline = worker.app.callable.wsgi_app
        deadline.watch(self._alive, _interval())

    def _end(self, _: object, worker: Any) -> None:
        if worker.app.callable is not None:
            worker.app.callable.extensions["pyflat-ends"].close()
            note_end(self._settings.state_dir)

    def _alive(self) -> None:
        note_alive(self._settings.state_dir)
        sd_notify("WATCHDOG=1", log)


class _Logger(Logger):  # type: ignore[misc]  # gunicorn publishes no types
    """gunicorn's log, which is written as ours is."""

    def setup(self, cfg: Any) -> None:
        """Take gunicorn's own handler away."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


def _share_heap() -> None:
    """Have all threads of this process allocate from one heap.

    glibc would give each of the first threads a heap of its own, which keeps the most that the
    thread ever needed. Only one of them runs Python at a time anyway.
    """
    with contextlib.suppress(AttributeError):  # another C library has no such function
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def _has_socket() -> bool:
    """Say whether systemd has made the socket, and removes it (sd_listen_fds(3))."""
    return bool(listen_fds(unset_environment=False))


def _interval() -> float:
    """Give the seconds between two signs of life: half of what systemd waits for."""
    limit = int(os.environ.get("WATCHDOG_USEC", 0)) / 1e6
    return min(limit / 2 or CHECK, CHECK)


def _says_more(record: logging.LogRecord) -> bool:
    """Drop what gunicorn adds to the line in which a worker has said why it cannot run."""
    return record.msg not in _ECHOES


def _take_descriptors() -> None:
    """Have as many as are allowed; each published port is one, and the usual limit is low."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _check_rights() -> None:
    status = Path("/proc/self/status").read_text()
    effective = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    if not int(effective.split()[1], 16) >> _CAP_NET_ADMIN & 1:
        raise StartupError("pyflat needs CAP_NET_ADMIN to make networks; run it as root")


def _clear_socket(path: Path) -> None:
    """Make the socket's folder, and see that nothing keeps a socket from being made there.

    A socket that a killed predecessor left is removed.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_dead(path)
        # gunicorn would try it five times and complain in as many lines.
        with socket.socket(socket.AF_UNIX) as probe:
            probe.bind(str(path))
        path.unlink()
    except OSError as error:
        raise StartupError(f"socket {path}: {error.strerror or error}") from error


def _remove_dead(path: Path) -> None:
    if not path.exists():
        return
    if not path.is_socket():
        raise StartupError(f"{path} exists and is not a socket")
    with socket.socket(socket.AF_UNIX) as probe:
        # A server that is too busy to answer at once is one all the same.
        probe.setblocking(False)
        if probe.connect_ex(str(path)) != errno.ECONNREFUSED:
            raise StartupError(f"another plugin answers on {path}")
    path.unlink()
