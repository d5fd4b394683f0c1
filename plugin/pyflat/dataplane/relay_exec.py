"""Becomes another program that gets a listening socket by the rules of sd_listen_fds(3).

``python relay_exec.py DESCRIPTOR PROGRAM ARGUMENT…``. A process of its own because the rules
want its id in its environment. It ends with the thread that started it: a socket that outlives
the plugin would keep the port from its successor.
"""

import contextlib
import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_NOBODY = 65534
_FIRST = 3  # SD_LISTEN_FDS_START


def main(descriptor: str, program: str, *words: str) -> None:
    """Give up root's rights and run the program in this process."""
    parent = os.getppid()
    os.dup2(int(descriptor), _FIRST)
    # A plugin with few capabilities may not even give up those.
    with contextlib.suppress(PermissionError):
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    # After the change of user, which the kernel forgets it at.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    environment = {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
    os.execve(program, [program, *words], environment)


if __name__ == "__main__":
    main(*sys.argv[1:])
