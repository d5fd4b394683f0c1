"""One rule in Docker's DOCKER-USER chain, for each family.

An accept of our own rules cannot beat a drop of Docker's FORWARD policy. So our rules mark the
packets they accept, and this rule, the same for all networks, lets through what bears the mark.
The chain is made early if dockerd has not made it yet; every engine keeps one that it finds.
"""

import logging
import shutil
import subprocess
from collections.abc import Sequence

from pyflat.dataplane.objects import DockerAccept
from pyflat.errors import BackendError

log = logging.getLogger(__name__)

_PROGRAMS = {"ip": "iptables", "ip6": "ip6tables"}
_CHAIN = "DOCKER-USER"


class DockerUser:
    """The rule, by the iptables program that dockerd itself uses; run at starts and repairs only.

    Where the program is missing there is no FORWARD policy of Docker's to get past.
    """

    def __init__(self, mark: int) -> None:
        word = f"{mark:#x}/{mark:#x}"
        self._rule = ("-m", "mark", "--mark", word, "-j", "ACCEPT")

    def add(self, item: DockerAccept) -> None:
        """Make the rule the first of the chain, and the only one of its kind."""
        if not self._program(item):
            log.info("%s is not installed: Docker's rules are left alone", _PROGRAMS[item.family])
            return
        self._run(item, "-N", _CHAIN)
        self.delete(item)
        done = self._run(item, "-I", _CHAIN, "1", *self._rule)
        if done.returncode:
            raise BackendError(f"{_PROGRAMS[item.family]}: {done.stderr.strip()}")

    def delete(self, item: DockerAccept) -> None:
        """Remove every copy of the rule."""
        while self._run(item, "-D", _CHAIN, *self._rule).returncode == 0:
            pass

    def observe(self) -> set[DockerAccept]:
        """Give the families whose chain begins with the rule."""
        return {item for item in map(_accept, _PROGRAMS) if self._stands(item)}

    def _stands(self, item: DockerAccept) -> bool:
        if not self._program(item):
            return True
        first = self._run(item, "-S", _CHAIN, "1").stdout.split()
        return first == ["-A", _CHAIN, *self._rule]

    def _program(self, item: DockerAccept) -> str | None:
        return shutil.which(_PROGRAMS[item.family])

    def _run(self, item: DockerAccept, *words: str) -> subprocess.CompletedProcess[str]:
        command: Sequence[str] = (_PROGRAMS[item.family], "-w", "2", *words)
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)


def _accept(family: str) -> DockerAccept:
    return DockerAccept(family=family)
