"""The Docker Engine's own API. Never asked while dockerd waits for an answer of ours.

dockerd holds its locks while it calls a plugin: a question to it from there would never be
answered.
"""

import os
from pathlib import Path
from typing import Any

from pyflat.errors import BackendError

_DEFAULT = "unix:///run/docker.sock"
_PIDFILE = Path("/run/docker.pid")


def started() -> float:
    """Give the Unix time at which the present dockerd was started, 0 if there is none.

    By its pidfile: the socket may be systemd's, which is there before dockerd and would start it.
    """
    try:
        os.kill(int(_PIDFILE.read_text()), 0)
        return _PIDFILE.stat().st_mtime
    except (OSError, ValueError):
        return 0.0


def networks_of(driver: str) -> list[dict[str, Any]]:
    """Give what ``docker network inspect`` says of a driver's networks. Raises BackendError."""
    return _ask(lambda client: [network.attrs for network in _networks(client, driver)])


def running_containers() -> list[dict[str, Any]]:
    """Give what ``docker inspect`` says of each running container. Raises BackendError."""
    return _ask(lambda client: [container.attrs for container in client.containers.list()])


def _networks(client: Any, driver: str) -> Any:
    return client.networks.list(filters={"driver": driver}, greedy=True)


def _ask(question: Any) -> list[dict[str, Any]]:
    import docker  # late: it takes as long to import as the rest of the program

    try:
        client = docker.DockerClient(base_url=_url(), timeout=30)
        found: list[dict[str, Any]] = question(client)
    except docker.errors.DockerException as error:
        raise BackendError(f"Docker does not answer at {_url()}: {error}") from error
    return found


def _url() -> str:
    return os.environ.get("DOCKER_HOST") or _DEFAULT
