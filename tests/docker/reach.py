"""Who reaches whom: real packets, sent from a place to an address."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from dockerlab.processes import wait_until

ANSWER = Path(__file__).with_name("answer.py")
QUESTIONS = Path(__file__).with_name("questions.py")
INTERNET = {4: "198.51.100.1", 6: "2001:db8:ffff::1"}
_QUESTION = "GET /cgi-bin/who HTTP/1.0\r\n\r\n"


class Place(Protocol):
    """Where commands run: a machine of the lab, or the network namespace of a container."""

    def run(
        self,
        *words: str,
        input: str | None = None,  # noqa: A002 - the name that subprocess.run gives it
        timeout: float | None = 60,
    ) -> subprocess.CompletedProcess[str]: ...

    def popen(self, *words: str) -> subprocess.Popen[str]: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said: its own name, and the address it saw the question come from."""

    server: str
    client: str


class Question(NamedTuple):
    """A server that is asked: "tcp" or "udp", its address and port."""

    protocol: str
    address: str
    port: int


def pings(place: Place, address: str, *, wait: int = 3) -> bool:
    return place.run("ping", "-c1", f"-W{wait}", address).returncode == 0


def ask(
    place: Place, address: str, port: int, *, udp: bool = False, wait: int = 3
) -> Answer | None:
    """What the server at an address says; None if nobody answers."""
    # A reply ends the connection, but nothing ends an exchange of packets: -W counts them.
    kind = ("-u", "-W1") if udp else ("-N",)
    reply = place.run("nc", "-n", *kind, f"-w{wait}", address, str(port), input=_QUESTION)
    return _answer(reply.stdout)


def ask_all(place: Place, questions: Mapping[Question, float]) -> dict[Question, Answer]:
    """Who answers; all are asked at once, and each is given its seconds."""
    lines = [" ".join(map(str, (*question, wait))) for question, wait in questions.items()]
    words = (sys.executable, str(QUESTIONS), _QUESTION)
    asked = place.run(*words, input="\n".join(lines))
    assert asked.returncode == 0, asked.stderr
    answers = zip(questions, map(_answer, asked.stdout.splitlines()), strict=True)
    return {question: answer for question, answer in answers if answer}


def server_of(place: Place, address: str, port: int, **how: Any) -> str | None:
    """The name of the server that answers at an address; None if nobody does."""
    answer = ask(place, address, port, **how)
    return answer.server if answer else None


def closed(place: Place, address: str, port: int) -> bool:
    return ask(place, address, port, wait=1) is None


@contextmanager
def answering(place: Place, port: int, name: str) -> Iterator[None]:
    """A server in a place, on TCP and UDP, for as long as the context lasts."""
    with serving(place, {port: name}):
        yield


@contextmanager
def serving(place: Place, names: Mapping[int, str]) -> Iterator[None]:
    """Servers in a place, on TCP and UDP, each with a name; they end with the context."""
    words = (f"{port}={name}" for port, name in names.items())
    servers = place.popen(sys.executable, str(ANSWER), *words)
    last = list(names)[-1]
    try:
        assert wait_until(lambda: ask(place, "127.0.0.1", last) is not None, 10), (
            f"no server {names[last]} on port {last}"
        )
        yield
    finally:
        servers.kill()
        servers.communicate()


def _answer(reply: str) -> Answer | None:
    lines = reply.splitlines()
    if not lines:
        return None
    server, _, client = lines[-1].partition(" ")
    return Answer(server, _plain(client))


def _plain(client: str) -> str:
    address = ip_address(client.strip("[]"))
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)
