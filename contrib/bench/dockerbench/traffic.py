"""Marks 7 to 9: connections, round trips and streams, to published ports and on one bridge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from dockerbench import pairs, peers
from dockerbench.api import IMAGE
from dockerbench.pairs import PUBLISHED, SERVED, Pair, Way
from dockerbench.peers import DRIVERS, MACVLAN, OURS, OURS_AGAIN, PEER, PEER_AGAIN, again
from dockerbench.places import PACKAGES, Place, rate, stream
from dockerbench.publish import scattered
from dockerbench.results import Outcome, Samples
from dockerbench.rounds import Run, Variant
from dockerlab import packages
from dockerlab.host import Host

#: Mark, a way of a pair, and the least ratios to the bridge driver of connects and of round trips.
WAYS: tuple[tuple[int, str, float | None, float | None], ...] = (
    (7, "hairpin", 3.5, 9.0),
    (7, "loopback", 4.0, 12.0),
    (8, "outside", None, None),
    (8, "own", None, None),
    (9, "inner", 1.0, 1.0),
)
NAMES = {
    "hairpin": "published port by hairpin",
    "loopback": "published port by 127.0.0.1",
    "outside": "published port from outside",
    "own": "published port by the host's own address",
    "inner": "same bridge",
    "connects": "connects",
    "trips": "round trips",
}
STREAMS = ((8, "outside", None), (9, "inner", 0.85))
#: iperf3's port, which is published under its own number.
STREAMED = (5201, 5201)
PACKETS_GOAL = 1.3
USUAL = "MTU 1500"

#: Of a network whose bridge lies in pyflat's namespace: a mark, a way, whom it is compared with,
#: and by whose driver, and the least ratios of connects and of round trips.
HOST = "host's namespace"
APART = (
    (9, "inner", PEER, "bridge", 1.6, 1.4),
    (7, "outside", HOST, "pyflat", 0.95, 0.95),
)

#: Ports that are published besides the one that is asked, and what that does to connects: the
#: least ratio to the bridge driver with as many, and to pyflat with one.
OTHERS = 999
CROWD_LIMIT, ONE_LIMIT = 2.0, 0.9
ONE = "one port"

HOW = (
    "Each driver has a host of its own, that of the bridge driver without pyflat; macvlan is with "
    "the bridge, and has eth0 for its parent. Round trips and connects are of one byte, by a small "
    "Python program at both ends, on one processor; what it takes itself, about 1 µs a round trip "
    "and 5 a connect, brings ratios nearer to 1. A connect ends with a reset, after the byte has "
    "come back. Docker's proxy runs where it likes. Streams are iperf3's, for a second, from one "
    "processor to the other. pyflat has published its 1000 ports through the engine; for the "
    "bridge driver, which needs half a minute for that, {others} rules like its own are put before "
    "it in Docker's nat chain by iptables-restore. In Engine 28's filter chain, which begins with "
    "the newest port, there is nothing before it."
)


def run(run: Run) -> Outcome:
    """Measure on four hosts: of each driver, of pyflat with 1000 ports, with its bridge apart."""
    packages.ensure(PACKAGES)
    with run.lab(hosts=4, start=False) as lab:
        ours, peer, full, inner = lab.hosts
        for host in lab.hosts:
            host.start("pyflat", plugin=host is not peer)
            host.load_image(IMAGE)
        both = {"pyflat": _pair(run, ours, "pyflat"), "bridge": _pair(run, peer, "bridge")}
        crowded = _pair(run, full, "pyflat", OTHERS)
        apart = _pair(run, inner, "pyflat", Options={"namespace": "own"})
        both[MACVLAN] = _pair(run, peer, MACVLAN)
        outside = Place(lab.outside)
        parts = [*_rates(run, both, outside), *_streams(run, both, outside), _packets(run, ours)]
        parts += _apart(run, outside, both, apart)
        _lengthen_chain(peer)
        parts.append(_crowds(run, outside, both, crowded))
    lines = [line for part in parts for line in part.lines]
    samples = {name: values for part in parts for name, values in part.samples.items()}
    return Outcome(lines, samples, HOW.format(others=OTHERS))


def _pair(run: Run, host: Host, driver: str, others: int = 0, **fields: Any) -> Pair:
    if driver == MACVLAN:
        more = peers.options(driver)
        return pairs.start(run.docker(host), host, driver, driver, "10.69.0.0/24", **more)
    ports = [(SERVED, PUBLISHED), *(scattered(others) or [STREAMED])]
    return pairs.start(run.docker(host), host, "net", driver, "10.67.0.0/24", ports, **fields)


def _way(name: str, pair: Pair, outside: Place) -> Way:
    return {
        "hairpin": pair.hairpin,
        "loopback": pair.loopback,
        "own": pair.own,
        "outside": pair.outside(outside),
        "inner": pair.inner,
    }[name]


def _drivers(way: str) -> Mapping[str, str]:
    """Give who is compared: macvlan publishes no port."""
    return DRIVERS | {MACVLAN: MACVLAN} if way == "inner" else DRIVERS


def _rates(run: Run, both: Mapping[str, Pair], outside: Place) -> Iterable[Outcome]:
    for mark, way, *limits in WAYS:
        for what, limit in zip(("connects", "trips"), limits, strict=True):
            name = f"{NAMES[way]}, {NAMES[what]}"
            variants = {
                variant: _rate(run, name, what, _way(way, both[driver], outside))
                for variant, driver in _drivers(way).items()
            }
            samples = run.interleave(name, variants, run.pick(9, 2))
            yield _compared(mark, name, samples, limit, "/s")


def _compared(mark: int, name: str, samples: Samples, limit: float | None, unit: str) -> Outcome:
    line = partial(peers.line, mark, name, samples, name, unit=unit, at_least=True)
    others = [line(None, peer=peer) for peer in (MACVLAN,) if peer in samples[name]]
    return Outcome([line(limit), *others], samples)


def _rate(run: Run, name: str, what: str, way: Way) -> Variant:
    milliseconds = run.pick(400, 100)
    return lambda: {name: rate(*way, what, milliseconds)}


def _apart(run: Run, outside: Place, both: Mapping[str, Pair], apart: Pair) -> Iterable[Outcome]:
    """Measure a network whose bridge lies in pyflat's namespace, within and from outside."""
    for mark, way, peer, driver, *limits in APART:
        asked = {OURS: apart, OURS_AGAIN: apart, peer: both[driver], again(peer): both[driver]}
        for what, limit in zip(("connects", "trips"), limits, strict=True):
            name = f"{NAMES[way]}, {NAMES[what]}, bridge in own namespace"
            variants = {
                variant: _rate(run, name, what, _way(way, pair, outside))
                for variant, pair in asked.items()
            }
            samples = run.interleave(name, variants, run.pick(9, 2))
            line = partial(peers.line, mark, name, samples, name, limit, unit="/s", at_least=True)
            yield Outcome([line(peer=peer)], samples)


