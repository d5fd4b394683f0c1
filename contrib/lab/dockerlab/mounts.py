"""What a host sees of the file system: the machine's, with its own state in place of some folders.

From outside, the host's folder NAME holds what the host sees at the place that goes with it.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from dockerlab.commands import call

OWN = {
    "run": PurePosixPath("/run"),
    "etc-docker": PurePosixPath("/etc/docker"),
    "docker": PurePosixPath("/var/lib/docker"),
    "containerd": PurePosixPath("/var/lib/containerd"),
    "pyflat": PurePosixPath("/var/lib/pyflat"),
}
_RESOLV = Path("/etc/resolv.conf")


def outside(folder: Path, inside: str | PurePosixPath) -> Path:
    """Where a path inside the host lies on the machine."""
    wanted = PurePosixPath(inside)
    if wanted.is_relative_to("/var/run"):
        wanted = PurePosixPath("/run") / wanted.relative_to("/var/run")
    for name, place in OWN.items():
        if wanted.is_relative_to(place):
            return folder / name / wanted.relative_to(place)
    return Path(wanted)


def prepare(folder: Path, nameserver: str) -> None:
    """Make the folders of a host and its resolv.conf."""
    for name in (*OWN, "docker-config", "cgroup"):
        (folder / name).mkdir(parents=True)
    _fill_run(folder, nameserver)


def empty_run(folder: Path) -> None:
    """Make a host's /run as `prepare` made it; nothing may be mounted below it."""
    nameserver = _resolv(folder).read_text().split()[1]
    for entry in (folder / "run").iterdir():
        call("rm", "-rf", "--one-file-system", "--", entry)
    _fill_run(folder, nameserver)


def _fill_run(folder: Path, nameserver: str) -> None:
    for name in ("lock", "netns", "docker/plugins"):
        (folder / "run" / name).mkdir(parents=True)
    (folder / "run/lock").chmod(0o1777)
    resolv = _resolv(folder)
    resolv.parent.mkdir(parents=True, exist_ok=True)
    resolv.write_text(f"nameserver {nameserver}\n")


def _resolv(folder: Path) -> Path:
    """The host's resolv.conf. Where the machine's is a link into /run, as systemd-resolved
    has it, the link leads into the host's own /run."""
    real = PurePosixPath(_RESOLV.resolve())
    return outside(folder, real) if real.is_relative_to("/run") else folder / "resolv.conf"


def mount(folder: Path, enter: list[str]) -> None:
    """Mount everything in the host's new mount namespace, which `enter` leads into."""
    # A /sys of this network namespace, without which a bridge's ports cannot be read, hides the
    # control groups, without which dockerd does not start.
    aside = folder / "cgroup"
    call(*enter, "mount", "--rbind", "/sys/fs/cgroup", aside)
    call(*enter, "mount", "-t", "sysfs", "sysfs", "/sys")
    call(*enter, "mount", "--rbind", aside, "/sys/fs/cgroup")
    call(*enter, "umount", "--lazy", aside)
    for name, place in OWN.items():
        # The mount point is made on the machine itself; an empty folder does no harm there.
        Path(place).mkdir(parents=True, exist_ok=True)
        call(*enter, "mount", "--bind", folder / name, str(place))
    if _RESOLV.exists() and (own := _resolv(folder)).parent == folder:
        call(*enter, "mount", "--bind", own, _RESOLV)
    # As on a machine that systemd booted; the machine itself stays cut off.
    call(*enter, "mount", "--make-rshared", "/")
