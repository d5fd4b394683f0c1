"""Two networks and three containers that Docker starts again, and whether all of it works."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import sleep

from tests.docker.client import Container, Docker
from tests.docker.crash import Identity, identities, kinds
from tests.docker.outage import Flow, asking, echoing, pinging
from tests.docker.plugin import answers
from tests.docker.pools import given_out, pools
from tests.docker.reach import answering, server_of
from tests.docker.traces import Traces, difference, records, traces

from dockerlab import Lab
from dockerlab.processes import wait_until

BLUE = ("--ipv6", "--subnet", "10.90.0.0/24", "--subnet", "fd90::/64")
GREEN = ("--ipv6", "--subnet", "10.91.0.0/24", "--subnet", "fd91::/64")
STATIC = ("--ip", "10.91.0.9", "--ip6", "fd91::9")
POOLS, GATEWAYS = {"10.91.0.0/24", "fd91::/64"}, {"10.91.0.1", "fd91::1"}
WEB, ECHO, LOCAL = 81, 5353, 82
NAMES = ("web", "echo", "local")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Who the containers are, and all traces on the host."""

    identities: list[Identity]
    traces: Traces


class Workload:
    """`web` in both networks, `echo` in one with Docker's addresses, `local` in one with ours."""

    def __init__(self, lab: Lab) -> None:
        self.outside = lab.outside
        self.host = lab.host("h1")
        self.docker = Docker(self.host)
        self.web, self.echo, self.local = (Container(self.docker, name) for name in NAMES)

    def start(self) -> None:
        docker, always = self.docker, ("--restart", "always")
        docker.network("blue", *BLUE)
        docker.network("green", "--ipam-driver", self.host.driver, *GREEN)
        docker.web("web", *always, "--network", "blue", "-p", f"{WEB}:80")
        docker("network", "connect", "green", "web")
        docker.run("echo", *always, "--network", "blue", "-p", f"{ECHO}:{ECHO}/udp")
        ours = ("--network", "green", *STATIC)
        docker.web("local", *always, *ours, "-p", f"127.0.0.1:{LOCAL}:80")

    def mend(self) -> None:
        """Begin anew where something has left it broken."""
        for daemon in (self.host.pyflat, self.host.dockerd):
            if not daemon.running:
                daemon.start()
        assert answers(self.host)
        self.docker.remove_all()
        self.start()

    def snapshot(self) -> Snapshot:
        return Snapshot(self._identities(), traces(self.host))

    def runs(self) -> bool:
        """Whether Docker says so, and a published port answers."""
        done = self.host.run("docker", "inspect", "-f", "{{.State.Running}}", *NAMES)
        return done.stdout.split() == ["true"] * len(NAMES) and self.answers_outside()

    def answers_outside(self) -> bool:
        return server_of(self.outside, self.host.address4, WEB) == "web"

    @contextmanager
    def flows(self) -> Iterator[tuple[Flow, Flow]]:
        """Traffic for as long as the context lasts: between two containers, and from outside."""
        inside, outside = self.echo.address("blue"), self.host.address4
        with (
            echoing(self.echo, ECHO),
            pinging(self.web, inside) as one,
            asking(self.outside, outside, ECHO) as other,
        ):
            # Programs need a moment to begin.
            sleep(0.5)
            yield one, other

    def troubles(self) -> list[str]:
        """What does not work or has been left over, in words."""
        return [what for what, fine in (*self._reached(), *self._recorded()) if not fine]

    def same(self, before: Snapshot) -> list[str]:
        """How the host differs from before, where containers have run on."""
        changed = [] if self._identities() == before.identities else ["other endpoints"]
        return changed + difference(before.traces, traces(self.host))

    def renewed(self, before: Snapshot) -> list[str]:
        """How it differs from before but for ids, where containers were started again."""
        after = self._identities()
        # Which of them gets which address is dockerd's choice.
        same = {own.addresses for own in after} == {own.addresses for own in before.identities}
        old = {own.endpoint for own in after} & {own.endpoint for own in before.identities}
        counted = kinds(before.traces)
        wait_until(lambda: kinds(traces(self.host)) == counted, 2, 0.2)
        found = kinds(traces(self.host))
        changed = [f"{kind}: {counted[kind]} → {found[kind]}" for kind in counted | found
                   if counted[kind] != found[kind]]  # fmt: skip
        return [*changed, *([] if same else ["other addresses"]), *old]

    def _identities(self) -> list[Identity]:
        blue = identities("blue", self.web, self.echo)
        return blue + identities("green", self.web, self.local)

    def _reached(self) -> Iterator[tuple[str, bool]]:
        host, outside = self.host, self.outside
        for asker, name in ((self.web, "echo"), (self.web, "local"), (self.echo, "web"),
                            (self.local, "web")):  # fmt: skip
            yield f"{name} by name from {asker.name}", asker.pings_name(name)
        for place, address, port, name in (
            (outside, host.address4, WEB, "web"),
            (outside, host.address6, WEB, "web"),
            (host, "127.0.0.1", WEB, "web"),
            (host, "127.0.0.1", LOCAL, "local"),
        ):
            yield f"port {port} at {address}", server_of(place, address, port) == name
        with answering(self.echo, ECHO, "echo"):
            for place, address in ((outside, host.address4), (host, "127.0.0.1")):
                answer = server_of(place, address, ECHO, udp=True)
                yield f"udp port {ECHO} at {address}", answer == "echo"

    def _recorded(self) -> Iterator[tuple[str, bool]]:
        """Whether pyflat's records and the kernel are what dockerd has."""
        host = self.host
        yield "plan finds nothing to do", host.ask_pyflat("plan").returncode == 0
        networks = ("network", "ls", "-q", "--no-trunc", "--filter", f"driver={host.driver}")
        blue_and_green = self._identities()
        endpoints = [own.endpoint for own in blue_and_green]
        wanted = {("network", one) for one in self.docker(*networks).split()}
        wanted |= {("endpoint", one) for one in endpoints}
        rows = [tuple(row.split()[:2]) for row in records(host)]
        yield "its records", {row for row in rows if row[0] in ("network", "endpoint")} == wanted
        published = [row[1] for row in rows if row[0] == "publication"]
        yield "its publications", len(published) == len(NAMES) and {*published} <= {*endpoints}
        yield "its pools", pools(host) == POOLS
        given = {own for identity in blue_and_green[2:] for own in identity.addresses[1:]}
        yield "the addresses given out", given_out(host) == given | GATEWAYS
