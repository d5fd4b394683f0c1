"""What the managed plugin finds and uses of its host."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from tests.docker.client import Docker
from tests.docker.managed import managed_lab
from tests.docker.overlays import ASKING, CLUSTER, DUAL, VNI
from tests.docker.plugin import answers
from tests.docker.reach import pings

from dockerlab import Lab, pluginfiles, power
from dockerlab.firewalls import legacy_iptables
from dockerlab.host import Host
from dockerlab.managed import Managed
from dockerlab.processes import wait_until

pytestmark = pytest.mark.engine("28.5")

#: Seconds in which containers with a restart policy have to be back, and rules where they belong.
PATIENCE = 30


def test_it_follows_dockers_rules_into_the_legacy_variant_at_every_boot(bare: Lab) -> None:
    host = bare.host("h1")
    host.dockerd.env = legacy_iptables(host)
    host.dockerd.start()
    host.load_image("busybox")
    Managed(host).install(pluginfiles.fetch())
    docker = Docker(host)
    network = docker.network("blue")
    always = ("--restart", "always", "--network", network)
    one, two = (docker.run(name, *always) for name in ("one", "two"))
    assert pings(one, two.address(network))
    power.cut(host)
    # dockerd starts the plugin before it makes its rules.
    host.dockerd.start()
    assert wait_until(lambda: two.inspect()["State"]["Running"], PATIENCE)
    assert wait_until(lambda: _is_accepted(host), PATIENCE)
    assert pings(one, two.address(network))
    docker.remove_all()


def _is_accepted(host: Host) -> bool:
    rules = host.run("iptables-legacy", "-S", "DOCKER-USER").stdout
    return "--mark 0x20000000/0x20000000 -j ACCEPT" in rules


@pytest.fixture(scope="module")
def pair(engine: str) -> Iterator[Lab]:
    """Two hosts of a cluster; what is not theirs no name server answers for."""
    with managed_lab(engine, hosts=2, etcd=True) as lab:
        assert lab.etcd
        lab.etcd.start()
        for host in lab.hosts:
            assert host.managed
            host.managed("disable")
            cluster = (f"{name}={value}" for name, value in CLUSTER[4].items())
            host.managed("set", *cluster, f"PYFLAT_HOST={host.name}")
            host.managed("enable")
            assert answers(host, PATIENCE)
        yield lab


@pytest.mark.full
def test_hosts_of_a_cluster_have_an_overlay_in_common_with_its_names(pair: Lab) -> None:
    dockers = [Docker(host) for host in pair.hosts]
    for docker in dockers:
        own = ("--ipam-driver", docker.host.driver)
        docker.network("blue", *own, *DUAL, "-o", f"vni={VNI}")
    one, two = (docker.run(docker.host.name, "--network", "blue", *ASKING) for docker in dockers)
    assert wait_until(lambda: pings(one, two.address("blue"), wait=1), PATIENCE)
    assert wait_until(lambda: one.pings_name("h2"), PATIENCE)
    assert _is_nobody_that_answers(pair.hosts[0])
    for docker in dockers:
        docker.remove_all()


def _is_nobody_that_answers(host: Host) -> bool:
    """Whether its name servers have given up root's rights."""
    statuses = (_text(path.name, "status") for path in Path("/proc").glob("[0-9]*"))
    children = tuple(f"PPid:\t{pid}\n" for pid in host.plugin_pids)
    own = [text for text in statuses if "Name:\tdnsmasq\n" in text and _any(children, text)]
    return bool(own) and all("Uid:\t65534\t65534\t65534\t65534\n" in text for text in own)


def _any(words: Iterable[str], text: str) -> bool:
    return any(word in text for word in words)


@pytest.mark.full
def test_it_has_as_many_descriptors_as_it_may(pair: Lab) -> None:
    for pid in pair.hosts[0].plugin_pids[:2]:
        (line,) = (line for line in _text(pid, "limits").splitlines() if "open files" in line)
        _, _, _, soft, hard, _ = line.split()
        assert soft == hard


@pytest.mark.full
@pytest.mark.parametrize("options", [("vni=43", "peers=192.0.2.99"), ("namespace=own",)])
def test_its_bridges_outlive_it_in_their_namespace(pair: Lab, options: tuple[str, ...]) -> None:
    host = pair.hosts[0]
    docker = Docker(host)
    words = (word for option in options for word in ("-o", option))
    docker.network("green", *words, "--subnet", "10.43.0.0/16")
    one, two = (docker.run(name, "--network", "green") for name in ("one", "two"))
    assert host.managed
    host.managed("disable", "--force")
    assert pings(one, two.address("green"))
    host.managed("enable")
    assert pings(one, two.address("green"))
    docker.remove_all()


def _text(pid: int | str, name: str) -> str:
    """A file of /proc; "" if the process has just ended."""
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except OSError:
        return ""
