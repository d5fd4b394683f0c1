"""HTTP over TCP, as a browser or Prometheus speaks it."""

import http.client
import json
from typing import Any, NamedTuple

from prometheus_client.parser import text_string_to_metric_families


class Reply(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    text: str


def fetch(place: tuple[str, int], path: str, verb: str = "GET", **headers: str) -> Reply:
    """Send one request; raises OSError or HTTPException if there is no answer."""
    connection = http.client.HTTPConnection(*place, timeout=10)
    try:
        connection.request(verb, path, headers=headers)
        answer = connection.getresponse()
        return Reply(answer.status, dict(answer.getheaders()), answer.read().decode())
    finally:
        connection.close()


def read_json(place: tuple[str, int], path: str) -> Any:
    """Give what a path has in JSON."""
    reply = fetch(place, path)
    assert reply.status == 200, reply.text
    return json.loads(reply.text)


def samples(text: str, name: str) -> dict[tuple[str, ...], float]:
    """Give the values of a metric by those of its labels, which are in the order of their names."""
    found = (each for family in text_string_to_metric_families(text) for each in family.samples)
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value
        for sample in found
        if sample.name == name
    }
