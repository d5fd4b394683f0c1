"""Labs whose hosts have the managed plugin, and the registry that pages have it from."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.docker.pages import REPOSITORY, Popen, Step, chapters, follow
from tests.docker.starting import bare_lab

from dockerlab import Lab, pluginfiles
from dockerlab.host import Host
from dockerlab.managed import Managed
from dockerlab.registry import ADDRESS

PAGE = "docs/plugin.md"
FIRST, SECOND = (f"{ADDRESS}/pyflat:{version}" for version in ("1.0", "1.1"))


@contextmanager
def managed_lab(engine: str, **how: Any) -> Iterator[Lab]:
    """A lab of one host, or as Lab.up() has it otherwise, with the plugin on each."""
    files = pluginfiles.fetch()
    with bare_lab(engine, plugin=False, **how) as lab:
        for host in lab.hosts:
            host.dockerd.start()
            host.load_image("busybox")
            Managed(host).install(files)
        yield lab


def publish(host: Host, name: str = FIRST, files: Path | None = None) -> None:
    """Push the plugin to the lab's registry from a host, which keeps nothing of it."""
    plugin = Managed(host, name)
    plugin("create", str(files or pluginfiles.fetch()))
    plugin("push")
    plugin("rm")


def do(
    steps: Sequence[Step], hosts: Mapping[str, Popen], instead: Mapping[str, str] | None = None
) -> None:
    """Follow a page, with the lab's registry for that of the page."""
    names = {"registry.example.org": ADDRESS, **(instead or {})}
    differences = follow(steps, hosts, names)
    assert not differences, "\n\n".join(differences)


def do_chapter(host: Host, chapter: str, page: str = PAGE, popen: Popen | None = None) -> None:
    """Follow a chapter of a page on one host, or where ``popen`` starts programs."""
    do(chapters(REPOSITORY / page)[chapter], {"": popen or host.popen})
