"""Fresh network namespaces, with the real kernel behind the engine."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.etcd import EtcdServer
from tests.support.machine import Machine
from tests.support.namespaces import container_namespace, fresh_namespace

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.geteuid() != 0:
        for item in items:
            if HERE in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="network namespaces need root"))


@pytest.fixture
def namespace() -> Iterator[None]:
    with fresh_namespace():
        yield


@pytest.fixture
def container(namespace: None) -> Iterator[str]:
    with container_namespace() as name:
        yield name


@pytest.fixture
def other(namespace: None) -> Iterator[str]:
    with container_namespace() as name:
        yield name


@pytest.fixture
def machine(namespace: None) -> Iterator[Machine]:
    machine = Machine()
    yield machine
    machine.close()


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdServer]:
    """An etcd for the tests of a module, each of which takes a prefix of its own."""
    server = EtcdServer(tmp_path_factory.mktemp("etcd"))  # may have to fetch it from outside
    with fresh_namespace():
        server.start()
        yield server
        server.kill()
