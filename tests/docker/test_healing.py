"""What an administrator or another firewall breaks under running containers is mended."""

import json
import time

import pytest
from tests.docker.client import Container, Docker
from tests.docker.links import ip, peer
from tests.docker.reach import INTERNET, pings, server_of
from tests.support.witness import MENDED

from dockerlab import Lab
from dockerlab.host import Host
from dockerlab.processes import wait_until
from dockerlab.traces import Place
from dockerlab.underlay import OUTSIDE
from pyflat.cli.asking import read
from pyflat.dataplane.watch import DELAY

pytestmark = pytest.mark.placements

SUBNET, SUBNET6 = "10.90.0.0/24", "fd90::/64"
BRIDGE, PORT = "blue0", 81

DAMAGE = {
    "all of nftables": "nft flush ruleset",
    "our table": "nft delete table inet pyflat",
    "the accept among Docker's rules": "iptables -D DOCKER-USER 1",
    "the bridge": f"ip link delete {BRIDGE}",
    "its address": f"ip address delete 10.90.0.1/24 dev {BRIDGE}",
    "its IPv6 address": f"ip address delete fd90::1/64 dev {BRIDGE}",
}


@pytest.fixture
def web(docker: Docker) -> Container:
    """A web server on port 81 of the host, and a neighbour."""
    subnets = ("--ipv6", "--subnet", SUBNET, "--subnet", SUBNET6)
    name = ("-o", f"com.docker.network.bridge.name={BRIDGE}")
    blue = docker.network("blue", *subnets, "--gateway", "10.90.0.1", *name)
    docker.run("near", "--network", blue)
    return docker.web("web", "--network", blue, "-p", f"{PORT}:80")


def works(web: Container, lab: Lab) -> bool:
    host, near = web.docker.host, Container(web.docker, "near")
    return (
        server_of(lab.outside, host.address4, PORT) == "web"
        and server_of(lab.outside, host.address6, PORT) == "web"
        and server_of(near, web.address("blue"), 80) == "web"
        and pings(near, INTERNET[4])
    )


def repairs(host: Host) -> list[str]:
    lines = host.pyflat.log.read_text().splitlines()
    return [line for line in lines if " repair " in line]


def plan(host: Host, status: int) -> dict[str, list[str]]:
    done = host.run("pyflat", "plan", "--json")
    assert done.returncode == status, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def mended(web: Container, lab: Lab, command: str, place: Place | None = None) -> None:
    """Break something, and see that it is noticed, mended and told of."""
    host = web.docker.host
    # On older engines, IPv6 of a new container is there after a second only.
    assert wait_until(lambda: works(web, lab), 5)
    before = len(repairs(host))
    assert (place or host).run(*command.split()).returncode == 0
    assert wait_until(lambda: len(repairs(host)) > before, MENDED), "not noticed"
    # Asked without a program, which may take a second to start.
    assert wait_until(lambda: not any(read(host.socket, "plan").values()), MENDED)
    assert works(web, lab)


@pytest.mark.engine("28.5")
@pytest.mark.parametrize("command", DAMAGE.values(), ids=list(DAMAGE))
def test_damage_is_mended_while_containers_run(web: Container, lab: Lab, command: str) -> None:
    mended(web, lab, command)
    if command == "nft flush ruleset":
        # Docker's own rules are gone, too, until it is started again.
        web.docker.host.dockerd.stop()
        web.docker.host.dockerd.start()


def test_a_port_that_lost_its_bridge_is_put_back(web: Container, lab: Lab) -> None:
    switches = web.docker.switches
    end = peer(web, "eth0", switches)["ifname"]
    mended(web, lab, f"ip link set {end} nomaster", switches)


@pytest.mark.quick
def test_an_interface_taken_from_a_container_is_named_with_what_helps(
    web: Container, docker: Docker, lab: Lab
) -> None:
    host = docker.host
    end = peer(web, "eth0", docker.switches)["ifname"]
    assert docker.switches.run("ip", "link", "delete", end).returncode == 0
    lost = f"interface {end} was taken from the container of endpoint"
    assert wait_until(lambda: lost in host.pyflat.log.read_text(), MENDED)
    (told,) = plan(host, 2)["lost"]
    assert lost in told
    assert "docker network disconnect and connect" in told
    docker("network", "disconnect", "blue", "web")
    docker("network", "connect", "blue", "web")
    assert not any(plan(host, 0).values())
    assert works(web, lab)


def test_an_end_of_a_container_is_no_damage(web: Container, docker: Docker) -> None:
    host = docker.host
    before = repairs(host)
    docker("kill", "web")
    docker("start", "web")
    docker("network", "disconnect", "blue", "near")
    docker("network", "connect", "blue", "near")
    docker("rm", "-f", "web", "near")
    docker("network", "rm", "blue")
    time.sleep(3 * DELAY)
    assert repairs(host) == before
    assert not [link for link in ip(host, "link") if link["ifname"] == BRIDGE]


def test_what_an_administrator_forbids_in_dockers_chain_is_forbidden_here_too(
    web: Container, lab: Lab
) -> None:
    host = web.docker.host
    rule = ("DOCKER-USER", "-s", OUTSIDE[0], "-j", "DROP")
    # Older engines end the chain with a RETURN: what is added behind it holds for nobody.
    returns = "RETURN" in host.run("iptables", "-S", "DOCKER-USER", check=True).stdout
    for how in ("-I",) if returns else ("-I", "-A"):
        host.run("iptables", how, *rule, check=True)
        assert wait_until(lambda: server_of(lab.outside, host.address4, PORT) is None, MENDED)
        assert server_of(host, host.address4, PORT) == "web"
        host.run("iptables", "-D", *rule, check=True)
        assert server_of(lab.outside, host.address4, PORT) == "web"
