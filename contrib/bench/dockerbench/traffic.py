"""Marks 7 to 9: connections, round trips and streams, to published ports and on one bridge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from operator import attrgetter

from dockerbench import pairs, peers
from dockerbench.api import IMAGE
from dockerbench.pairs import PUBLISHED, SERVED, Pair, Way
from dockerbench.peers import DRIVERS, OURS, OURS_AGAIN, PEER, PEER_AGAIN, again
from dockerbench.places import PACKAGES, Place, rate, stream
from dockerbench.publish import scattered
from dockerbench.results import Outcome
from dockerbench.rounds import Run, Variant
from dockerlab import packages
from dockerlab.host import Host

#: Mark, a way of a pair, and the least ratios to the bridge driver of connects and of round trips.
WAYS = (
    (7, "hairpin", 3.5, 9.0),
    (7, "loopback", 4.0, 12.0),
    (9, "inner", 1.0, 1.0),
)
NAMES = {
    "hairpin": "published port by hairpin",
    "loopback": "published port by 127.0.0.1",
    "inner": "same bridge",
    "connects": "connects",
    "trips": "round trips",
}
STREAM_LIMIT, PACKETS_GOAL = 0.85, 1.3
USUAL = "1500"

#: Ports that are published besides the one that is asked, and what that does to connects: the
#: least ratio to the bridge driver with as many, and to pyflat with one.
OTHERS = 999
CROWD_LIMIT, ONE_LIMIT = 2.0, 0.9
ONE = "one port"

HOW = (
    "Each driver has a host of its own, that of the bridge driver without pyflat. Round trips and "
    "connects are of one byte, by a small Python program at both ends, on one processor; what it "
    "takes itself, about 1 µs a round trip and 5 a connect, brings ratios nearer to 1. A connect "
    "ends with a reset, after the byte has come back. Docker's proxy runs where it likes. Streams "
    "are iperf3's, for a second, from one processor to the other. pyflat has published its 1000 "
    "ports through the engine; for the bridge driver, which needs half a minute for that, {others} "
    "rules like its own are put before it in Docker's nat chain by iptables-restore. In Engine "
    "28's filter chain, which begins with the newest port, there is nothing before it."
)


def run(run: Run) -> Outcome:
    """Measure on three hosts: one of each driver, and one of pyflat with 1000 ports."""
    packages.ensure(PACKAGES)
    with run.lab(hosts=3, start=False) as lab:
        ours, peer, full = lab.hosts
        for host in lab.hosts:
            host.start("pyflat", plugin=host is not peer)
            host.load_image(IMAGE)
        both = {"pyflat": _pair(run, ours, "pyflat"), "bridge": _pair(run, peer, "bridge")}
        crowded = _pair(run, full, "pyflat", OTHERS)
        parts = [*_rates(run, both), _streams(run, both), _packets(run, ours)]
        _lengthen_chain(peer)
        parts.append(_crowds(run, Place(lab.outside), both, crowded))
    lines = [line for part in parts for line in part.lines]
    samples = {name: values for part in parts for name, values in part.samples.items()}
    return Outcome(lines, samples, HOW.format(others=OTHERS))


def _pair(run: Run, host: Host, driver: str, others: int = 0) -> Pair:
    ports = [(SERVED, PUBLISHED), *scattered(others)]
    return pairs.start(run.docker(host), host, "net", driver, "10.67.0.0/24", ports)


def _rates(run: Run, both: Mapping[str, Pair]) -> Iterable[Outcome]:
    for mark, way, *limits in WAYS:
        ways = {driver: attrgetter(way)(pair) for driver, pair in both.items()}
        for what, limit in zip(("connects", "trips"), limits, strict=True):
            name = f"{NAMES[way]}, {NAMES[what]}"
            variants = {
                variant: _rate(run, name, what, ways[driver]) for variant, driver in DRIVERS.items()
            }
            samples = run.interleave(name, variants, run.pick(11, 3))
            line = peers.line(mark, name, samples, name, limit, unit="/s", at_least=True)
            yield Outcome([line], samples)


def _rate(run: Run, name: str, what: str, way: Way) -> Variant:
    milliseconds = run.pick(500, 200)
    return lambda: {name: rate(*way, what, milliseconds)}


def _streams(run: Run, both: Mapping[str, Pair]) -> Outcome:
    name = f"{NAMES['inner']}, stream"
    variants = {variant: _stream(name, both[driver]) for variant, driver in DRIVERS.items()}
    samples = run.interleave(name, variants, run.pick(11, 2))
    line = peers.line(9, name, samples, name, STREAM_LIMIT, unit="Gbit/s", at_least=True)
    return Outcome([line], samples)


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
    name = f"--internal, stream: MTU 65535 ÷ {USUAL} (goal {PACKETS_GOAL})"
    asked = {OURS: large, OURS_AGAIN: large, USUAL: usual, again(USUAL): usual}
    variants = {variant: _stream(name, pair) for variant, pair in asked.items()}
    samples = run.interleave("packet sizes", variants, run.pick(11, 2))
    return Outcome([peers.line(9, name, samples, name, None, peer=USUAL, unit="Gbit/s")], samples)


def _stream(name: str, pair: Pair) -> Variant:
    return lambda: {name: stream(pair.client, pair.server, pair.address)}


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
    samples = run.interleave(name, variants, run.pick(11, 5))
    line = partial(peers.line, 8, samples=samples, operation=name, unit="/s", at_least=True)
    lines = [
        line(name, limit=CROWD_LIMIT),
        line(f"{name} ÷ {ONE}", limit=ONE_LIMIT, peer=ONE),
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
