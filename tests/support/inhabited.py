"""A container's part of a veth pair, settled as dockerd does it, with programs behind it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.witness import run

from pyflat import naming

ANSWER = Path(__file__).parents[1] / "docker" / "answer.py"


def settle(container: str, endpoint: str, *addresses: str, device: str = "eth0") -> None:
    """Move an endpoint's interface into a namespace, and give it its name and addresses."""
    end = naming.container_end(endpoint)
    run("ip", "link", "set", end, "netns", container, "name", device)
    for address in addresses:
        inside(container, "ip", "address", "add", address, "dev", device, "nodad")
    for each in ("lo", device):
        inside(container, "ip", "link", "set", each, "up")


def inside(container: str, *words: str, check: bool = True) -> str:
    """Run a program in a namespace and give what it prints."""
    return run("ip", "netns", "exec", container, *words, check=check)


@contextmanager
def answering(container: str, port: int, name: str) -> Iterator[None]:
    """A server in a namespace, on TCP and UDP, that says its name and who asks."""
    words = ("ip", "netns", "exec", container, sys.executable, str(ANSWER), f"{port}={name}")
    server = subprocess.Popen(words)
    try:
        yield
    finally:
        server.kill()
        server.wait()
