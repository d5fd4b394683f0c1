"""What the machine itself needs: Debian packages, installed only where missing."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from dockerlab.commands import call, plain_environment
from dockerlab.errors import CommandError, LabError

_log = logging.getLogger(__name__)

# dockerd needs the libraries, pyflat systemd's socket proxy, dnsmasq and graphviz; nc, ping and
# tcpdump are what an experiment reaches for.
NEEDED = (
    "dnsmasq-base",
    "ethtool",
    "graphviz",
    "iproute2",
    "iptables",
    "iputils-ping",
    "libdevmapper1.02.1",
    "libseccomp2",
    "netcat-openbsd",
    "nftables",
    "procps",
    "systemd",
    "tcpdump",
    "util-linux",
)
# A mirror that is busy for a moment is asked again, and somebody else may be installing.
_APT = ("apt-get", "-o", "Acquire::Retries=5", "-o", "DPkg::Lock::Timeout=300")


def missing(names: Iterable[str]) -> list[str]:
    """The packages of these that are not installed."""
    wanted = list(names)
    query = ("dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${Package}\n", *wanted)
    try:
        known = call(*query)
    except CommandError as error:
        # dpkg-query fails when it does not know one, and still lists the others.
        known = error.stdout
    lines = (line.split() for line in known.splitlines())
    installed = {words[1] for words in lines if words[0] == "ii"}
    return [name for name in wanted if name not in installed]


def ensure(names: Iterable[str] = NEEDED) -> None:
    """Install what is missing of these; raise LabError when that cannot be done."""
    wanted = missing(names)
    if not wanted:
        return
    _log.info("installing %s", ", ".join(wanted))
    environment = plain_environment() | {"DEBIAN_FRONTEND": "noninteractive"}
    install = (*_APT, "install", "-y", "-q", "--no-install-recommends", *wanted)
    try:
        call(*install, env=environment)
    except CommandError:
        # The usual reason is a package list that is missing or out of date.
        _update_and_install(install, environment, wanted)


def _update_and_install(
    install: tuple[str, ...], environment: dict[str, str], wanted: list[str]
) -> None:
    try:
        call(*_APT, "update", "-q", env=environment)
        call(*install, env=environment)
    except CommandError as error:
        last = str(error.stderr).strip().rpartition("\n")[2]
        raise LabError(f"cannot install {', '.join(wanted)}: {last}") from error
