"""Labs whose hosts have the managed plugin."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.docker.starting import bare_lab

from dockerlab import Lab, pluginfiles
from dockerlab.managed import Managed


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
