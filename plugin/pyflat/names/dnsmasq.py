"""One dnsmasq: it answers for one name server, in one network."""

import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from netaddr import IPAddress

from pyflat.dataplane import nobody
from pyflat.errors import BackendError

PROGRAM = Path("/usr/sbin/dnsmasq")

#: Seconds until it must answer.
PATIENCE = 3.0

_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_OPTIONS = (
    *("--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=nobody"),
    *("--log-facility=/dev/null", "--no-hosts", "--bind-interfaces"),
    # Nothing is remembered: what is new or gone is so at once.
    *("--cache-size=0", "--local-ttl=1", "--dns-forward-max=1000"),
    # A name with an IPv4 address only would have others asked for its IPv6 address, and whoever
    # waits for both would wait for them.
    "--domain-needed",
)


#: Who is asked for all other names: the host's own name servers, or nobody.
AS_HOST = ("--resolv-file=/etc/resolv.conf",)
NOBODY = ("--no-resolv", "--local=/#/")


def only(server: IPAddress) -> Sequence[str]:
    """Have one server asked for all other names."""
    return ("--no-resolv", f"--server={server}")


class Dnsmasq:
    """A process that is there until ``end``, or until the thread ends that made it.

    ``folder`` is watched for files of hosts(5); ``asking`` is who is asked for all other names.
    ``port`` is a free one if 0. Raises BackendError if it does not answer.
    """

    def __init__(self, folder: Path, address: IPAddress, port: int, asking: Sequence[str]) -> None:
        if not PROGRAM.exists():
            raise BackendError(f"{PROGRAM} is missing (Debian, Ubuntu: apt install dnsmasq-base)")
        self.port = port or _free_port(address)
        place = (f"--listen-address={address}", f"--port={self.port}")
        words = (str(PROGRAM), *_OPTIONS, f"--hostsdir={folder}", *place, *asking)
        self._process = subprocess.Popen(nobody.command(None, *words), stdin=subprocess.DEVNULL)
        if not self._answers(address):
            self.end()
            raise BackendError(f"dnsmasq does not listen on {address}")

    @property
    def is_alive(self) -> bool:
        """Say whether it still runs."""
        return self._process.poll() is None

    def end(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()

    def _answers(self, address: IPAddress) -> bool:
        deadline = time.monotonic() + PATIENCE
        while self.is_alive and time.monotonic() < deadline:
            try:
                socket.create_connection((str(address), self.port), timeout=PATIENCE).close()
            except OSError:
                time.sleep(0.01)
            else:
                return True
        return False


def _free_port(address: IPAddress) -> int:
    with socket.create_server((str(address), 0), family=_FAMILIES[address.version]) as probe:
        port: int = probe.getsockname()[1]
        return port
