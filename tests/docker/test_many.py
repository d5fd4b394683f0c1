"""Many containers at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.conftest import OLDEST
from tests.docker.client import Container, Docker
from tests.docker.reach import pings

pytestmark = pytest.mark.placements

COUNT = 50


@pytest.mark.engine("28.5")
def test_fifty_containers_at_once_have_distinct_addresses_and_talk(
    docker: Docker, engine: str
) -> None:
    blue = docker.network("blue")
    names = [f"c{number}" for number in range(COUNT)]
    with ThreadPoolExecutor(COUNT) as pool:
        containers = list(pool.map(lambda name: docker.run(name, "--network", blue), names))
    with ThreadPoolExecutor(8) as pool:
        addresses = list(pool.map(lambda container: container.address(blue), containers))
        assert len(set(addresses)) == COUNT
        neighbours = [*addresses[1:], addresses[0]]
        assert all(pool.map(_pings, containers, neighbours))
    if engine == OLDEST:
        # This dockerd miscounts endpoints that come at once, on its own bridge as well, and
        # removes no network of theirs until it has counted them at its next start.
        docker("rm", "-f", *names, timeout=120)
        docker.host.dockerd.stop()
        docker.host.dockerd.start()


def _pings(container: Container, address: str) -> bool:
    return pings(container, address)
