"""Mark 4: what published ports add."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from dockerbench.api import Engine, Plugin
from dockerbench.peers import OURS, OURS_AGAIN, PEER
from dockerbench.results import Line, Outcome, Samples, figure
from dockerbench.rounds import Run, settle, timed
from dockerbench.sampling import differences, median_interval, ratios, reach, sums
from dockerlab.host import Host

PORTS = [(port, port) for port in range(20000, 20010)]
MANY = range(21000, 22000)
LIMIT = 0.05

HOW = (
    "10 ports: (start + kill with ports, less the same without) of pyflat, by that of bridge. Its "
    "control is pyflat without ports once more in the place of pyflat with ports: what 0 looks "
    "like. 1000 ports are asked for at the plugin's own socket: a call with its JSON, the commit, "
    "1000 held sockets and the firewall's transaction; the mark of 20 ms is for the last alone."
)


def run(run: Run) -> Outcome:
    """Measure on one host: containers through the engine, then 1000 ports at the plugin itself."""
    with run.lab() as lab:
        host = lab.host("h1")
        docker = run.docker(host)
        containers = {
            OURS: ("ours-plain", "pyflat", ()),
            OURS_AGAIN: ("ours-again", "pyflat", ()),
            PEER: ("peer-plain", "bridge", ()),
            f"{OURS} with ports": ("ours-ports", "pyflat", PORTS),
            f"{PEER} with ports": ("peer-ports", "bridge", PORTS),
        }
        for number, driver in enumerate(("pyflat", "bridge")):
            docker.create_network(f"net-{driver}", driver, f"10.62.{number}.0/24")
        for name, driver, ports in containers.values():
            docker.create_container(name, f"net-{driver}", ports)
        variants = {key: partial(_cycle, docker, value[0]) for key, value in containers.items()}
        samples = run.interleave("10 ports", variants, run.pick(15, 5))
        many = run.interleave("1000 ports", {OURS: _Many(host)}, run.pick(21, 7))
    lines = [_line(samples)]
    for name, values in many.items():
        lines.append(figure(4, f"{name}: the whole call", values[OURS], "ms"))
    return Outcome(lines, samples | many, HOW)


def _cycle(docker: Engine, name: str) -> dict[str, float]:
    settle()
    start = timed(lambda: docker.start(name))
    settle()
    return {"start": start, "kill": timed(lambda: docker.kill(name))}


def _line(samples: Samples) -> Line:
    def both(variant: str) -> Sequence[float]:
        return sums(samples["start"][variant], samples["kill"][variant])

    ours = differences(both(f"{OURS} with ports"), both(OURS))
    peer = differences(both(f"{PEER} with ports"), both(PEER))
    nothing = median_interval(ratios(differences(both(OURS_AGAIN), both(OURS)), peer))
    return Line(
        mark=4,
        what="10 ports, added to start + kill",
        value=median_interval(ratios(ours, peer)),
        limit=LIMIT,
        peer=PEER,
        ours=median_interval(ours).median,
        peers=median_interval(peer).median,
        own_control=nothing,
        slack=reach(nothing, 0.0),
    )


class _Many:
    """Publishes and withdraws 1000 ports of an endpoint that dockerd knows nothing of."""

    def __init__(self, host: Host) -> None:
        self._plugin = Plugin(host.path("/run/docker/plugins/pyflat.sock"))
        self._ids = {"NetworkID": "b" * 64, "EndpointID": "e" * 64}
        subnet = {"AddressSpace": "", "Pool": "10.63.0.0/24", "Gateway": "10.63.0.1/24"}
        call = self._plugin.call
        call("NetworkDriver.CreateNetwork", NetworkID="b" * 64, IPv4Data=[subnet], Options={})
        interface = {"Address": "10.63.0.2/24", "AddressIPv6": "", "MacAddress": ""}
        call("NetworkDriver.CreateEndpoint", **self._ids, Interface=interface, Options={})
        call("NetworkDriver.Join", **self._ids, SandboxKey="/var/run/docker/netns/none")

    def __call__(self) -> dict[str, float]:
        binding = {"Proto": 6, "IP": "", "HostIP": ""}
        ports = [binding | {"Port": n, "HostPort": n, "HostPortEnd": n} for n in MANY]
        options = {"com.docker.network.portmap": ports}
        call = partial(self._plugin.call, **self._ids)
        program = partial(call, "NetworkDriver.ProgramExternalConnectivity", Options=options)
        revoke = partial(call, "NetworkDriver.RevokeExternalConnectivity")
        return {"publish 1000 ports": timed(program), "withdraw 1000 ports": timed(revoke)}
