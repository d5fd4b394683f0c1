"""Checks of the plugin, of Docker beside it, and of what both need of the host."""

import errno
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from pyflat import docker_api
from pyflat.dataplane.features import lacking
from pyflat.dataplane.relay import PROGRAM as RELAY
from pyflat.report.doctor.facts import PATIENCE, Facts
from pyflat.report.doctor.findings import Finding, fail, ok, skipped, warn

#: There where systemd is process 1 (sd_booted(3)).
_BOOTED = Path("/run/systemd/system")
_UNITS = ("pyflat.socket", "pyflat.service")
#: Bytes of the state folder's disk: with less nothing is written, with little soon nothing.
_FULL, _LOW = 1 << 20, 1 << 24
_DNSMASQ = Path("/usr/sbin/dnsmasq")


def plugin(facts: Facts) -> Iterator[Finding]:
    """The plugin runs and answers."""
    if facts.topology is None:
        yield fail(
            facts.unread["plugin"], "systemctl start pyflat.socket, or in a terminal: pyflat serve"
        )
    else:
        yield ok(f"pyflat {facts.topology.version} answers on {facts.socket}")


def plan(facts: Facts) -> Iterator[Finding]:
    """The host's network is what pyflat wants."""
    found = [f"{wrong}: {what}" for wrong, items in facts.plan.items() for what in items]
    for line in found:
        yield fail(line, "pyflat mends within a minute what it can; its log says what it cannot")
    if not found:
        yield ok("everything is as pyflat wants it")


def boot(facts: Facts) -> Iterator[Finding]:
    """At a boot pyflat starts before Docker."""
    if facts.socket.parent.name != "plugins":
        yield ok("Docker starts the managed plugin by itself")
    elif not _BOOTED.is_dir():
        yield skipped("systemd does not run here")
    else:
        words = ("systemctl", "is-enabled", *_UNITS)
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=PATIENCE)
        if done.stdout.split() == ["enabled", "enabled"]:
            yield ok("systemd starts pyflat before Docker")
        else:
            yield warn(
                "pyflat is no service of systemd: at a boot Docker may start before it",
                "pyflat install-service",
            )


def containers(facts: Facts) -> Iterator[Finding]:
    """Docker could start the containers of pyflat's networks."""
    if not docker_api.is_there():
        yield skipped("Docker does not run")
        return
    ours = {network.id for network in facts.networks}
    found = 0
    for container in docker_api.failed_starts():
        connections = container["NetworkSettings"]["Networks"].values()
        if ours & {connection["NetworkID"] for connection in connections}:
            found += 1
            name = container["Name"].removeprefix("/")
            yield warn(f"{name} was not started: {container['State']['Error']}", _start(name))
    if not found:
        yield ok("none of pyflat's networks failed to start")


def sockets(facts: Facts) -> Iterator[Finding]:
    """A plugin's socket where nobody listens costs Docker 15 seconds for each question."""
    folder = (
        facts.socket.parent if facts.socket.parent.name == "plugins" else facts.socket.parents[1]
    )
    dead = [path for path in sorted(folder.glob("*.sock")) if _is_dead(path)]
    for path in dead:
        yield warn(f"{path}: nobody listens, and Docker waits 15 s for it", f"rm {path}")
    if not dead:
        yield ok(f"somebody listens on each in {folder}")


def state_folder(facts: Facts) -> Iterator[Finding]:
    """The state folder can be written to."""
    path = facts.state_dir
    try:
        found = os.statvfs(path)
    except OSError as error:
        yield fail(f"{path}: {error.strerror}", "see PYFLAT_STATE_DIR, and --state-dir here")
        return
    free = found.f_bavail * found.f_frsize
    if found.f_flag & os.ST_RDONLY:
        yield fail(f"{path} is read-only: pyflat cannot start", f"mount -o remount,rw {path}")
    elif free < _FULL:
        yield fail(f"{path} is full: nothing new can be made", "make room on its file system")
    elif free < _LOW:
        yield warn(f"{path} has {free >> 20} MB left", "make room on its file system")
    else:
        yield ok(f"{path} has {free >> 20} MB left")


def programs(facts: Facts) -> Iterator[Finding]:
    """Programs that pyflat starts are there."""
    wanted = {"iptables": "iptables", "ip6tables": "iptables"}
    lacks = {name: package for name, package in wanted.items() if not shutil.which(name)}
    if facts.overlays and not os.access(_DNSMASQ, os.X_OK):
        lacks[str(_DNSMASQ)] = "dnsmasq-base"
    if not os.access(RELAY, os.X_OK):
        lacks[str(RELAY)] = "systemd"
    for name, package in lacks.items():
        yield warn(f"{name} is missing: {_MEANT[package]}", f"apt install {package}")
    if not lacks:
        yield ok("all that may be needed are there")


_MEANT = {
    "iptables": "what Docker's FORWARD chain drops cannot be let through",
    "dnsmasq-base": "containers do not find those of other hosts by name",
    "systemd": "published ports do not answer on [::1]",
}


def kernel(_: Facts) -> Iterator[Finding]:
    """The kernel has what networks are made of."""
    found = lacking()
    for what, words in found.items():
        yield fail(f"{what}: {words}", f"modprobe what this kernel ({os.uname().release}) lacks")
    if not found:
        yield ok(f"{os.uname().release} has bridges, veth, VXLAN and nf_tables")


def _start(name: str) -> str:
    return f"docker start {name}"


def _is_dead(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        # A server that is too busy to answer at once is one all the same.
        probe.setblocking(False)
        return probe.connect_ex(str(path)) == errno.ECONNREFUSED
