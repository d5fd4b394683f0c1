"""Images made on this machine: nothing is pulled from a registry."""

from __future__ import annotations

import hashlib
import json
import tarfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dockerlab import store
from dockerlab.commands import call
from dockerlab.debian import Suite, record, unpack
from dockerlab.errors import LabError

SUITE = "bookworm"
#: Raised when images are made otherwise, so that nobody takes a cached one for what it is not.
_EDITION = 2
# Packages that only the scripts of other packages need, and no script is run here.
_FOR_INSTALLING = ("adduser", "debconf", "dpkg", "libdb5", "libgdbm", "libperl", "passwd", "perl")
_PASSWD = (
    "root:x:0:0:root:/root:/bin/sh\n"
    "redis:x:100:100:redis:/var/lib/redis:/bin/sh\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"
)
_GROUP = "root:x:0:\nredis:x:100:\nnogroup:x:65534:\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image that can be made."""

    name: str
    about: str
    packages: tuple[str, ...]
    closure: bool
    """Whether it needs what the packages depend on, too."""
    config: dict[str, Any] = field(default_factory=dict)
    """What the image says of its containers, beyond what all of them say."""


def get(name: str) -> Image:
    """The image of this name."""
    if name not in ALL:
        raise LabError(f"no image {name}: choose {', '.join(ALL)}")
    return ALL[name]


def cached(image: Image) -> bool:
    """Whether the image has been made already."""
    return store.cached(_folder(image))


def archive(image: Image) -> Path:
    """The image as a file for `docker load`, made if need be; the same file has the same
    image ID on every host."""
    return store.folder(_folder(image), lambda work: _make(image, work)) / "image.tar"


def _folder(image: Image) -> str:
    return f"images/{_EDITION}/{image.name}"


def _make(image: Image, work: Path) -> None:
    root = work / "root"
    for folder in ("bin", "lib", "lib64", "sbin"):
        (root / "usr" / folder).mkdir(parents=True)
        (root / folder).symlink_to(f"usr/{folder}")
    suite = Suite(SUITE, work / "apt")
    suite.update()
    get_packages = suite.download_closure if image.closure else suite.download
    for package in get_packages(list(image.packages), work / "debs"):
        if not package.name.startswith(_FOR_INSTALLING):
            unpack(package, root)
            record(package, root)
    _complete(root)
    layer = work / "layer.tar"
    with tarfile.open(layer, "w") as tar:
        tar.add(root, ".")
    _wrap(image, layer, work)
    call("rm", "-rf", "--", root, work / "apt", work / "debs", layer)


def _complete(root: Path) -> None:
    """Add busybox's applets where a program is missing, and the files of a minimal system."""
    for applet in call(root / "bin/busybox", "--list").split():
        places = [root / "usr/bin" / applet, root / "usr/sbin" / applet]
        if not any(place.is_symlink() or place.exists() for place in places):
            places[0].symlink_to("busybox")
    for folder in ("etc", "root", "tmp", "var/www", "var/tmp", "app"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for folder in ("tmp", "var/tmp"):
        (root / folder).chmod(0o1777)
    (root / "etc/passwd").write_text(_PASSWD)
    (root / "etc/group").write_text(_GROUP)
    unread = ("share/doc", "share/man", "share/locale", "share/zoneinfo")
    call("rm", "-rf", "--", *(root / "usr" / folder for folder in unread))


def _wrap(image: Image, layer: Path, work: Path) -> None:
    """Make image.tar of one layer, in the format of `docker save`."""
    with layer.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    config = {
        "architecture": _architecture(),
        "os": "linux",
        "created": datetime.now(UTC).isoformat(),
        "config": _COMMON | image.config,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        "history": [{"created_by": "contrib/lab"}],
    }
    manifest = {"Config": "config.json", "RepoTags": [f"{image.name}:latest"]}
    manifest |= {"Layers": ["layer.tar"]}
    (work / "config.json").write_text(json.dumps(config))
    (work / "manifest.json").write_text(json.dumps([manifest]))
    with tarfile.open(work / "image.tar", "w") as tar:
        for name in ("manifest.json", "config.json", "layer.tar"):
            tar.add(work / name, name)
    (work / "config.json").unlink()
    (work / "manifest.json").unlink()


def _architecture() -> str:
    """This machine's architecture as Docker calls it."""
    debian = call("dpkg", "--print-architecture").strip()
    return {"armhf": "arm", "i386": "386", "ppc64el": "ppc64le"}.get(debian, debian)


_COMMON = {
    "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
    "Cmd": ["sh"],
    # A shell or a sleep as process 1 ignores TERM: each stop would take ten seconds.
    "StopSignal": "SIGKILL",
}
ALL = {
    image.name: image
    for image in (
        Image(
            name="busybox",
            about="busybox with all its applets; loaded into every host",
            packages=("busybox-static",),
            closure=False,
        ),
        Image(
            name="flask-redis",
            about="Python with flask and redis, and a redis server, for compose applications",
            packages=("python3-flask", "python3-redis", "redis-server", "busybox-static"),
            closure=True,
            config={"WorkingDir": "/app", "Cmd": ["python3"]},
        ),
        Image(
            name="plugin-base",
            about="what the managed plugin is built from, see the Dockerfile",
            packages=(
                *("dnsmasq-base", "iptables", "libnftables1", "python3", "systemd"),
                "busybox-static",
            ),
            closure=True,
        ),
    )
}
