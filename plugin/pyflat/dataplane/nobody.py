"""Becomes another program, without root's rights and for as long as the plugin lives.

``python nobody.py DESCRIPTOR PROGRAM ARGUMENT…``. DESCRIPTOR is "" or that of a listening socket,
which the program gets by the rules of sd_listen_fds(3). A process of its own because these want
its id in its environment, and because it ends with the thread that started it: a socket that
outlives the plugin would keep the port from its successor.
"""

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_NOBODY = 65534
_FIRST = 3  # SD_LISTEN_FDS_START


def command(descriptor: int | None, program: str, *words: str) -> Sequence[str]:
    """Give the words that start a program so, from a thread that lives as long as it may."""
    own = (sys.executable, "-I", "-S", __file__)
    return (*own, "" if descriptor is None else str(descriptor), program, *words)


def main(descriptor: str, program: str, *words: str) -> None:
    """Give up root's rights and run the program in this process."""
    parent = os.getppid()
    environment = {}
    if descriptor:
        os.dup2(int(descriptor), _FIRST)
        environment = {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
    # A plugin with few capabilities may not even give up those.
    with contextlib.suppress(PermissionError):
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    # After the change of user, which the kernel forgets it at.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    os.execve(program, [program, *words], environment)


if __name__ == "__main__":
    main(*sys.argv[1:])
