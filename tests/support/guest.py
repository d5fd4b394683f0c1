"""A machine that systemd boots: Debian with Docker and pyflat, in systemd-nspawn."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zlib import crc32

from tests.support.witness import eventually

from dockerlab import cgroups, images, namespaces, packages, settings, store
from dockerlab.commands import call

PYFLAT = "/opt/pyflat/pyflat"
IMAGE = "/opt/busybox.tar"
NAME = f"guest-{os.getpid()}"

_NEEDED = ("debian-archive-keyring", "debootstrap", "systemd-container")
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_INSIDE = (
    *("systemd-sysv", "dbus", "docker.io", "python3"),
    *("iproute2", "iptables", "nftables", "libnftables1", "procps", "curl"),
    "dnsmasq-base",
)
_PYTHON = "3.11"  # bookworm's
_SCRIPT = """#!/usr/bin/python3
import sys
sys.path.insert(0, "/opt/pyflat/lib")
from pyflat.cli import main
main()
"""
_ENVIRONMENT = {
    # Docker needs control groups that it may write to; nspawn gives away none of version 1.
    "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
    # Nor would runc get keyctl and bpf.
    "SYSTEMD_SECCOMP": "0",
}
_NSPAWN = (
    *("systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit"),
    *("--private-network", "--capability=all", "--console=pipe"),
)


class Guest:
    """One machine; its files outlive its boots."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self._docker = folder / "docker"  # beside the rest, which is an overlay itself
        self._log = folder / "nspawn.log"
        self._nspawn: subprocess.Popen[bytes] | None = None

    def boot(self) -> None:
        """Start it; raises RuntimeError if systemd does not come up."""
        name, files = f"--machine={NAME}", f"--directory={self.root}"
        where = (name, files, f"--bind={self._docker}:/var/lib/docker")
        with self._log.open("wb") as log:
            self._nspawn = subprocess.Popen(
                [*namespaces.join(cgroups.door(NAME, "guest")), *_NSPAWN, *where],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | _ENVIRONMENT,
            )
        if not eventually(self._is_up, 60):
            raise RuntimeError(f"systemd-nspawn cannot boot here: {self._log.read_text().strip()}")

    def run(self, *words: str, check: bool = True) -> str:
        """Run a program in it, and give what it writes."""
        enter = ("nsenter", f"--target={self._init()}", "--all", "--root", "--wd", "--")
        path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"
        command = (*enter, "env", "-i", path, "HOME=/root", *words)
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert not check or done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def power_off(self) -> None:
        """End it in order."""
        self.run("systemctl", "poweroff")
        self._wait()

    def cut_power(self) -> None:
        """End it with no warning; nothing happens if it is off."""
        if self._nspawn is None or self._nspawn.poll() is not None:
            return
        # The machine would outlive nspawn.
        with contextlib.suppress(IndexError):
            os.kill(self._init(), signal.SIGKILL)
            self._wait()
        self._nspawn.kill()

    def _wait(self) -> None:
        assert self._nspawn is not None
        self._nspawn.wait(60)

    def _init(self) -> int:
        """Give the process that is systemd in there; IndexError while there is none."""
        assert self._nspawn is not None
        pid = self._nspawn.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        # Before it has become systemd, it is not yet apart from this machine in all ways.
        found = [c for c in children if Path(f"/proc/{c}/comm").read_text() == "systemd\n"]
        return int(found[0])

    def _is_up(self) -> bool:
        try:
            state = self.run("systemctl", "is-system-running", check=False)
        except (IndexError, OSError):
            return False
        return state.strip() in {"starting", "running", "degraded"}


@contextmanager
def guest(folder: Path) -> Iterator[Guest]:
    """Have a machine with this checkout's pyflat in /opt; made in a folder, off."""
    packages.ensure(_NEEDED)
    # One with other packages is another one.
    base = store.folder(f"guest-{crc32(repr(_INSIDE).encode()):08x}", _bootstrap) / "root"
    machine = Guest(folder)
    for name in ("root", "docker", "upper", "work"):
        (folder / name).mkdir()
    layers = f"lowerdir={base},upperdir={folder / 'upper'},workdir={folder / 'work'}"
    cgroups.make(NAME, "guest")
    call("mount", "-t", "overlay", "overlay", "-o", layers, machine.root)
    try:
        _install(machine.root / "opt/pyflat", folder / "wheel")
        call("cp", images.archive(images.get("busybox")), f"{machine.root}{IMAGE}")
        yield machine
    finally:
        machine.cut_power()
        call("umount", machine.root)
        cgroups.remove(NAME, set(), last=False)


def _bootstrap(work: Path) -> None:
    options = ("--variant=minbase", f"--keyring={_KEYRING}", f"--include={','.join(_INSIDE)}")
    mirror = filter(None, [settings.mirror()])
    call("debootstrap", *options, images.SUITE, work / "root", *mirror)


def _install(target: Path, wheel: Path) -> None:
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    call(*pip, "wheel", "--no-deps", "--wheel-dir", wheel, settings.REPOSITORY)
    fitting = ("--python-version", _PYTHON, "--only-binary=:all:")
    call(*pip, "install", *fitting, "--target", target / "lib", *wheel.glob("*.whl"))
    (target / "pyflat").write_text(_SCRIPT)
    (target / "pyflat").chmod(0o755)
