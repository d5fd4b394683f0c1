"""A machine that systemd boots: Debian with Docker and a checkout of pyflat, in systemd-nspawn."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zlib import crc32

from tests.support.witness import eventually

from dockerlab import cgroups, images, namespaces, packages, settings, store
from dockerlab.commands import call

#: Where the checkout comes from: a repository in the machine, which `git pull` asks.
ORIGIN = "/srv/pyflat.git"
IMAGE = "/opt/busybox.tar"
NAME = f"guest-{os.getpid()}"
#: What a container runs that is to answer at its port 80.
SERVER = "echo well > /tmp/index.html; exec httpd -f -h /tmp"

_NEEDED = ("debian-archive-keyring", "debootstrap", "systemd-container")
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_INSIDE = (
    *("systemd-sysv", "dbus", "docker.io", "python3"),
    *("iproute2", "iptables", "nftables", "libnftables1", "procps", "curl"),
    *("dnsmasq-base", "git", "make", "python3-venv"),
)
_PYTHON = "3.11"  # bookworm's
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_WHEELS = "/opt/wheels"
_PIP_CONF = f"[global]\nno-index = true\nfind-links = {_WHEELS}\n"
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
        command = self._command(*words)
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert not check or done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def popen(
        self, *words: str, cwd: Path, env: Mapping[str, str], **options: Any
    ) -> subprocess.Popen[str]:
        """Start a program in it, as leader of a new process group."""
        command = self._command(
            *(f"{name}={value}" for name, value in env.items()), *words, cwd=cwd
        )
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, start_new_session=True, **options
        )

    def _command(self, *words: str, cwd: Path = Path("/")) -> list[str]:
        """Give what runs a program in there; variables may come before it."""
        enter = ("nsenter", f"--target={self._init()}", "--all", "--root", "--wd", "--")
        return [*enter, "env", "-i", f"--chdir={cwd}", f"PATH={_PATH}", "HOME=/root", *words]

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


def answers(host: Guest, *ports: str) -> bool:
    """Say whether containers that run SERVER answer at these addresses and ports."""
    ask = ("curl", "--silent", "--max-time", "5")
    return all(host.run(*ask, f"http://{port}/", check=False) == "well\n" for port in ports)


def add_underlay(host: Guest) -> None:
    """Give it an interface eth0 that overlays go out by, as 192.0.2.1."""
    for words in (
        *("link add eth0 type veth peer eth1", "link set eth0 up", "link set eth1 up"),
        "address add 192.0.2.1/24 dev eth0",
    ):
        host.run("ip", *words.split())


@contextmanager
def guest(folder: Path) -> Iterator[Guest]:
    """Have a machine with a clone of this checkout; made in a folder, off."""
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
        _clone(machine.root)
        _have_wheels(machine.root)
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


def _clone(root: Path) -> None:
    """Have a clone of this checkout, changes included, at its own place in the machine, and in
    /srv what it was cloned from."""
    origin, checkout = Path(f"{root}{ORIGIN}"), Path(f"{root}{settings.REPOSITORY}")
    git = ("git", "-C", settings.REPOSITORY)
    commit = call(*git, "stash", "create").strip() or "HEAD"
    call("git", "init", "--quiet", "--bare", "--initial-branch=main", origin)
    call(*git, "push", "--quiet", origin, f"{commit}:refs/heads/main")
    call("git", "clone", "--quiet", origin, checkout)
    call("git", "-C", checkout, "remote", "set-url", "origin", ORIGIN)
    # As `make setup` leaves it; what the tests need beside pyflat is not for this machine.
    call("chroot", root, "python3", "-m", "venv", "--without-pip", f"{settings.REPOSITORY}/.venv")
    (checkout / ".venv/.complete").touch()


def _have_wheels(root: Path) -> None:
    """Have pip of the machine, which has no network, find what pyflat needs."""
    needs = (settings.REPOSITORY / name for name in ("requirements.lock", "setup.cfg"))
    crc = crc32(b"".join(file.read_bytes() for file in needs))
    call("cp", "-r", store.folder(f"wheels-{crc:08x}", _download), f"{root}{_WHEELS}")
    (root / "etc/pip.conf").write_text(_PIP_CONF)


def _download(work: Path) -> None:
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    call(*pip, "wheel", "--no-deps", "--wheel-dir", work, settings.REPOSITORY)
    (pyflat,) = work.glob("*.whl")
    locked = ("--constraint", settings.REPOSITORY / "requirements.lock")
    fitting = ("--python-version", _PYTHON, "--only-binary=:all:")
    call(*pip, "download", *locked, *fitting, "--dest", work, pyflat, "setuptools")
    pyflat.unlink()
