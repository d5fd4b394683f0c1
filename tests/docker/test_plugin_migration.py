"""From the host's service to the managed plugin and back, without losing a network."""

from collections.abc import Iterator

import pytest
from tests.docker.crash import start_pyflat
from tests.docker.managed import PAGE, do_chapter, publish
from tests.docker.starting import start
from tests.docker.workload import Workload

from dockerlab import Lab, pluginfiles
from dockerlab.managed import Managed
from dockerlab.processes import wait_until
from dockerlab.registry import DAEMON_CONFIG, Registry

pytestmark = pytest.mark.full

PAGES: tuple[tuple[str, str], ...] = (
    (PAGE, "From the service to the plugin"),
    (PAGE, "From the plugin to a service"),
)
SOCKETS = "/run/docker/plugins"
SERVICE_STATE = "/var/lib/pyflat"
PATIENCE = 60


@pytest.fixture
def work(bare: Lab) -> Iterator[Workload]:
    workload = Workload(bare)
    yield workload
    workload.docker.remove_all()


def test_networks_of_the_service_go_on_under_a_plugin_of_another_name(
    bare: Lab, work: Workload
) -> None:
    host = work.host
    Registry(bare).start()
    host.write_daemon_config(DAEMON_CONFIG)
    # Hosts of a lab share what they see of /etc.
    host.run("mount", "--mkdir", "-t", "tmpfs", "none", "/etc/tmpfiles.d", check=True)
    start(host)
    publish(host)
    work.start()
    before = work.snapshot()
    host.pyflat.stop()
    do_chapter(host, "From the service to the plugin")
    Managed(host, "pyflat-managed:latest").adopt()
    host.driver = "pyflat"
    assert work.same(before) == []
    assert work.troubles() == []
    _restart(work)


def test_networks_of_the_plugin_go_on_under_a_service_with_its_name(work: Workload) -> None:
    host = work.host
    host.write_daemon_config({"live-restore": True})
    host.dockerd.start()
    host.load_image("busybox")
    plugin = Managed(host)
    plugin.install(pluginfiles.fetch())
    work.start()
    before = work.snapshot()
    do_chapter(host, "From the plugin to a service")
    host.managed, host.state = None, SERVICE_STATE
    host.socket = host.path(f"{SOCKETS}/{plugin.name}.sock")
    host.pyflat.args += ["--socket", f"{SOCKETS}/{plugin.name}.sock"]
    start_pyflat(host)
    # Until then it asks the plugin that is no more.
    work.host.dockerd.stop()
    work.host.dockerd.start()
    assert work.same(before) == []
    assert work.troubles() == []


def _restart(work: Workload) -> None:
    """All of it comes back with dockerd, too."""
    before = work.snapshot()
    work.host.dockerd.stop()
    work.host.dockerd.start()
    assert wait_until(work.runs, PATIENCE, 0.5)
    assert work.renewed(before) == []
    assert work.troubles() == []
