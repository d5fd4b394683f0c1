"""What the Docker SDK for Python shows, field by field: Docker's own driver beside pyflat."""

from typing import Any

import pytest
from docker.models.networks import Network
from docker.types import IPAMConfig, IPAMPool
from tests.docker.client import Docker
from tests.docker.sdk import Client

from dockerlab import Lab
from dockerlab.host import Host

SUBNET, SUBNET6 = "10.90.0.0/24", "fd90::/64"


@pytest.fixture(scope="module")
def host(lab: Lab) -> Host:
    """A host that forwards IPv6, as Docker's own driver would leave it."""
    host = lab.host("h1")
    host.run("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1", check=True)
    return host


@pytest.fixture
def client(docker: Docker) -> Client:
    return Client(docker)


def test_inspect_has_the_same_fields_on_both_drivers(client: Client, docker: Docker) -> None:
    """But for the driver's name and, of a container, its published ports."""
    shown = {name: _shown(client, docker, name) for name in ("bridge", "pyflat")}
    networks, containers = zip(*shown.values(), strict=True)
    assert networks[0] == networks[1]
    bridge, pyflat = containers
    assert bridge.pop("Ports") == {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "81"}]}
    assert pyflat.pop("Ports") == {}
    assert bridge == pyflat


def _shown(client: Client, docker: Docker, driver: str) -> tuple[dict[str, Any], ...]:
    """A network and the network settings of a container, without what is never the same."""
    pools = [IPAMPool(subnet=subnet) for subnet in (SUBNET, SUBNET6)]
    blue: Network = client.networks.create(
        "blue", driver=driver, ipam=IPAMConfig(pool_configs=pools), enable_ipv6=True
    )
    one = client.idle(
        "one", network="blue", hostname="h", ports={"80/tcp": ("127.0.0.1", 81)},
        mac_address="02:00:5e:00:53:01",
    )  # fmt: skip
    blue.reload()
    network = dict(blue.attrs)
    settings = docker.inspect("container", "one")["NetworkSettings"]
    assert network.pop("Driver") == driver
    (inside,) = network.pop("Containers").values()
    (endpoint,) = settings["Networks"].values()
    _drop(network, "Id", "Created")
    _drop(settings, "SandboxID", "SandboxKey", "EndpointID")
    _drop(inside, "EndpointID")
    _drop(endpoint, "EndpointID", "NetworkID", "DNSNames", "Aliases")
    one.remove(force=True)
    blue.remove()
    return network | {"Containers": inside}, settings


def _drop(facts: dict[str, Any], *names: str) -> None:
    for name in names:
        facts.pop(name, None)
