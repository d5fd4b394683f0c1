"""Builds the managed plugin with the engine that the docker command speaks with.

That engine needs neither a network nor a registry: what goes in is gathered where this runs.
``build.py FOLDER`` leaves config.json and rootfs there, as ``docker plugin create`` wants them.
BASE in the environment names another base image than the one made of Debian's packages.
"""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from dockerlab import images
from dockerlab.settings import REPOSITORY

BASE = "plugin-base"
_IMAGE = "pyflat-rootfs"
#: Of the base image: its Python, and the C libraries that wheels may have been made for.
_VERSION, _PLATFORMS = "3.11", ("manylinux2014", "manylinux_2_17", "manylinux_2_28")


def main(target: Path) -> None:
    """Build it."""
    _gather_packages(REPOSITORY / "build/site")
    base = os.environ.get("BASE") or _load_base()
    _docker("build", "--quiet", "--tag", _IMAGE, "--build-arg", f"BASE={base}", str(REPOSITORY))
    shutil.rmtree(target, ignore_errors=True)
    _export(target / "rootfs")
    shutil.copy(REPOSITORY / "config.json", target)


def _gather_packages(site: Path) -> None:
    """Install pyflat and what it needs, in the locked versions, for the image's Python."""
    shutil.rmtree(site, ignore_errors=True)
    machine = platform.machine()
    platforms = (f"--platform={name}_{machine}" for name in _PLATFORMS)
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install")
    _run(
        *(*pip, "--target", str(site), "--no-compile", "--only-binary=:all:", *platforms),
        # What makes the wheel of pyflat itself is locked as well.
        "--no-build-isolation",
        *("--implementation=cp", f"--python-version={_VERSION}"),
        *("--constraint", str(REPOSITORY / "requirements.lock"), str(REPOSITORY)),
    )


def _load_base() -> str:
    _docker("load", "--quiet", "--input", str(images.archive(images.get(BASE))))
    return BASE


def _export(rootfs: Path) -> None:
    """Unpack the image's files, which `docker plugin create` takes from a real folder only."""
    rootfs.mkdir(parents=True)
    archive = rootfs.with_suffix(".tar")
    container = _docker("create", _IMAGE)
    _docker("export", "--output", str(archive), container)
    _docker("rm", container)
    # What every container is given by its engine.
    given = (f"--exclude={name}" for name in (".dockerenv", "dev", "proc", "sys"))
    _run("tar", "--extract", "--file", str(archive), "--directory", str(rootfs), *given)
    archive.unlink()


def _docker(*words: str) -> str:
    return _run("docker", *words)


def _run(*words: str) -> str:
    """Run a command, which says itself what is wrong if something is, and give what it wrote."""
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{words[0]} has failed")
    return done.stdout.strip()


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
