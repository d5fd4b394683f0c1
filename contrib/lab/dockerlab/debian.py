"""Packages of any Debian suite, fetched and unpacked without touching the system's own."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from dockerlab import packages, settings
from dockerlab.commands import call, plain_environment
from dockerlab.errors import CommandError, LabError

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_MIRROR = re.compile(r"\b(https?://\S*/debian)/?(?=\s|$)", re.MULTILINE)


class Suite:
    """One suite of Debian, with package lists of its own in `folder`."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._folder = folder
        self._source = folder / "sources.list"
        self._options = [
            f"Dir::Etc::sourcelist={self._source}",
            "Dir::Etc::sourceparts=-",
            "Dir::Etc::preferencesparts=-",
            f"Dir::State::Lists={folder / 'lists'}",
            f"Dir::Cache={folder / 'cache'}",
            "APT::Sandbox::User=root",
            "APT::Get::List-Cleanup=false",
            # An archive of former days is as good as today's.
            "Acquire::Check-Valid-Until=false",
            "Acquire::Retries=2",
        ]

    def update(self) -> None:
        """Get the suite's package list."""
        for part in ("lists/partial", "cache/archives/partial"):
            (self._folder / part).mkdir(parents=True, exist_ok=True)
        self._source.write_text(f"deb {_signed_by()}{_mirror()} {self.name} main\n")
        self._apt("apt-get", "update", "-q")

    def versions(self, package: str) -> list[str]:
        """The versions of a package the suite has."""
        rows = self._apt("apt-cache", "madison", package).splitlines()
        return [row.split("|")[1].strip() for row in rows]

    def download(self, names: list[str], into: Path) -> list[Path]:
        """Get packages (`name` or `name=version`) as files."""
        into.mkdir(parents=True, exist_ok=True)
        self._apt("apt-get", "download", "-q", *names, cwd=into)
        return sorted(into.glob("*.deb"))

    def download_closure(self, names: list[str], into: Path) -> list[Path]:
        """Get packages with everything they depend on, as for a machine that has nothing."""
        status = self._folder / "status"
        status.write_text("")
        (into / "partial").mkdir(parents=True, exist_ok=True)
        self._apt(
            *("apt-get", "install", "-q", "-y", "--download-only", "--no-install-recommends"),
            *("-o", f"Dir::State::status={status}", "-o", "Debug::NoLocking=true"),
            *("-o", f"Dir::Cache::Archives={into}", *names),
        )
        return sorted(into.glob("*.deb"))

    def _apt(self, program: str, *words: str, cwd: Path | None = None) -> str:
        options = [part for option in self._options for part in ("-o", option)]
        try:
            return call(program, *options, *words, env=plain_environment(), cwd=cwd)
        except CommandError as error:
            last = str(error.stderr).strip().rpartition("\n")[2]
            raise LabError(f"Debian {self.name}: {last}") from error


def unpack(package: Path, into: Path) -> None:
    """Unpack a package's files below a folder; none of its scripts runs."""
    into.mkdir(parents=True, exist_ok=True)
    # Not dpkg-deb --extract, which puts a folder in place of a link such as /bin.
    untar = ["tar", "--extract", "--keep-directory-symlink", "--directory", str(into)]
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as files:
        done = subprocess.run(untar, stdin=files.stdout, capture_output=True, text=True)
    if done.returncode or files.returncode:
        raise LabError(f"cannot unpack {package.name}: {done.stderr.strip()}")


def record(package: Path, root: Path) -> None:
    """Note a package that was unpacked there and which paths it has, where dpkg(1) notes it."""
    info = root / "var/lib/dpkg/info"
    info.mkdir(parents=True, exist_ok=True)
    fields = call("dpkg-deb", "--field", package, "Package", "Version", "Architecture")
    with (info.parent / "status").open("a") as status:
        status.write(f"{fields}\n")
    name = fields.splitlines()[0].removeprefix("Package: ")
    files = subprocess.run(["dpkg-deb", "--fsys-tarfile", package], capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(files.stdout)) as tar:
        paths = "".join(f"{path.removeprefix('.') or '/.'}\n" for path in tar.getnames())
    (info / f"{name}.list").write_text(paths)


def unpack_packages(
    suite_name: str,
    names: tuple[str, ...],
    work: Path,
    files: Path,
    wanted: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Fetch packages of a suite and unpack them into `files`, in the versions wanted of some.

    `work` is a folder for what lies about meanwhile.
    """
    suite = Suite(suite_name, work / "apt")
    suite.update()
    exact = [_exact(suite, name, wanted[name]) if name in wanted else name for name in names]
    for package in suite.download(exact, work / "debs"):
        unpack(package, files)
    shutil.rmtree(work / "apt")
    shutil.rmtree(work / "debs")


def _exact(suite: Suite, package: str, version: str) -> str:
    found = suite.versions(package)
    for candidate in found:
        if candidate.startswith(version):
            return f"{package}={candidate}"
    raise LabError(
        f"Debian {suite.name} has {package} {', '.join(found) or 'not at all'} and no {version} "
        "any more: set PYFLAT_LAB_MIRROR to an archive that has it, such as "
        "http://snapshot.debian.org/archive/debian/20261101T000000Z"
    )


def _signed_by() -> str:
    if not _KEYRING.exists():
        packages.ensure(["debian-archive-keyring"])
    return f"[signed-by={_KEYRING}] "


def _mirror() -> str:
    """The mirror asked for, or the machine's own when it is one of Debian, or Debian's."""
    if chosen := settings.mirror():
        return chosen
    sources = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]
    for source in sources:
        if source.is_file() and (found := _MIRROR.search(_active(source.read_text()))):
            return found[1]
    return "http://deb.debian.org/debian"


def _active(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
