"""How much of the traffic that exists is lost while something happens, and for how long."""

import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from tests.docker.flow import INTERVAL
from tests.docker.reach import Place

from dockerlab.processes import wait_until

FLOW = (sys.executable, str(Path(__file__).with_name("flow.py")))
_ANSWER = re.compile(r"\[(\d+\.\d+)\] .*?seq=(\d+)")
_SENT = re.compile(r"(\d+) packets transmitted")
#: Packets at the end whose answers may be under way when ping ends.
_UNDER_WAY = 40


@dataclass(frozen=True, slots=True)
class Loss:
    """What became of a flow: packets, and the longest time without one, in ms."""

    sent: int
    lost: int
    longest: int

    def __str__(self) -> str:
        return f"{self.lost} of {self.sent}" + (f", {self.longest} ms" if self.lost else "")


def loss(output: str) -> Loss:
    """Read what ping (with -D) or the program flow has said."""
    answers = sorted({int(number): float(when) for when, number in _ANSWER.findall(output)}.items())
    (sent,) = map(int, _SENT.findall(output))
    assert answers, f"no packet of {sent} was answered"
    last = answers[-1][0]
    silent = sent - last if sent - last > _UNDER_WAY else 0
    gaps = [after[1] - before[1] for before, after in pairwise(answers) if after[0] > before[0] + 1]
    longest = max([*gaps, silent * INTERVAL]) * 1000
    return Loss(sent, last - answers[0][0] + 1 - len(answers) + silent, round(longest))


@dataclass(slots=True)
class Flow:
    """A flow of packets that goes on; its loss is known when it has ended."""

    lines: Path
    result: Loss | None = field(default=None)

    @property
    def loss(self) -> Loss:
        assert self.result is not None, "the flow goes on"
        return self.result


@contextmanager
def flow(place: Place, *words: str) -> Iterator[Flow]:
    """A command of ping or flow that sends for as long as the context lasts."""
    with tempfile.TemporaryDirectory() as folder:
        found = Flow(Path(folder) / "lines")
        sender = place.popen("sh", "-c", 'exec "$@" >"$0"', str(found.lines), *words)
        with _ended(sender, signal.SIGINT):
            yield found
        found.result = loss(found.lines.read_text())


@contextmanager
def pinging(place: Place, address: str) -> Iterator[Flow]:
    """A ping every 5 ms."""
    with flow(place, "ping", "-n", "-D", f"-i{INTERVAL}", address) as found:
        yield found


@contextmanager
def asking(place: Place, address: str, port: int) -> Iterator[Flow]:
    """A packet of UDP every 5 ms."""
    with flow(place, *FLOW, "send", address, str(port)) as found:
        yield found


@contextmanager
def echoing(place: Place, port: int) -> Iterator[None]:
    """What comes to a UDP port is sent back."""
    with _ended(place.popen(*FLOW, "echo", str(port)), signal.SIGKILL):
        listens = ("ss", "-Hlun", f"sport = {port}")
        assert wait_until(lambda: bool(place.run(*listens).stdout), 10), f"no echo on {port}"
        yield


@contextmanager
def _ended(process: subprocess.Popen[str], number: signal.Signals) -> Iterator[None]:
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(number)
        process.communicate(timeout=30)


@dataclass(frozen=True, slots=True)
class Outage:
    """One case on one engine; `seconds` until everything worked again."""

    engine: str
    case: str
    inside: str
    outside: str
    seconds: float


COLUMNS = ("engine", "case", "lost between containers", "lost from outside", "all works after")


def table(outages: Sequence[Outage]) -> str:
    """In Markdown."""
    rows = [COLUMNS, tuple("---" for _ in COLUMNS)]
    rows += [(o.engine, o.case, o.inside, o.outside, f"{o.seconds:.1f} s") for o in outages]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
