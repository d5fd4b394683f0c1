"""One rule in Docker's DOCKER-USER chain, for each family.

An accept of our own rules cannot beat a drop of Docker's FORWARD policy. So our rules mark the
packets they accept, and this rule, the same for all networks, lets through what bears the mark.
It stands below everything else in the chain, where what an administrator drops is dropped first.
The chain is made early if dockerd has not made it yet; every engine keeps one that it finds.
"""

import logging
import shutil
import subprocess
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import TypeAlias

from pyflat.dataplane.objects import DockerAccept
from pyflat.errors import BackendError

log = logging.getLogger(__name__)

_PROGRAMS = {"ip": "iptables", "ip6": "ip6tables"}
_CHAIN = "DOCKER-USER"
#: The tables of the legacy variant that somebody has used in this network namespace.
_LEGACY_TABLES = {
    "ip": Path("/proc/net/ip_tables_names"),
    "ip6": Path("/proc/net/ip6_tables_names"),
}
#: A chain that is dockerd's alone to make.
_OF_DOCKERD = "DOCKER"
#: Seconds to wait for the lock of the legacy variant; requests wait meanwhile. Zero is for ever.
_PATIENCE = 1
#: Seconds until the program counts as stuck.
_LIMIT = 5

Rule: TypeAlias = tuple[str, ...]


class DockerUser:
    """The rule, by the iptables program that dockerd itself uses; run at starts and repairs only.

    Where ``iptables`` is not the host's, because only its two variants are there by their own
    names, it is the one that dockerd has made its rules with. Where none is there, there is no
    FORWARD policy of Docker's to get past.
    """

    def __init__(self, mark: int) -> None:
        word = f"{mark:#x}/{mark:#x}"
        self._rule = ("-m", "mark", "--mark", word, "-j", "ACCEPT")
        self._legacy: dict[str, bool] = {}

    def add(self, item: DockerAccept) -> None:
        """Make the rule the last that is reached in the chain, and the only one of its kind."""
        if not self._program(item):
            log.info("%s is not installed: Docker's rules are left alone", _PROGRAMS[item.family])
            return
        self._run(item, "-N", _CHAIN)
        self.delete(item)
        place = len(_reached(self._rules(item))) + 1
        done = self._run(item, "-I", _CHAIN, str(place), *self._rule)
        if done.returncode:
            raise BackendError(f"{_PROGRAMS[item.family]}: {done.stderr.strip()}")

    def delete(self, item: DockerAccept) -> None:
        """Remove every copy of the rule."""
        while self._run(item, "-D", _CHAIN, *self._rule).returncode == 0:
            pass

    def observe(self) -> set[DockerAccept]:
        """Give the families in whose chain the rule stands as it should; both if it is locked."""
        families = set(map(_accept, _PROGRAMS))
        try:
            return set(filter(self._stands, families))
        except _LockedError:
            return families  # nothing could be mended either; there is another look in a second

    def is_legacy(self) -> bool:
        """Say whether the program is the variant that the kernel sends no notifications of."""
        program = self._program(_accept("ip"))
        if program is None:
            return False
        if program not in self._legacy:
            self._legacy[program] = "legacy" in _run(program, "-V").stdout
        return self._legacy[program]

    def _stands(self, item: DockerAccept) -> bool:
        if not self._program(item):
            return True
        rules = self._rules(item)
        return _reached(rules)[-1:] == [self._rule] and rules.count(self._rule) == 1

    def _rules(self, item: DockerAccept) -> list[Rule]:
        lines = self._run(item, "-S", _CHAIN).stdout.splitlines()
        return [tuple(line.split()[2:]) for line in lines if line.startswith("-A")]

    def _program(self, item: DockerAccept) -> str | None:
        name = _PROGRAMS[item.family]
        if plain := shutil.which(name):
            return plain
        legacy = shutil.which(f"{name}-legacy")
        if legacy and _has_filter(item) and _run(legacy, "-S", _OF_DOCKERD).returncode == 0:
            return legacy
        return shutil.which(f"{name}-nft")

    def _run(self, item: DockerAccept, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the program for one family. Raises _LockedError."""
        program = self._program(item)
        assert program, "asked for only where it is"
        return _run(program, *words)


def _has_filter(item: DockerAccept) -> bool:
    """Say whether the legacy variant has its table, which only to look for would make."""
    try:
        return "filter" in _LEGACY_TABLES[item.family].read_text().split()
    except OSError:
        return False


def _run(program: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a program; one that is stuck is ended, and has failed. Raises _LockedError."""
    command: Sequence[str] = (program, "-w", str(_PATIENCE), *words)
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LIMIT)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"no answer in {_LIMIT} s")
    if done.returncode and "xtables lock" in done.stderr:
        raise _LockedError(f"{program}: another program keeps the xtables lock")
    return done


class _LockedError(BackendError):
    """Another program keeps the legacy variant from doing anything."""


def _reached(rules: Sequence[Rule]) -> list[Rule]:
    """Give the rules before the first RETURN of all; engines before 28 put one at the end."""
    return list(takewhile(lambda rule: rule != ("-j", "RETURN"), rules))


def _accept(family: str) -> DockerAccept:
    return DockerAccept(family=family)
