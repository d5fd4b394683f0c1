"""What passes an interface, as tcpdump writes it."""

import re
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.docker.reach import Place


@dataclass(slots=True)
class Capture:
    """Packets, a line for each; they are known when the context has ended."""

    lines: list[str] = field(default_factory=list)

    def of(self, *words: str) -> list[str]:
        """Those whose line has one of the words."""
        return [line for line in self.lines if any(word in line for word in words)]


@contextmanager
def captured(place: Place, device: str, *wanted: str) -> Iterator[Capture]:
    """What passes a device in either direction for as long as the context lasts.

    ``wanted`` are tcpdump's words for what is to be shown; a VXLAN packet has two lines, the
    second for the frame that it carries.
    """
    words = ("tcpdump", "-nn", "-l", "-e", "-T", "vxlan", "-i", device, *wanted)
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "lines"
        process = place.popen("sh", "-c", 'exec "$@" >"$0"', str(lines), *words)
        assert process.stderr is not None
        said = next((line for line in process.stderr if "listening" in line), "")
        assert said, f"tcpdump does not listen on {device}"
        capture = Capture()
        try:
            yield capture
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)
            capture.lines = lines.read_text().splitlines()


def sent(capture: Capture) -> set[tuple[str, str]]:
    """From where to where packets of a tunnel have gone."""
    lines = capture.of("VXLAN, flags [I] (0x08), vni ")
    ends = (re.search(r" (\S+)\.\d+ > (\S+)\.\d+: ", line) for line in lines)
    return {(found[1], found[2]) for found in ends if found}
