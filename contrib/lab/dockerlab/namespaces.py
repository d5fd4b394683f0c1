"""Named network namespaces, and the process that pins a host's namespaces."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

from dockerlab.commands import call, plain_environment
from dockerlab.errors import LabError
from dockerlab.processes import Process, wait_until

_FOLDER = Path("/run/netns")

# The process joins its control group before it becomes the command: no descendant escapes.
_JOIN = 'echo 0 >"$1" && shift && exec "$@"'

# Only newer kernels have the last ones.
_STOP_FORWARDING = """
cd /proc/sys/net
for switch in ipv4/conf/*/forwarding ipv6/conf/*/forwarding ipv6/conf/*/force_forwarding; do
    [ ! -e "$switch" ] || echo 0 >"$switch"
done
"""


def path(name: str) -> Path:
    """The file of a named network namespace."""
    return _FOLDER / name


def add(name: str) -> None:
    """Make a named network namespace with all forwarding off; it is refused if it exists."""
    if path(name).exists():
        raise LabError(f"a network namespace {name} exists already")
    call("ip", "netns", "add", name)
    # A new namespace takes over some of these from a machine that may forward.
    stop_forwarding(name)


def stop_forwarding(name: str) -> None:
    """Switch all forwarding of a namespace off."""
    call(*enter(name), "/bin/sh", "-c", _STOP_FORWARDING)


def start_forwarding(name: str) -> None:
    """Have a namespace forward everything."""
    switches = ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    call(*enter(name), "sysctl", "--quiet", "--write", *switches)


def delete(name: str) -> None:
    """Delete a named network namespace; nothing happens if there is none."""
    if path(name).exists():
        call("ip", "netns", "delete", name)


def configure(name: str, lines: Iterable[str]) -> None:
    """Feed lines to `ip -batch` in a namespace."""
    call("ip", "-n", name, "-batch", "-", stdin="\n".join(lines) + "\n")


def join(door: Path) -> list[str]:
    """The words before a command that starts in the control group of this door."""
    return ["/bin/sh", "-c", _JOIN, "sh", str(door)]


def enter(name: str, holder: int | None = None) -> list[str]:
    """The words before a command that runs in a network namespace, and in its holder's
    mount and UTS namespaces too when one is given."""
    words = ["nsenter", f"--net={path(name)}"]
    if holder is not None:
        words += [f"--mount=/proc/{holder}/ns/mnt", f"--uts=/proc/{holder}/ns/uts"]
    return [*words, "--"]


def pin(name: str, hostname: str, door: Path) -> Process:
    """Start the process that holds a host's network, mount and UTS namespaces."""
    words = [*join(door), *enter(name), "unshare", "--mount", "--uts", "--propagation", "private"]
    pinned = subprocess.Popen(
        [*words, "--", "sleep", "infinity"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=plain_environment(),
        start_new_session=True,
    )
    # It is a shell, nsenter and unshare before it is the sleep that has the namespaces.
    command = Path(f"/proc/{pinned.pid}/comm")
    asleep = wait_until(
        lambda: pinned.poll() is not None or command.read_text().strip() == "sleep", 10, 0.002
    )
    holder = Process.of(pinned.pid)
    if not asleep or holder is None:
        raise LabError(f"cannot make the namespaces of {name}")
    call(*enter(name, holder.pid), "hostname", hostname)
    return holder
