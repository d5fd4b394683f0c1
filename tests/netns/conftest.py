"""Fresh network namespaces, with the real kernel behind the engine."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.namespaces import container_namespace, fresh_namespace

from pyflat.dataplane.linux import LinuxKernel
from pyflat.engine import Engine
from pyflat.store.memory import MemoryStore

MARK = 0x20000000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and os.geteuid() != 0:
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
def kernel(namespace: None) -> Iterator[LinuxKernel]:
    kernel = LinuxKernel(mark=MARK, sysctl_root=Path("/proc/sys/net"))
    yield kernel
    kernel.close()


@pytest.fixture
def engine(kernel: LinuxKernel) -> Engine:
    engine = Engine(MemoryStore(), kernel)
    engine.start()
    return engine
