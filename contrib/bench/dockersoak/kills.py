"""Kills daemons at random moments, and starts them again as a supervisor would."""

from __future__ import annotations

import os
import random
import signal
import threading
from contextlib import suppress

from dockerbench.process import answers
from dockerlab import LabError
from dockerlab.host import Host
from dockerlab.processes import Process, family, wait_until
from dockersoak.journal import Journal
from dockersoak.residue import PLUGIN_SOCKET

#: Who is killed, as often as it stands here.
WHO = ("pyflat", "pyflat", "worker", "worker", "master", "dockerd")
#: Seconds until what was killed answers again.
PATIENCE = 60.0


class Killer:
    """Kills on one host, again and again."""

    def __init__(self, host: Host, journal: Journal, chance: random.Random) -> None:
        self._host = host
        self._journal = journal
        self._chance = chance

    def run(self, per_minute: float, until: threading.Event) -> None:
        """Kill so often on average. LabError if what was killed does not come back."""
        while per_minute and not until.wait(self._chance.expovariate(per_minute / 60)):
            who = self._chance.choice(WHO)
            with self._journal.outage(who):
                if who == "dockerd":
                    self._host.dockerd.kill()
                    self._host.dockerd.start()
                else:
                    self._kill_plugin(who)

    def _kill_plugin(self, who: str) -> None:
        pyflat = self._host.pyflat
        master, *workers = family(pyflat.pid)
        processes = [process for pid in workers if (process := Process.of(pid))]
        for pid in {"pyflat": (master, *workers), "worker": workers, "master": [master]}[who]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        # A worker without a master lives on for a moment, and still answers.
        if not wait_until(lambda: not any(process.alive for process in processes), PATIENCE):
            raise LabError("a worker outlives its master")
        if who != "worker":
            pyflat.kill()  # waits until it is gone
            pyflat.start()
        path = self._host.path(PLUGIN_SOCKET)
        if not wait_until(lambda: answers(path), PATIENCE):
            raise LabError(f"{pyflat} does not answer any more: {pyflat.log_end()}")
