"""The page about swarms, followed on two nodes."""

from collections.abc import Iterator, Mapping

import pytest
from tests.conftest import OLDEST
from tests.docker.client import Docker
from tests.docker.managed import do, publish
from tests.docker.pages import REPOSITORY, Step, chapters
from tests.docker.starting import bare_lab
from tests.docker.swarms import set_scope

from dockerlab import Lab, parallel
from dockerlab.host import Host
from dockerlab.processes import wait_until
from dockerlab.registry import DAEMON_CONFIG, Registry

pytestmark = pytest.mark.engine("28.5")

PAGE, OWN = "docs/swarm.md", "Networks of each node's own"
PAGES: tuple[tuple[str, str], ...] = ((PAGE, ""), (PAGE, OWN))
CHAPTERS = chapters(REPOSITORY / PAGE)
#: Images and tokens that only the page has.
NGINX, TOKEN = "nginx", "SWMTKN-…"
#: The oldest engine does not say which service it is.
WORDS = {OLDEST: {"Service … converged": "Service converged"}}


@pytest.fixture(scope="module")
def lab(engine: str) -> Iterator[Lab]:
    """Two hosts, and a registry that has the plugin."""
    with bare_lab(engine, hosts=2, plugin=False, daemon_config=DAEMON_CONFIG) as lab:
        Registry(lab).start()
        parallel.each(_start, lab.hosts)
        publish(lab.host("h1"))
        yield lab


def _start(host: Host) -> None:
    host.dockerd.start()
    host.load_image("busybox")


def test_hosts_become_a_swarm_that_has_a_network_and_then_those_of_each_node(
    lab: Lab, engine: str
) -> None:
    alpha, beta = lab.hosts
    manager = Docker(alpha)
    steps = CHAPTERS[""]
    joining = next(number for number, step in enumerate(steps) if _joins(step))
    _do(lab, steps[:joining])
    token = manager("swarm", "join-token", "--quiet", "worker")
    own = {TOKEN: token, NGINX: "busybox sleep 1d"} | WORDS.get(engine, {})
    _do(lab, steps[joining:], own)
    manager("service", "rm", "web")
    manager("network", "rm", "blue")
    set_scope(lab, "local")
    _do(lab, CHAPTERS[OWN])
    one, two = (Docker(host).run(host.name, "--network", "green") for host in (alpha, beta))
    assert one.address("green").startswith("10.42.1.")
    assert two.address("green").startswith("10.42.2.")
    assert wait_until(lambda: one.pings_name(two.name), 20, 0.5)


def _joins(step: Step) -> bool:
    return step.command.startswith("docker swarm join")


def _do(lab: Lab, steps: list[Step], instead: Mapping[str, str] | None = None) -> None:
    alpha, beta = lab.hosts
    do(steps, {"alpha": alpha.popen, "beta": beta.popen}, instead)
