"""How a checkout builds the managed plugin, and pushes it to a registry."""

import pytest
from tests.docker.client import Docker
from tests.docker.managed import FIRST, PAGE, do_chapter
from tests.docker.pages import here
from tests.docker.reach import pings
from tests.docker.starting import bare_lab

from dockerlab import pluginfiles
from dockerlab.managed import NAME, Managed
from dockerlab.registry import DAEMON_CONFIG, Registry

pytestmark = [pytest.mark.full, pytest.mark.engine("28.5")]

PAGES = ((PAGE, "Build"),)


def test_it_is_built_on_an_engine_and_pushed_to_a_registry(engine: str) -> None:
    # Both build in the same folder of the checkout.
    pluginfiles.fetch()
    with bare_lab(engine, daemon_config=DAEMON_CONFIG) as lab:
        host = lab.host("h1")
        Registry(lab).start()
        host.dockerd.start()
        host.load_image("busybox")
        do_chapter(host, "Build", popen=here(**host.environment(), DOCKER_HOST=host.docker_host))
        docker = Docker(host)
        docker("plugin", "rm", "--force", NAME)
        docker("plugin", "install", "--grant-all-permissions", "--alias", NAME, FIRST)
        Managed(host).adopt()
        docker.network("lan")
        one, two = (docker.run(name, "--network", "lan") for name in ("one", "two"))
        assert pings(one, two.address("lan"))
