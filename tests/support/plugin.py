"""The plugin as dockerd meets it: paths, bodies, statuses and JSON."""

import json
from typing import Any, NamedTuple

from tests.support.dockerd import Call, call
from tests.support.host import POOLS, Host

from pyflat.api.http import create_http


class Reply(NamedTuple):
    """Status and body of an answer."""

    status: int
    body: dict[str, Any]


class Plugin:
    """The HTTP application over a host with a fake kernel; ``scope`` as in Host."""

    def __init__(self, *calls: Call, scope: str = "local") -> None:
        self.host = Host(cluster=None, scope=scope)
        self.client = create_http(self.host.engine, POOLS).test_client()
        for each in calls:
            self.ok(each)

    def post(self, request: Call) -> Reply:
        """Send a request as Go's client does: with a length, but without a Content-Type."""
        headers = {"Accept": "application/vnd.docker.plugins.v1.2+json", "Host": ""}
        answer = self.client.post(request.path, data=request.body, headers=headers)
        body = json.loads(answer.data)
        assert isinstance(body, dict)
        return Reply(answer.status_code, body)

    def ok(self, request: Call) -> dict[str, Any]:
        """Send a request that succeeds, and let dockerd move the interface as it then does."""
        reply = self.post(request)
        assert reply.status == 200, reply.body
        self.host.move(request)
        return reply.body

    def ask(self, method: str, **fields: Any) -> dict[str, Any]:
        """Send a request that succeeds, by its fields; none at all is an empty body."""
        return self.ok(call(method, **fields) if fields else Call(f"/{method}"))

    def error(self, request: Call) -> str:
        """Send a request that is refused as the caller's fault and changes nothing."""
        before = self.host.picture()
        status, body = self.post(request)
        assert status == 400
        assert set(body) == {"Err", "Error"}
        assert body["Err"] == body["Error"] != ""
        assert "Traceback" not in body["Err"]
        assert self.host.picture() == before
        message: str = body["Err"]
        return message
