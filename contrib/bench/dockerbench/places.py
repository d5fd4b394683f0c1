"""Where packets come from and go to: namespaces of a lab, and what is measured between two."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dockerlab import LabError
from dockerlab.machine import Machine

ECHO = Path(__file__).with_name("echo.py")

#: Debian packages that a measurement needs.
PACKAGES = ("iperf3", "util-linux")

#: The processor of a server and its client: on two, a round trip takes 8 us or 80, by chance.
ONE = "1"
#: The processors of the two ends of a stream.
SENDER, RECEIVER = "1", "0"


@dataclass(frozen=True, slots=True)
class Place:
    """A network namespace, in which the machine's own programs run."""

    machine: Machine
    container: int | None = None
    """A process of the container, None for the machine itself."""

    def run(self, cpu: str, *words: str) -> str:
        """Run a program on one processor, and give what it wrote. Raises CommandError."""
        return self.machine.run(*self._enter(), *_pinned(cpu, words), check=True).stdout

    def start(self, cpu: str, *words: str, ready: str) -> subprocess.Popen[str]:
        """Start a program on one processor; returns when it has written a line with `ready`.

        It ends with the lab at the latest. Raises LabError if it ends before.
        """
        process = self.machine.popen(*self._enter(), *_pinned(cpu, words))
        assert process.stdout is not None
        for line in process.stdout:
            if ready in line:
                return process
        raise LabError(f"{words[0]} has ended: {process.communicate()[1].strip()}")

    def _enter(self) -> tuple[str, ...]:
        if self.container is None:
            return ()
        return ("nsenter", "--target", str(self.container), "--net", "--")


def _pinned(cpu: str, words: tuple[str, ...]) -> tuple[str, ...]:
    return ("taskset", "--cpu-list", cpu, *words)


def serve(place: Place, port: int) -> None:
    """Answer at this port until the lab is taken away."""
    place.start(ONE, sys.executable, "-I", str(ECHO), "serve", str(port), ready="ready")


def rate(place: Place, target: tuple[str, int], what: str, milliseconds: int) -> float:
    """Give how many "trips" or "connects" (see `echo`) a client makes in a second."""
    address, port = target
    words = (what, address, str(port), str(milliseconds))
    return float(place.run(ONE, sys.executable, "-I", str(ECHO), *words))


def stream(client: Place, server: Place, address: str) -> float:
    """Give the Gbit/s that one TCP stream of a second carries from the client to the server."""
    once = ("iperf3", "--server", "--one-off", "--forceflush")
    receiver = server.start(RECEIVER, *once, ready="listening")
    try:
        said = client.run(SENDER, "iperf3", "--client", address, "--time", "1", "--json")
    finally:
        receiver.kill()
        receiver.communicate()
    return received(json.loads(said))


def received(report: Any) -> float:
    """Read from a report of iperf3 what came to the receiver, in Gbit/s."""
    return float(report["end"]["sum_received"]["bits_per_second"]) / 1e9
