"""What Docker will never give back is dropped by ``pyflat forget``; the living are refused."""

import pytest
from tests.docker.client import Docker
from tests.docker.plugin import call
from tests.docker.traces import records

from dockerlab.host import Host

SPACE, POOL = "PyflatLocal", "10.77.0.0/24"


def forget(host: Host, kind: str, name: str) -> str:
    """What the command says, be it a refusal."""
    done = host.run("pyflat", "forget", kind, name)
    assert done.returncode == (0 if done.stdout else 1)
    return (done.stdout + done.stderr).strip()


@pytest.mark.engine("28.5")
def test_leaked_records_are_dropped_and_living_ones_are_not(docker: Docker) -> None:
    host = docker.host
    network, endpoint = "ab" * 32, "cd" * 32
    docker.network("blue")
    web = docker.run("web", "--network", "blue")
    before = records(host)
    living, blue = web.on("blue")["EndpointID"], web.on("blue")["NetworkID"]
    assert "has a living container" in forget(host, "endpoint", living[:12])
    assert "has a living container" in forget(host, "network", blue)

    call(host, "IpamDriver.RequestPool", AddressSpace=SPACE, Pool=POOL, V6=False)
    for address in ("10.77.0.1", "10.77.0.2", "10.77.0.9"):
        call(host, "IpamDriver.RequestAddress", PoolID=f"{SPACE}|{POOL}", Address=address)
    subnet = {"AddressSpace": SPACE, "Pool": POOL, "Gateway": "10.77.0.1/24"}
    call(host, "NetworkDriver.CreateNetwork", NetworkID=network, IPv4Data=[subnet])
    interface = {"Address": "10.77.0.2/24"}
    call(
        host,
        "NetworkDriver.CreateEndpoint",
        NetworkID=network,
        EndpointID=endpoint,
        Interface=interface,
    )
    assert "is that of network" in forget(host, "pool", POOL)
    assert "is that of an endpoint" in forget(host, "address", "10.77.0.2")
    assert forget(host, "address", "10.77.0.9") == "forgot address 10.77.0.9"
    # Docker may be about to give it to a container: for a minute it counts as living.
    assert "has a living container" in forget(host, "endpoint", endpoint[:12])
    call(host, "NetworkDriver.DeleteEndpoint", NetworkID=network, EndpointID=endpoint)
    assert forget(host, "network", network[:12]) == f"forgot network {network[:12]}"
    assert forget(host, "pool", POOL) == f"forgot pool {POOL}"
    assert "is not known" in forget(host, "pool", POOL)
    assert records(host) == before
    assert host.run("pyflat", "plan").returncode == 0
