"""Mark 4: the whole life of a container, by the number of its published ports."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from dockerbench import peers
from dockerbench.api import Engine, Port
from dockerbench.peers import DRIVERS, OURS, PEER
from dockerbench.results import Line, Outcome, Samples, compare, figure
from dockerbench.rounds import Run, Variant, settle, timed

#: Ports, the ratio to the bridge driver that they must not exceed, and repetitions, quick ones too.
LIMITS = ((1, 1.0, 15, 2), (10, 0.5, 11, 1), (100, 0.1, 4, 0))
MANY = 1000
FIRST = 20000

SCATTERED = f"{OURS}, scattered"
FORMS = {OURS: "in a row", SCATTERED: "scattered"}
LIFE = "run + rm -f, ports published: {}"

HOW = (
    "Ports in a row are {first}:{first} and onwards, one binding each, as -p {first}-…:{first}-… "
    "asks for them; scattered ones have two different numbers and no neighbour. The bridge driver "
    "opens each port by itself, whatever its number, so its ports in a row are the peer of both. "
    "It has 1000 ports once only, and not at all in a quick run: it needs more than a minute. A "
    "quick run has no 100 ports. Run "
    "is create and start."
)


def in_a_row(count: int) -> list[Port]:
    """Give ports that are the same on both sides, and follow one another."""
    return [(port, port) for port in range(FIRST, FIRST + count)]


def scattered(count: int) -> list[Port]:
    """Give ports of which no two make a range, and whose number changes on the way."""
    return [(1 + place, FIRST + 2 * place) for place in range(count)]


def run(run: Run) -> Outcome:
    """Measure on one host, in a network of each driver."""
    samples: Samples = {}
    with run.lab() as lab:
        docker = run.docker(lab.host("h1"))
        for number, driver in enumerate(("pyflat", "bridge")):
            docker.create_network(f"net-{driver}", driver, f"10.66.{number}.0/24")
        lives = partial(_lives, docker)
        for count, _, *repetitions in LIMITS:
            variants = lives(count, (*DRIVERS, SCATTERED))
            samples |= run.interleave(f"{count} ports", variants, run.pick(*repetitions))
        many = run.interleave(f"{MANY} ports", lives(MANY, (OURS, SCATTERED)), run.pick(5, 1))
        if not run.quick:
            many[LIFE.format(MANY)][PEER] = list(lives(MANY, (PEER,))[PEER]().values())
    lines = [
        line
        for count, limit, *_ in LIMITS
        if LIFE.format(count) in samples
        for line in _lines(samples, count, limit)
    ]
    return Outcome(lines + _many(many), samples | many, HOW.format(first=FIRST))


def _lives(docker: Engine, count: int, variants: Sequence[str]) -> dict[str, Variant]:
    """Give what measures each variant: its driver is its network."""
    return {
        variant: partial(
            _life,
            docker,
            f"net-{DRIVERS.get(variant, 'pyflat')}",
            LIFE.format(count),
            (scattered if variant == SCATTERED else in_a_row)(count),
        )
        for variant in variants
    }


def _life(docker: Engine, network: str, name: str, ports: Sequence[Port]) -> dict[str, float]:
    def begin() -> None:
        docker.create_container("one", network, ports)
        docker.start("one")

    settle()
    taken = timed(begin)
    settle()
    return {name: taken + timed(lambda: docker.remove_container("one"))}


def _lines(samples: Samples, count: int, limit: float) -> list[Line]:
    name = LIFE.format(count)
    return [
        peers.line(4, f"{name}, {form}", samples, name, limit, ours=variant)
        for variant, form in FORMS.items()
    ]


def _many(samples: Samples) -> list[Line]:
    name = LIFE.format(MANY)
    of = samples[name]
    peer = of.get(PEER)

    def line(variant: str, form: str) -> Line:
        what = f"{name}, {form}"
        if peer is None:
            return figure(4, what, of[variant], "ms")
        return compare(4, what, of[variant], peer * len(of[variant]), peer=PEER)

    return [line(variant, form) for variant, form in FORMS.items()]
