"""The docker command in a host of the lab, and the containers it starts."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from dockerlab.host import Host
from dockerlab.processes import wait_until
from dockerlab.traces import Inside, Place

WWW = Path(__file__).with_name("www")
IDLE = ("sleep", "1d")
WEB = ("httpd", "-f", "-h", "/www")


class Container:
    """A container; as a place, its network namespace with the host's programs."""

    def __init__(self, docker: "Docker", name: str) -> None:
        self.docker = docker
        self.name = name

    @property
    def pid(self) -> int:
        return int(self.inspect()["State"]["Pid"])

    def inspect(self) -> dict[str, Any]:
        return self.docker.inspect("container", self.name)

    def on(self, network: str) -> dict[str, Any]:
        """What Docker says of its endpoint in a network."""
        endpoint: dict[str, Any] = self.inspect()["NetworkSettings"]["Networks"][network]
        return endpoint

    def address(self, network: str, version: int = 4) -> str:
        field = {4: "IPAddress", 6: "GlobalIPv6Address"}[version]
        return str(self.on(network)[field])

    def run(
        self,
        *words: str,
        input: str | None = None,  # noqa: A002 - the name that subprocess.run gives it
        timeout: float | None = 60,
    ) -> subprocess.CompletedProcess[str]:
        """A program of the host in the container's network namespace."""
        return self.docker.host.run(*self._enter(), *words, input=input, timeout=timeout)

    def popen(self, *words: str) -> subprocess.Popen[str]:
        return self.docker.host.popen(*self._enter(), *words)

    def listening(self) -> "Container":
        """The container, whose web server takes connections by now: Docker does not wait for it."""
        query = ("ss", "-Hltn", "sport = :80")
        assert wait_until(lambda: bool(self.run(*query).stdout), 10), f"{self.name} does not listen"
        return self

    def exec(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A program of the container: it has the container's names."""
        return self.docker.host.run("docker", "exec", self.name, *words)

    def pings_name(self, name: str) -> bool:
        return self.exec("ping", "-c1", "-W3", name).returncode == 0

    def knows(self, name: str) -> bool:
        """Whether Docker's name server has an address for a name here: it answers for its own
        names at once, and asks others, who are silent, for the rest."""
        lookup = ("nslookup", "-type=a", name, "127.0.0.11")
        return self.exec("timeout", "2", *lookup).returncode == 0

    def _enter(self) -> Sequence[str]:
        return ("nsenter", "-t", str(self.pid), "-n", "--")


class Docker:
    """The docker command of one host; a call gives what it wrote, a failure raises.

    With ``apart``, bridges of pyflat's networks are to lie in its own namespace.
    """

    apart: ClassVar[bool] = False

    def __init__(self, host: Host) -> None:
        self.host = host

    def __call__(self, *words: str, timeout: float = 60) -> str:
        done = self.host.run("docker", *words, check=True, timeout=timeout)
        return done.stdout.strip()

    @property
    def switches(self) -> Place:
        """Where the bridges of its networks are."""
        return Inside(self.host) if self.apart else self.host

    def refused(self, *words: str) -> str:
        """Run what must fail; give what it says."""
        done = self.host.run("docker", *words)
        assert done.returncode != 0, f"docker {' '.join(words)} succeeded"
        return done.stderr.strip()

    def network(self, name: str, *options: str, driver: str | None = None) -> str:
        driver = driver or self.host.driver
        placed = ("-o", "namespace=own") if self.apart and driver == self.host.driver else ()
        self("network", "create", "-d", driver, *placed, *options, name)
        return name

    def run(self, name: str, *options: str, command: Sequence[str] = IDLE) -> Container:
        self(*self.words(name, *options, command=command))
        return Container(self, name)

    def web(self, name: str, *options: str) -> Container:
        """A container whose web server on port 80 says its name and who asks."""
        return self.run(name, *self.web_options(name), *options, command=WEB).listening()

    def words(self, name: str, *options: str, command: Sequence[str] = IDLE) -> Sequence[str]:
        return ("run", "-d", "--name", name, *options, "busybox", *command)

    def web_options(self, name: str) -> Sequence[str]:
        return ("--hostname", name, "-v", f"{WWW}:/www:ro")

    def inspect(self, kind: str, name: str) -> dict[str, Any]:
        (found,) = json.loads(self(kind, "inspect", name))
        assert isinstance(found, dict)
        return found

    def remove_all(self) -> None:
        """Remove every container and every network that a user made."""
        containers = self("ps", "-aq").split()
        if containers:
            self("rm", "-f", *containers, timeout=120)
        networks = self("network", "ls", "-q", "--filter", "type=custom").split()
        if networks:
            self("network", "rm", *networks)
