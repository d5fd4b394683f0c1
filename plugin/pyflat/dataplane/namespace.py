"""The network namespace of pyflat's own, which bridges may lie in.

No netfilter hook of the host sees what is bridged there: that is a third more round trips
through a tunnel. It hangs on a path, as ``ip netns`` has it, and so outlives the process.
"""

import ctypes
import fcntl
import os
import socket
import struct
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from pyroute2 import netns

from pyflat.errors import BackendError

P = ParamSpec("P")
T = TypeVar("T")

_CAP_SYS_ADMIN = 21  # linux/capability.h: to make and to enter a namespace

_CLONE_NEWNET = 0x40000000  # linux/sched.h
_libc = ctypes.CDLL(None, use_errno=True)

_SIOCGIFNAME = 0x8910  # linux/sockios.h
_NAME_OF = struct.Struct("16si20x")  # struct ifreq

#: Below ``/proc/sys/net``: frames stay out of the hooks, and bridges without addresses (they have
#: IPv6 all the same, or would have no neighbours to answer for).
_SWITCHES = {
    "bridge/bridge-nf-call-iptables": "0",
    "bridge/bridge-nf-call-ip6tables": "0",
    "bridge/bridge-nf-call-arptables": "0",
    "ipv6/conf/default/accept_ra": "0",
    "ipv6/conf/default/addr_gen_mode": "1",
}


def may_enter(path: Path) -> bool:
    """Say whether this process may enter the namespace of a path, and make it if need be.

    In a service that sees the file system as read-only, what it mounted would end with it.
    """
    if not os.path.ismount(path) and not os.access(_existing(path.parent), os.W_OK):
        return False
    status = Path("/proc/self/status").read_text()
    effective = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(effective.split()[1], 16) >> _CAP_SYS_ADMIN & 1)


class Home:
    """The namespace of the thread that makes this object; ``fd`` is a descriptor of it."""

    def __init__(self) -> None:
        self.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        # A socket stays in the namespace that it was made in, whoever uses it.
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def name_of(self, index: int) -> str:
        """Give the name of an interface there; "" if there is none."""
        try:
            answer = fcntl.ioctl(self._socket, _SIOCGIFNAME, _NAME_OF.pack(b"", index))
        except OSError:
            return ""
        name: bytes = _NAME_OF.unpack(answer)[0]
        return name.rstrip(b"\0").decode()

    def close(self) -> None:
        """Let go of it."""
        os.close(self.fd)
        self._socket.close()


class Namespace:
    """A thread that lives in the namespace of a path, which is made if there is none.

    ``fd`` is a descriptor of the namespace, ``home`` that of the process. Raises BackendError.
    """

    def __init__(self, path: Path, sysctl_root: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, "inside")
        try:
            if not os.path.ismount(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                netns.create(str(path))
            if not os.path.ismount(path):
                raise BackendError(f"namespace {path}: it cannot be made")
            self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            self.home = Home()
            self.run(netns.setns, self.fd)
            self.run(_switch, sysctl_root)
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise BackendError(f"namespace {path}: {reason}") from error

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in the namespace and give what it gives, or raise what it raises.

        The sockets and threads that it makes stay in the namespace.
        """
        return self._thread.submit(function, *args, **kwargs).result()

    def hangs(self) -> bool:
        """Say whether it still hangs on its path; else it would end with this process."""
        try:
            return os.path.samestat(self._path.stat(), os.fstat(self.fd))
        except FileNotFoundError:
            return False

    def hang(self) -> None:
        """Put it back on its path. Raises BackendError, with what helps."""
        thread = self.run(threading.get_native_id)
        try:
            if os.path.ismount(self._path) or not may_enter(self._path):
                raise PermissionError
            self._path.unlink(missing_ok=True)
            netns.attach(str(self._path), thread)
        except OSError as error:
            raise BackendError(
                f"namespace {self._path} was taken from its path: what is in it ends with pyflat; "
                f"free the path, and: ip netns attach {self._path.name} {thread}"
            ) from error

    def close(self) -> None:
        """Leave the namespace; it stays, with what is in it."""
        self._thread.shutdown()
        os.close(self.fd)
        self.home.close()


def visit(path: Path, function: Callable[[], T]) -> T:
    """Call a function in the namespace of a path, in a thread of its own; give what it gives.

    Raises OSError if there is no such namespace, or this process may not enter it.
    """

    def call() -> T:
        with path.open() as there:
            netns.setns(there.fileno())
        return function()

    with ThreadPoolExecutor(1, "visit") as thread:
        return thread.submit(call).result()


def visit_fresh(function: Callable[[], T]) -> T:
    """Call a function in a new namespace, which ends with the call; give what it gives.

    Raises OSError if this process may not make one.
    """

    def call() -> T:
        if _libc.unshare(_CLONE_NEWNET):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return function()

    with ThreadPoolExecutor(1, "visit") as thread:
        return thread.submit(call).result()


def _existing(folder: Path) -> Path:
    return next(each for each in (folder, *folder.parents) if each.exists())


def _switch(root: Path) -> None:
    for path, value in _SWITCHES.items():
        if (root / path).exists():
            (root / path).write_text(value)
