"""HTTP on unix sockets: the Engine API, and the API that dockerd speaks with a plugin."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

#: The newest version of the Engine API that the requests below are written for.
NEWEST = (1, 44)
IMAGE = "busybox"

#: A published tcp port: the container's number, and the host's.
Port: TypeAlias = tuple[int, int]


class ApiError(Exception):
    """The other side has refused a request."""


class Connection(http.client.HTTPConnection):
    """An HTTP connection on a unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Client:
    """JSON requests to one socket; each thread has a connection of its own, which is kept."""

    def __init__(self, path: Path, timeout: float = 120) -> None:
        self._path = path
        self._timeout = timeout
        self._local = threading.local()

    def call(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> Any:
        """Give the answer as JSON, None if it is empty. Raises ApiError unless it is a success."""
        text = None if body is None else json.dumps(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        connection = self._connection()
        try:
            # A connection that the server has closed after its answer is opened again by itself.
            connection.request(method, url, text, headers)
            answer = connection.getresponse()
            data = answer.read()
        except BaseException:
            connection.close()
            raise
        if answer.status >= 400:
            raise ApiError(f"{method} {url}: {answer.status} {data.decode(errors='replace')}")
        return json.loads(data) if data.strip() else None

    def _connection(self) -> Connection:
        if not hasattr(self._local, "connection"):
            self._local.connection = Connection(self._path, self._timeout)
        connection: Connection = self._local.connection
        return connection


class Engine:
    """The requests to a Docker Engine that we make; may be used by any thread."""

    def __init__(self, path: Path) -> None:
        # The bridge driver needs minutes for 1000 ports.
        self._client = Client(path, timeout=600)
        answer = self._client.call("GET", "/version")
        self.version: str = answer["Version"]
        """The engine's version, as 28.5.2."""
        theirs = tuple(int(part) for part in answer["ApiVersion"].split("."))
        self._prefix = "/v{}.{}".format(*min(NEWEST, theirs))

    def create_network(
        self, name: str, driver: str, subnet: str, manager: str = "default", **fields: Any
    ) -> None:
        """Make a network; its address manager is Docker's own if none is named.

        `fields` are more of the request.
        """
        ipam = {"Driver": manager, "Config": [{"Subnet": subnet}]}
        self._post("/networks/create", {"Name": name, "Driver": driver, "IPAM": ipam} | fields)

    def remove_network(self, name: str) -> None:
        """Remove a network that has no endpoint."""
        self._client.call("DELETE", f"{self._prefix}/networks/{name}")

    def create_container(
        self,
        name: str,
        network: str,
        ports: Sequence[Port] = (),
        *,
        address: str = "",
        command: Sequence[str] = ("sleep", "1d"),
    ) -> None:
        """Make a container and publish `ports`; the address manager chooses if none is given."""
        bindings = {f"{own}/tcp": [{"HostPort": str(hosts)}] for own, hosts in ports}
        endpoint = {"IPAMConfig": {"IPv4Address": address}} if address else {}
        body = {
            "Image": IMAGE,
            "Cmd": command,
            "ExposedPorts": {port: {} for port in bindings},
            "HostConfig": {"NetworkMode": network, "PortBindings": bindings},
            "NetworkingConfig": {"EndpointsConfig": {network: endpoint}},
        }
        self._post(f"/containers/create?name={name}", body)

    def start(self, container: str) -> None:
        """Start a container; returns when its process runs."""
        self._post(f"/containers/{container}/start")

    def inspect(self, container: str) -> Any:
        """Give what the engine says of a container."""
        return self._client.call("GET", f"{self._prefix}/containers/{container}/json")

    def kill(self, container: str) -> None:
        """Kill a container; returns when it has let go of its networks."""
        self._post(f"/containers/{container}/kill")
        self._post(f"/containers/{container}/wait?condition=not-running")

    def remove_container(self, container: str) -> None:
        """Remove a container, running or not."""
        self._client.call("DELETE", f"{self._prefix}/containers/{container}?force=1")

    def connect(self, network: str, container: str) -> None:
        """Connect a running container to one more network."""
        self._post(f"/networks/{network}/connect", {"Container": container})

    def disconnect(self, network: str, container: str) -> None:
        """Disconnect a running container from a network."""
        self._post(f"/networks/{network}/disconnect", {"Container": container})

    def containers(self) -> list[str]:
        """Give the ids of all containers."""
        return [each["Id"] for each in self._get("/containers/json?all=1")]

    def networks(self) -> list[str]:
        """Give the ids of the networks that somebody has made."""
        wanted = quote(json.dumps({"type": ["custom"]}))
        return [each["Id"] for each in self._get(f"/networks?filters={wanted}")]

    def _get(self, url: str) -> Any:
        return self._client.call("GET", self._prefix + url)

    def _post(self, url: str, body: Mapping[str, Any] | None = None) -> Any:
        return self._client.call("POST", self._prefix + url, body)


class Plugin:
    """A network plugin's own socket, asked as dockerd asks it."""

    def __init__(self, path: Path, timeout: float = 120) -> None:
        self._client = Client(path, timeout)

    def call(self, name: str, **fields: Any) -> Any:
        """Call a method, as "Plugin.Activate". Raises ApiError if it refuses."""
        return self._client.call("POST", f"/{name}", fields or None)
