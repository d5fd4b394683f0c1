"""Marks 10 and 11: what goes through an overlay between two hosts, and past its tunnel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dockerbench import pairs, peers, sides
from dockerbench.pairs import Pair
from dockerbench.peers import OURS, OURS_AGAIN, SWARM, again
from dockerbench.places import PACKAGES, rate, stream
from dockerbench.results import Line, Outcome, Samples
from dockerbench.rounds import Run, Variant
from dockerlab import Lab, packages
from dockerlab.host import Host

HOSTS, DIRECT = f"{OURS}, host's namespace", f"{OURS}, direct"
CONNECTS, TRIPS = "connects", "trips"
STREAM, PLAIN = "stream", "stream, no tunnel offload"
NAMES = {CONNECTS: "connects", TRIPS: "round trips"}

#: Mark, variant, and the least ratios to the swarm's overlay.
LIMITS: tuple[tuple[int, str, Mapping[str, float | None]], ...] = (
    (10, OURS, {STREAM: 1.0, TRIPS: 1.1, CONNECTS: 1.0, PLAIN: None}),
    (10, HOSTS, {STREAM: 0.92, TRIPS: 0.95, CONNECTS: 0.95, PLAIN: None}),
    (11, DIRECT, {STREAM: None, TRIPS: 1.2, CONNECTS: 1.2, PLAIN: 2.5}),
)
#: What a network card without segmentation offload for tunnels lacks.
OFFLOADS = ("tx-udp_tnl-segmentation", "tx-udp_tnl-csum-segmentation")

HOW = (
    "Each kind of overlay has two hosts of its own; those of the swarm are without pyflat, and "
    "direct networks are on the hosts of the first kind. The client is on one host and the server "
    "on the other, with addresses that were asked for. Without tunnel offload: ethtool has "
    "switched off {offloads} on eth0 of all hosts, as on a card that cuts TCP into packets, but "
    "not within a tunnel. In the host's namespace: pyflat serve --namespace ''."
)


def run(run: Run) -> Outcome:
    """Measure on six hosts: two for the swarm, two for each place where a bridge can be."""
    packages.ensure(PACKAGES)
    with run.lab(hosts=6, etcd=True, start=False) as lab:
        asked = _pairs(run, lab)
        samples = {
            **_rates(run, asked, CONNECTS),
            **_rates(run, asked, TRIPS),
            **_streams(run, asked, STREAM),
        }
        if not run.quick:
            for host in lab.hosts:
                _switch_off(host)
            samples |= _streams(run, asked, PLAIN)
    return Outcome(list(_lines(samples)), samples, HOW.format(offloads=" and ".join(OFFLOADS)))


def _pairs(run: Run, lab: Lab) -> dict[str, Pair]:
    sides.start_etcd(lab)
    first, second, third, fourth, fifth, sixth = lab.hosts
    theirs, ours = sides.swarm(run, (first, second)), sides.pyflat(run, (third, fourth))
    for host in (fifth, sixth):
        host.pyflat.args += ["--namespace", ""]
    hosts = sides.pyflat(run, (fifth, sixth))
    theirs.share("net", "10.70.0.0/24", 0)
    ours.share("net", "10.70.0.0/24", 70)
    ours.share("direct", "10.71.0.0/24", 71, direct="true")
    hosts.share("net", "10.70.0.0/24", 72)
    swarm = pairs.across(theirs, "net", "10.70.0.10", "10.70.0.20")
    inside = pairs.across(ours, "net", "10.70.0.10", "10.70.0.20")
    return {
        SWARM: swarm,
        again(SWARM): swarm,
        OURS: inside,
        OURS_AGAIN: inside,
        HOSTS: pairs.across(hosts, "net", "10.70.0.10", "10.70.0.20"),
        DIRECT: pairs.across(ours, "direct", "10.71.0.10", "10.71.0.20"),
    }


def _switch_off(host: Host) -> None:
    words = [word for name in OFFLOADS for word in (name, "off")]
    host.run("ethtool", "-K", "eth0", *words, check=True)


def _rates(run: Run, asked: Mapping[str, Pair], what: str) -> Samples:
    milliseconds = run.pick(400, 100)

    def measure(pair: Pair) -> Variant:
        return lambda: {what: rate(*pair.inner, what, milliseconds)}

    variants = {variant: measure(pair) for variant, pair in asked.items()}
    return run.interleave(f"overlay, {NAMES[what]}", variants, run.pick(9, 1))


def _streams(run: Run, asked: Mapping[str, Pair], name: str) -> Samples:
    def measure(pair: Pair) -> Variant:
        return lambda: {name: stream(pair.client, pair.server, pair.address)}

    variants = {variant: measure(pair) for variant, pair in asked.items()}
    return run.interleave(f"overlay, {name}", variants, run.pick(9, 1))


def _lines(samples: Samples) -> Iterator[Line]:
    for mark, variant, limits in LIMITS:
        for what in samples:
            yield _line(mark, variant, samples, what, limits[what], SWARM)
    for what in samples:
        yield _line(11, DIRECT, samples, what, None, OURS)


def _line(
    mark: int, variant: str, samples: Samples, what: str, limit: float | None, peer: str
) -> Line:
    kind = {OURS: "own namespace", HOSTS: "host's namespace", DIRECT: "direct"}[variant]
    return peers.line(
        mark,
        f"overlay, {kind}, {NAMES.get(what, what)}",
        samples,
        what,
        limit,
        ours=variant,
        peer=peer,
        unit="Gbit/s" if what in (STREAM, PLAIN) else "/s",
        at_least=True,
    )
