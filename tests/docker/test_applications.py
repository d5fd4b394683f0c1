"""A web application and its database: by hand, and as a compose project through pytest-docker."""

import shlex
from pathlib import Path

import pytest
from pytest_docker.plugin import Services
from tests.docker.client import Docker
from tests.docker.reach import Place

from dockerlab import Lab
from dockerlab.host import Host
from dockerlab.processes import wait_until

pytestmark = pytest.mark.placements

PROJECT = Path(__file__).parents[2] / "contrib/compose/flask-redis"
IMAGE, PORT = "flask-redis", 5000
REDIS = (IMAGE, "redis-server", "--save", "", "--protected-mode", "no")
WEB = ("-p", f"{PORT}:{PORT}", "-v", f"{PROJECT}/app.py:/app/app.py:ro", IMAGE, "python3", "app.py")


@pytest.fixture(scope="module")
def host(lab: Lab, placement: str) -> Host:
    host = lab.host("h1")
    host.load_image(IMAGE)
    return host


@pytest.mark.parametrize(
    "finding",
    [("--env", "REDIS_HOST=store"), ("--env", "REDIS_HOST=cache", "--link", "store:cache")],
    ids=["env", "link"],
)
def test_an_application_made_by_hand_counts_its_visits(
    docker: Docker, lab: Lab, finding: tuple[str, ...]
) -> None:
    blue = docker.network("blue")
    docker("run", "-d", "--name", "store", "--network", blue, *REDIS)
    docker("run", "-d", "--name", "web", "--network", blue, *finding, *WEB)
    _assert_counts(lab, docker.host)


@pytest.fixture
def docker_compose_command(docker: Docker) -> str:
    """Compose, as the host has it; by way of `docker`, its traces are looked at afterwards."""
    host = docker.host
    settings = {"DOCKER_HOST": host.docker_host, "DOCKER_CONFIG": host.docker_config}
    words = ["env", *(f"{name}={value}" for name, value in settings.items())]
    program = host.engine.programs / "docker" if host.engine.programs else "docker"
    return shlex.join([*words, str(program), "compose"])


@pytest.fixture
def docker_compose_file() -> str:
    return str(PROJECT / "compose.yaml")


@pytest.fixture
def docker_setup() -> list[str]:
    """The image is there: a host that reaches no registry could not build it."""
    return ["up --no-build --detach --wait"]


@pytest.fixture
def docker_compose_project_name() -> str:
    return "visits"


def test_a_compose_project_counts_its_visits(
    docker_services: Services, docker: Docker, lab: Lab
) -> None:
    network = docker.inspect("network", "visits_default")
    assert network["Driver"] == "pyflat"
    assert len(network["Containers"]) == 2
    _assert_counts(lab, docker.host)


def _assert_counts(lab: Lab, host: Host) -> None:
    assert wait_until(lambda: _visit(lab.outside, host.address4) == "visited 1 times", 30)
    assert _visit(host, "127.0.0.1") == "visited 2 times"
    assert _visit(lab.outside, host.address4) == "visited 3 times"


def _visit(place: Place, address: str) -> str | None:
    request = "GET / HTTP/1.0\r\n\r\n"
    reply = place.run("nc", "-n", "-N", "-w3", address, str(PORT), input=request).stdout
    return reply.splitlines()[-1] if reply.startswith("HTTP/1.1 200") else None
