"""What becomes of networks and containers while the managed plugin comes, goes and is replaced."""

import json
import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from time import sleep

import pytest
from tests.docker.managed import PAGE, SECOND, do_chapter, publish
from tests.docker.outage import Loss
from tests.docker.plugin import answers
from tests.docker.starting import bare_lab
from tests.docker.workload import Workload

from dockerlab import CommandError, Lab, pluginfiles
from dockerlab.managed import Managed
from dockerlab.processes import wait_until
from dockerlab.registry import DAEMON_CONFIG, Registry

PAGES: tuple[tuple[str, str], ...] = (
    (PAGE, "Install"),
    (PAGE, "Configure"),
    (PAGE, "Logs and commands"),
    ("docs/see.md", "Where the host has no Python"),
    (PAGE, "Upgrade"),
    (PAGE, "A lost state"),
    (PAGE, "Uninstall"),
)
#: Seconds until all containers run again.
PATIENCE = 60
#: Milliseconds that a dockerd may need to write its rules anew.
REWRITING = 200
#: Seconds that dockerd waits for the end of a plugin that has ended before it was enabled.
FAILING = 11
#: Seconds that dockerd looks for the socket of a plugin that it has started, and disables it then.
SEEKING = 40


@pytest.fixture(scope="module")
def lab(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A host whose plugin comes from a registry, under a name of its own."""
    with bare_lab(engine, daemon_config=DAEMON_CONFIG) as lab:
        host = lab.host("h1")
        Registry(lab).start()
        host.dockerd.start()
        host.load_image("busybox")
        publish(host)
        publish(host, SECOND, _another(tmp_path_factory.mktemp("second") / "plugin"))
        do_chapter(host, "Install")
        # Whoever looks for requests in the log needs this level.
        do_chapter(host, "Configure")
        Managed(host).adopt()
        yield lab


def _another(files: Path) -> Path:
    """The same plugin, but for what it says of itself."""
    shutil.copytree(pluginfiles.fetch(), files, symlinks=True)
    config = files / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"description": "second"}))
    return files


@pytest.fixture(scope="module")
def plugin(lab: Lab) -> Managed:
    managed = lab.host("h1").managed
    assert managed
    return managed


@pytest.fixture(scope="module")
def work(lab: Lab) -> Iterator[Workload]:
    workload = Workload(lab)
    workload.start()
    yield workload
    workload.docker.remove_all()


def test_all_works_through_it(work: Workload) -> None:
    assert work.troubles() == []


def _configure(plugin: Managed) -> None:
    do_chapter(plugin.host, "Configure")


def _upgrade(plugin: Managed) -> None:
    do_chapter(plugin.host, "Upgrade")
    assert plugin.inspect()["Config"]["Description"] == "second"


def _crash(plugin: Managed) -> None:
    dead = plugin.pid
    assert dead
    os.kill(dead, signal.SIGKILL)
    assert wait_until(lambda: plugin.pid not in (None, dead), 10)


@pytest.mark.parametrize("happens", [_configure, _upgrade, _crash])
def test_containers_do_not_notice_that_it_is_away_for_a_moment(
    work: Workload, plugin: Managed, happens: Callable[[Managed], None]
) -> None:
    lost = _lost(work, plugin, lambda: happens(plugin))
    assert [loss.lost for loss in lost] == [0, 0]
    late = work.docker.run("late", "--network", "blue")
    assert late.pings_name("web")
    work.docker("rm", "-f", "late")
    assert work.troubles() == []


def test_containers_do_not_notice_a_restart_of_dockerd_with_live_restore(
    work: Workload, plugin: Managed
) -> None:
    host = work.host
    host.write_daemon_config(DAEMON_CONFIG | {"live-restore": True})
    os.kill(host.dockerd.pid, signal.SIGHUP)
    told = ("info", "-f", "{{.LiveRestoreEnabled}}")
    assert wait_until(lambda: work.docker(*told) == "true", 10)
    before = plugin.pid
    lost = _lost(work, plugin, lambda: _restart(work))
    assert plugin.pid == before
    assert max(loss.longest for loss in lost) < REWRITING


def test_containers_come_back_with_dockerd(work: Workload, plugin: Managed) -> None:
    host = work.host
    host.write_daemon_config(DAEMON_CONFIG)
    _restart(work)  # it learns that containers end with it now
    before, created = work.snapshot(), _created(plugin)
    _restart(work)
    assert wait_until(work.runs, PATIENCE, 0.5)
    assert work.renewed(before) == []
    assert work.troubles() == []
    assert _created(plugin) == created


def test_a_setting_is_changed_while_it_is_disabled(work: Workload, plugin: Managed) -> None:
    docker = work.docker
    with pytest.raises(CommandError, match="disable plugin before setting"):
        plugin("set", "PYFLAT_MARK=0x1000000")
    plugin("disable", "--force")
    plugin("set", "PYFLAT_MARK=0x1000000", "PYFLAT_POOLS=10.77.0.0/16:24", "PYFLAT_UPLINKS=docker0")
    plugin("enable")
    try:
        network = docker.network("settings", "--ipam-driver", plugin.name)
        config = docker.inspect("network", network)["IPAM"]["Config"]
        assert [each["Subnet"] for each in config] == ["10.77.0.0/24"]
        listed = ("nft", "list", "table", "inet", "pyflat")
        assert "mark set meta mark | 0x01000000" in work.host.run(*listed, check=True).stdout
        uplinks = ("nft", "list", "set", "inet", "pyflat", "uplinks")
        assert "docker0" in work.host.run(*uplinks, check=True).stdout
        docker("network", "rm", "settings")
        assert work.troubles() == []
    finally:
        plugin("disable", "--force")
        plugin("set", "PYFLAT_MARK=", "PYFLAT_POOLS=", "PYFLAT_UPLINKS=")
        plugin("enable")
    assert work.troubles() == []


@pytest.mark.full
def test_a_setting_that_is_wrong_is_named_in_dockers_log(work: Workload, plugin: Managed) -> None:
    plugin("disable", "--force")
    plugin("set", "PYFLAT_MARK=7")
    said = len(plugin.log())
    try:
        with pytest.raises(CommandError):
            plugin("enable")
        wrong = "Invalid value for '--mark' (env var: 'PYFLAT_MARK'): '7' is not one bit"
        assert any(wrong in line for line in plugin.log()[said:])
        assert work.answers_outside()
    finally:
        plugin("set", "PYFLAT_MARK=")
        # As long as dockerd waits for the one that has failed, it takes it for the next one.
        sleep(FAILING)
        plugin("enable")
    assert work.troubles() == []


@pytest.mark.parametrize(
    ("page", "chapter"),
    [(PAGE, "Logs and commands"), ("docs/see.md", "Where the host has no Python")],
)
def test_the_command_is_inside(work: Workload, page: str, chapter: str) -> None:
    do_chapter(work.host, chapter, page)


@pytest.mark.full
def test_a_lost_state_is_had_back_from_docker(work: Workload, plugin: Managed) -> None:
    before = work.snapshot()
    said = len(plugin.log())
    for path in work.host.path(plugin.state).glob("pyflat.db*"):
        path.unlink()
    pid = plugin.pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: any("pyflat rebuild" in line for line in plugin.log()[said:]), 10)
    # Meanwhile a command to disable it would cross dockerd's own way to do so.
    wait_until(lambda: not _is_enabled(plugin), SEEKING, 0.5)
    do_chapter(work.host, "A lost state")
    assert answers(work.host, PATIENCE)
    assert work.snapshot().identities == before.identities
    assert wait_until(lambda: work.troubles() == [], PATIENCE, 0.5), work.troubles()


def _is_enabled(plugin: Managed) -> bool:
    return bool(plugin.inspect()["Enabled"])


def test_without_networks_it_can_be_removed(work: Workload, plugin: Managed) -> None:
    work.docker.remove_all()
    work.docker.network("lan")
    do_chapter(work.host, "Uninstall")
    assert not work.host.path(plugin.state).exists()


def _restart(work: Workload) -> None:
    work.host.dockerd.stop()
    work.host.dockerd.start()


def _created(plugin: Managed) -> int:
    """How many networks dockerd has asked for."""
    requests = r"DEBUG \S+: /NetworkDriver\.CreateNetwork:"
    return sum(bool(re.search(requests, line)) for line in plugin.log())


def _lost(work: Workload, plugin: Managed, happens: Callable[[], object]) -> tuple[Loss, Loss]:
    """Let something happen that containers do not notice, as Docker and pyflat do not; give
    what two flows have lost."""
    before, created = work.snapshot(), _created(plugin)
    assert created
    with work.flows() as (inside, outside):
        happens()
        assert answers(work.host, 10)
    assert work.same(before) == []
    assert _created(plugin) == created
    return inside.loss, outside.loss
