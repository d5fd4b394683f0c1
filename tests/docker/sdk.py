"""The Docker SDK for Python, connected to a host of the lab."""

from typing import Any

import docker as sdk
import pytest
from docker.models.containers import Container as SdkContainer
from tests.docker.client import IDLE, Container, Docker

BOTH_DRIVERS = pytest.mark.parametrize(
    "driver", ["pyflat", "bridge"], indirect=True, scope="module"
)


class Client:
    """The SDK's client, with what tests do over and over."""

    def __init__(self, docker: Docker) -> None:
        self._docker = docker
        self.raw = sdk.DockerClient(base_url=docker.host.docker_host)
        self.networks = self.raw.networks
        self.containers = self.raw.containers
        self.api = self.raw.api

    def idle(self, name: str, **options: Any) -> SdkContainer:
        """Start a container that does nothing."""
        return self.containers.run("busybox", IDLE, name=name, detach=True, **options)

    def stopped(self, name: str, **options: Any) -> SdkContainer:
        """Make a container without starting it."""
        return self.containers.create("busybox", IDLE, name=name, **options)

    def endpoint(self, container: str, network: str) -> dict[str, Any]:
        return self.place(container).on(network)

    def place(self, container: str) -> Container:
        """A container as a place where programs of the host run."""
        return Container(self._docker, container)


def networks_of(client: Client, container: str) -> list[str]:
    return sorted(client.place(container).inspect()["NetworkSettings"]["Networks"])
