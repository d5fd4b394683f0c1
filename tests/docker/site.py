"""A host where networks of pyflat and of Docker are at work, and who reaches whom there."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from tests.docker.client import Docker
from tests.docker.labels import leaks, ways_in
from tests.docker.plugin import answers
from tests.docker.reach import INTERNET, Answer, Place, answering
from tests.docker.ways import Way, astray, walk

from dockerlab import Lab
from dockerlab.processes import wait_until
from dockerlab.underlay import OUTSIDE

BLUE, BLUE6 = "10.90.0.0/24", "fd90::/64"
GREEN, GREEN6 = "10.91.0.0/24", "fd91::/64"
#: The bridge of green, a name of the user's own choice.
GREEN_BRIDGE = "greenbr"
PORT, DOCKERS_PORT, INTERNET_PORT = 81, 82, 7000
#: Seconds in which all works again when another firewall has begun anew.
GRACE = 2
# They come back with dockerd.
_KEPT = ("--restart", "always")


class Site:
    """h1 of a lab, where dockerd runs: pyflat is started when Docker's own network is seen.

    On blue are a server, web, whose port is published, and near; on green is other; on Docker's
    own bridge is stranger, whose port is published, too.
    """

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.host = lab.host("h1")
        docker = Docker(self.host)
        self.stranger = docker.web("stranger", *_KEPT, "-p", f"{DOCKERS_PORT}:80")
        # Its server may be late; where dockerd makes no rules, not all has an answer.
        wait_until(lambda: None not in self._dockers().values(), 3)
        self._dockers_before = self._dockers()
        self.host.pyflat.start()
        assert answers(self.host)
        name = ("-o", f"com.docker.network.bridge.name={GREEN_BRIDGE}")
        docker.network("blue", "--ipv6", "--subnet", BLUE, "--subnet", BLUE6)
        docker.network("green", "--ipv6", "--subnet", GREEN, "--subnet", GREEN6, *name)
        self.web = docker.web("web", *_KEPT, "--network", "blue", "-p", f"{PORT}:80")
        self.near = docker.run("near", *_KEPT, "--network", "blue")
        self.other = docker.web("other", *_KEPT, "--network", "green")

    def wrong(self) -> dict[str, Answer | None]:
        """What does not get the answer that it has to get, and what it gets instead."""
        ways = [way for version in (4, 6) for way in self._ways(version)]
        return astray((*ways, *self._ways_beside()))

    def leaks(self) -> list[str]:
        """The addresses that answer somebody who must not reach them."""
        web = [self.web.address("blue", version) for version in (4, 6)]
        other = [self.other.address("green", version) for version in (4, 6)]
        stranger = self.stranger.address("bridge")
        closed: dict[str, tuple[Place, Iterable[str]]] = {
            "blue": (self.near, (*other, stranger)),
            "green": (self.other, (*web, stranger)),
            "Docker's": (self.stranger, (web[0], other[0])),
            "outside": (self.lab.outside, (*web, *other)),
        }
        with ways_in(self.lab, BLUE, BLUE6, GREEN, GREEN6):
            return leaks(closed)

    def dockers_changes(self) -> dict[str, Answer | None]:
        """What Docker's own network answers otherwise than before pyflat was started."""
        now = self._dockers()
        return {name: now[name] for name in now if now[name] != self._dockers_before[name]}

    def _ways(self, version: int) -> Iterator[Way]:
        web, near, other, host = self.web, self.near, self.other, self.host
        own = {4: host.address4, 6: host.address6}[version]
        gateway = {4: "10.90.0.1", 6: "fd90::1"}[version]
        inside = web.address("blue", version), near.address("blue", version)
        beside = other.address("green", version)
        outside = OUTSIDE[version == 6]
        for name, place, address, port, server, client in (
            ("neighbour", near, inside[0], 80, "web", inside[1]),
            ("from blue to the outside", near, INTERNET[version], INTERNET_PORT, "internet", own),
            ("from green to the outside", other, INTERNET[version], INTERNET_PORT, "internet", own),
            ("port from outside", self.lab.outside, own, PORT, "web", outside),
            ("port from the host", host, own, PORT, "web", own),
            ("port from its neighbour", near, own, PORT, "web", gateway),
            ("port from itself", web, own, PORT, "web", gateway),
            ("port from green", other, own, PORT, "web", beside),
            ("other from the host", host, beside, 80, "other", None),
        ):
            yield Way(f"{name}, IPv{version}", place, address, port, server, client)

    def _ways_beside(self) -> Iterator[Way]:
        host = self.host
        yield Way("port by 127.0.0.1", host, "127.0.0.1", PORT, "web", "10.90.0.1")
        yield Way("port from Docker's", self.stranger, host.address4, PORT, "web")
        yield Way("Docker's port from blue", self.near, host.address4, DOCKERS_PORT, "stranger")
        yield Way("Docker's from the host", host, self.stranger.address("bridge"), 80, "stranger")

    def _dockers(self) -> dict[str, Answer | None]:
        host = self.host
        ways = (
            Way("from outside", self.lab.outside, host.address4, DOCKERS_PORT, "stranger"),
            Way("by 127.0.0.1", host, "127.0.0.1", DOCKERS_PORT, "stranger"),
            Way("to the outside", self.stranger, INTERNET[4], INTERNET_PORT, "internet"),
        )
        return {way.name: answer for way, answer in walk(ways)}


@contextmanager
def at_work(lab: Lab) -> Iterator[Site]:
    """The site on a lab whose dockerd runs, with a server on the Internet."""
    lab.host("h1").load_image("busybox")
    with answering(lab.outside, INTERNET_PORT, "internet"):
        yield Site(lab)


def assert_works(site: Site, *, after: float = 0) -> None:
    """All that has to get through does, once the seconds have passed, and nothing else."""
    time.sleep(after)
    assert site.wrong() == {}
    assert site.leaks() == []
    assert site.dockers_changes() == {}