def _streams(run: Run, both: Mapping[str, Pair], outside: Place) -> Iterable[Outcome]:
    for mark, way, limit in STREAMS:
        name = f"{NAMES[way]}, stream"
        variants = {
            variant: _stream(name, both[driver], outside if way == "outside" else None)
            for variant, driver in _drivers(way).items()
        }
        samples = run.interleave(name, variants, run.pick(9, 1))
        yield _compared(mark, name, samples, limit, "Gbit/s")


def _packets(run: Run, host: Host) -> Outcome:
    """Compare an internal network of pyflat that has the largest packets with a usual one."""
    large, usual = (
        pairs.start(
            run.docker(host),
            host,
            f"mtu{mtu}",
            "pyflat",
            subnet,
            Internal=True,
            Options={"com.docker.network.driver.mtu": str(mtu)},
        )
        for mtu, subnet in ((65535, "10.68.0.0/24"), (1500, "10.68.1.0/24"))
    )
    name = f"--internal, stream, MTU 65535 (goal {PACKETS_GOAL})"
    asked = {OURS: large, OURS_AGAIN: large, USUAL: usual, again(USUAL): usual}
    variants = {variant: _stream(name, pair) for variant, pair in asked.items()}
    samples = run.interleave("packet sizes", variants, run.pick(9, 1))
    line = peers.line(9, name, samples, name, None, peer=USUAL, unit="Gbit/s", at_least=True)
    return Outcome([line], samples)


def _stream(name: str, pair: Pair, outside: Place | None = None) -> Variant:
    """Give what sends to a server: from its client, or from outside to its published port."""
    if outside is None:
        return lambda: {name: stream(pair.client, pair.server, pair.address)}
    return lambda: {name: stream(outside, pair.server, pair.host.address4)}


def _crowds(run: Run, outside: Place, both: Mapping[str, Pair], crowded: Pair) -> Outcome:
    ours, peer = both["pyflat"], both["bridge"]
    name = f"connects from outside, {OTHERS + 1} ports published"
    asked = {
        OURS: crowded,
        OURS_AGAIN: crowded,
        PEER: peer,
        PEER_AGAIN: peer,
        ONE: ours,
        again(ONE): ours,
    }
    variants = {
        variant: _rate(run, name, "connects", pair.outside(outside))
        for variant, pair in asked.items()
    }
    samples = run.interleave(name, variants, run.pick(9, 2))
    line = partial(peers.line, 8, samples=samples, operation=name, unit="/s", at_least=True)
    lines = [
        line(name, limit=CROWD_LIMIT),
        line(name, limit=ONE_LIMIT, peer=ONE),
    ]
    return Outcome(lines, samples)


def _lengthen_chain(host: Host) -> None:
    """Put rules before that of the published port, as if more ports had been published first."""
    rules = host.run("iptables", "-t", "nat", "-S", "DOCKER", check=True).stdout
    others = [port for _, port in scattered(OTHERS)]
    restored = like_rule(rules, PUBLISHED, others)
    host.run("iptables-restore", "--noflush", input=restored, check=True)


def like_rule(rules: str, port: int, others: Iterable[int]) -> str:
    """Give what makes iptables-restore put rules for other ports before the rule for `port`.

    `rules` is what ``iptables -t nat -S`` says of its chain. ValueError unless one rule is for it.
    """
    match = f"--dport {port} "
    (rule,) = (rule for rule in rules.splitlines() if match in rule)
    insertion = rule.replace("-A ", "-I ", 1)
    lines = (insertion.replace(match, f"--dport {other} ") for other in others)
    return "\n".join(("*nat", *lines, "COMMIT", ""))
