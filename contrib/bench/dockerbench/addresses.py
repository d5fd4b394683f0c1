"""Mark 13: an address from a large pool that is nearly full, against one from a small pool."""

from __future__ import annotations

from functools import partial

from dockerbench.api import Plugin
from dockerbench.prepared import fill_pool
from dockerbench.results import Outcome, compare
from dockerbench.rounds import Run, timed
from dockerlab.host import Host

LIMIT = 1.2
#: Addresses left in each pool, the last ones: the worst case for who searches from the front.
FREE = 8
#: Seconds for an answer; the first one comes only when the pool has been read.
PATIENCE = 120.0
SMALL, SMALL_AGAIN, LARGE = "256", "256 again", "large"

HOW = (
    "RequestAddress at the plugin's own socket, each followed by ReleaseAddress; two plugins, "
    "whose state was written by pyflat's own store before they started. Both pools have {free} "
    "addresses left, the last ones."
)


def run(run: Run) -> Outcome:
    """Measure on two hosts without Docker: one plugin has the small pool, the other the large."""
    prefix = run.pick(12, 18)
    size = 2 ** (32 - prefix)
    with run.lab(hosts=2, start=False) as lab:
        run.progress("filling pools", 0, 2)
        small = _ask(lab.host("h1"), "10.16.0.0/24")
        run.progress("filling pools", 1, 2)
        large = _ask(lab.host("h2"), f"10.0.0.0/{prefix}")
        variants = {SMALL: small, SMALL_AGAIN: small, LARGE: large}
        samples = run.interleave("addresses", variants, run.pick(51, 15))
    of = samples["RequestAddress"]
    what = f"RequestAddress, pool of {size} nearly full"
    control = (of[SMALL_AGAIN], of[SMALL])
    line = compare(
        13,
        what,
        of[LARGE],
        of[SMALL],
        peer="pool of 256",
        series="address from a pool that is nearly full",
        size=size // 256,
        limit=LIMIT,
        control=control,
    )
    return Outcome([line], samples, HOW.format(free=FREE))


def _ask(host: Host, cidr: str) -> partial[dict[str, float]]:
    """Start a plugin with a pool that is nearly full, and give what asks it for an address."""
    pool = fill_pool(host.path("/var/lib/pyflat"), cidr, FREE)
    host.pyflat.start()
    plugin = Plugin(host.path("/run/docker/plugins/pyflat.sock"), PATIENCE)
    plugin.call("Plugin.Activate")
    return partial(_take, plugin, pool)


def _take(plugin: Plugin, pool: str) -> dict[str, float]:
    given: list[str] = []

    def request() -> None:
        given.append(plugin.call("IpamDriver.RequestAddress", PoolID=pool, Address="")["Address"])

    taken = timed(request)
    address = given[0].partition("/")[0]
    release = timed(lambda: plugin.call("IpamDriver.ReleaseAddress", PoolID=pool, Address=address))
    return {"RequestAddress": taken, "ReleaseAddress": release}
