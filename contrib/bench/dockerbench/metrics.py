"""Mark 17: what it costs requests that somebody watches, and that everything is counted."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from ipaddress import IPv4Address
from itertools import count

from dockerbench.api import Plugin
from dockerbench.results import Outcome, compare, figure
from dockerbench.rounds import Run, settle, timed
from dockerlab.host import Host
from pyflat.counts import Durations

LIMIT = 1.01
COUNTING_LIMIT = 1.0
#: Endpoints that are made and deleted for one sample.
CROWD = 20
PLAIN, PLAIN_AGAIN, WATCHED = "plain", "plain again", "watched"
NETWORK, SUBNET = "70" * 32, "10.70.0.0/16"
ADDRESS = ("127.0.0.1", 9470)

_READ = f"""
import time, urllib.request
while True:
    urllib.request.urlopen("http://{ADDRESS[0]}:{ADDRESS[1]}/metrics").read()
    time.sleep(1)
"""

HOW = (
    f"CreateEndpoint and DeleteEndpoint at the plugin's own socket, {CROWD} of each for a sample; "
    "two plugins, of which one serves metrics that are read each second. Counting is always on: "
    "its share is what the numbers of one request take, in a process of its own, of what such a "
    "request takes."
)


def run(run: Run) -> Outcome:
    """Measure on two hosts without Docker, of which one is watched."""
    with run.lab(hosts=2, start=False) as lab:
        plain, watched = lab.hosts
        watched.pyflat.env = {"PYFLAT_WEB": f"{ADDRESS[0]}:{ADDRESS[1]}"}
        numbers = count(2)
        one, other = (partial(_endpoints, _plugin(host), numbers) for host in (plain, watched))
        with _read_all_the_time(watched):
            variants = {PLAIN: one, PLAIN_AGAIN: one, WATCHED: other}
            samples = run.interleave("metrics", variants, run.pick(101, 25))
    of = samples["request"]
    control = (of[PLAIN_AGAIN], of[PLAIN])
    what = "a request of a plugin that is watched"
    line = compare(17, what, of[WATCHED], of[PLAIN], peer=PLAIN, limit=LIMIT, control=control)
    shares = [100 * _counting() / taken for taken in of[PLAIN]]
    return Outcome([line, figure(17, "counting", shares, "%", limit=COUNTING_LIMIT)], samples, HOW)


def _plugin(host: Host) -> Plugin:
    """Start a plugin with a network."""
    host.pyflat.start()
    plugin = Plugin(host.path("/run/docker/plugins/pyflat.sock"))
    subnet = {"AddressSpace": "LocalDefault", "Pool": SUBNET, "Gateway": "10.70.0.1/16"}
    plugin.call("NetworkDriver.CreateNetwork", NetworkID=NETWORK, IPv4Data=[subnet])
    return plugin


def _endpoints(plugin: Plugin, numbers: Iterator[int]) -> dict[str, float]:
    """Make endpoints and delete them; give the milliseconds of one request of these."""
    settle()
    taken = 0.0
    for _ in range(CROWD):
        names = {"NetworkID": NETWORK, "EndpointID": secrets.token_hex(32)}
        address = IPv4Address("10.70.0.0") + next(numbers) % 60000
        wanted = {"Interface": {"Address": f"{address}/16"}}
        taken += timed(partial(plugin.call, "NetworkDriver.CreateEndpoint", **names, **wanted))
        taken += timed(partial(plugin.call, "NetworkDriver.DeleteEndpoint", **names))
    return {"request": taken / (2 * CROWD)}


@contextmanager
def _read_all_the_time(host: Host) -> Iterator[None]:
    time.sleep(1)
    reader = host.popen(sys.executable, "-c", _READ)
    try:
        yield
        if reader.poll() is not None:
            raise OSError("nobody has read the metrics")
    finally:
        reader.kill()
        reader.wait()


def _counting(times: int = 1000) -> float:
    """Give the milliseconds that the numbers of one request take: its own, store and firewall."""
    durations = Durations()

    def count_all() -> None:
        for _ in range(times):
            durations.note(0.001, "NetworkDriver.CreateEndpoint")
            with durations.timed(), durations.timed():
                pass

    return timed(count_all) / times
