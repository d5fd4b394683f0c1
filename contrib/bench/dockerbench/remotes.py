"""Mark 12: an overlay with ten thousand endpoints on other hosts."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from ipaddress import IPv4Address
from itertools import count as counter
from pathlib import Path
from typing import Any

from dockerbench import floor, peers, process, sides
from dockerbench.api import Plugin
from dockerbench.peers import KERNEL, OURS
from dockerbench.program import Program, alone
from dockerbench.results import Outcome, figure
from dockerbench.rounds import Run, Variant, settle, timed
from dockerlab import LabError
from dockerlab.host import Host
from dockerlab.machine import Machine
from dockerlab.processes import wait_until
from dockerlab.traces import NAMESPACE

MADE, ALL, NONE = "made in the kernel", "network create until all are there", "network rm"
ONE, GONE = "one more", "one less"
LIMITS = {MADE: 1000.0, ALL: None, NONE: None, ONE: 10.0, GONE: 10.0}
TELLING = Path(__file__).with_name("telling.py")
ENTRIES = Path(__file__).with_name("entries.py")
#: Seconds that a host may take to learn of them all.
PATIENCE = 60.0

NETWORK, VNI = f"{74:064x}", 74
#: A host that is made up, and the address that its tunnel would have.
HOST, VTEP = "far", "192.0.2.99"
FIRST, MACS = IPv4Address("10.74.1.0"), "02:74:"
INSIDE = ("nsenter", f"--net={NAMESPACE}", "--")

HOW = (
    "A host without Docker, an etcd, and what a host that is made up has told it. Made in the "
    "kernel: by pyflat's own functions, from its records to the kernel's last answer, in a process "
    "of its own. All: from CreateNetwork at the plugin's own socket, which then reads etcd, until "
    "the kernel has a neighbour and a MAC for each endpoint, as `ip` and `bridge` list them, which "
    "takes some 0.05 s itself. One: from the moment it is told to etcd until `ip monitor` shows "
    "it, beside all others. As Docker's address manager has the addresses, and no router lies "
    "between, each endpoint is a route too. Memory is that after the first time. The kernel's "
    "floor is the same entries without routes by netlink alone, in messages that were written "
    "beforehand; nobody tells them, keeps them or lists them. The mark is for what is made in the "
    "kernel."
)


def run(run: Run) -> Outcome:
    """Measure on one host without Docker."""
    count = run.pick(10000, 1000)
    with run.lab(etcd=True, start=False) as lab:
        sides.start_etcd(lab)
        tell = _teller(lab.outside)
        told = json.dumps(of_host() | dict(map(endpoint, range(count))))
        tell(told)
        host = lab.host("h1")
        host.pyflat.start()
        plugin = Plugin(host.path("/run/docker/plugins/pyflat.sock"))
        _come(plugin, host, count)
        used = process.memory(host)
        _go(plugin)
        with floor.start(count) as kernel, alone(ENTRIES, str(VNI)) as make:
            variants: dict[str, Variant] = {
                OURS: partial(_come_and_go, plugin, host, count, partial(make, told)),
                KERNEL: lambda: {MADE: kernel("learn"), NONE: kernel("forget")},
            }
            samples = run.interleave("remote endpoints", variants, run.pick(11, 2))
        _come(plugin, host, count)
        change = {OURS: partial(_change, _Monitor(host), tell, counter(count))}
        samples |= run.interleave("one remote endpoint", change, run.pick(51, 7))
    what = f"{count} remote endpoints"
    lines = [
        figure(12, f"{what}: {name}", samples[name][OURS], "ms", limit=limit)
        for name, limit in LIMITS.items()
    ]
    for name in (MADE, NONE):
        lines.append(peers.line(12, f"{what}: {name}", samples, name, None, peer=KERNEL))
    lines.append(figure(12, f"{what}: memory of master + worker", [used], "MB"))
    return Outcome(lines, samples, HOW)


def _address(number: int) -> str:
    return str(FIRST + number)


def of_host() -> dict[str, Any]:
    """Give keys and values of the host that is made up."""
    return {f"hosts/{HOST}": {}, f"networks/{VNI}/hosts/{HOST}": {"vtep": VTEP, "blocks": []}}


def endpoint(number: int) -> tuple[str, Any]:
    """Give the key and value of an endpoint that is made up; there may be 65 000 of them."""
    value = {
        "host": HOST,
        "vtep": VTEP,
        "mac": f"{MACS}{number.to_bytes(4).hex(':')}",
        "addresses": [_address(number)],
        "names": [f"container{number}"],
        "generation": 1,
    }
    return f"networks/{VNI}/endpoints/{number:064x}", value


def _come_and_go(
    plugin: Plugin, host: Host, count: int, make: Callable[[], float]
) -> dict[str, float]:
    settle()
    come = timed(lambda: _come(plugin, host, count))
    settle()
    gone = timed(lambda: _go(plugin))
    settle()
    return {ALL: come, NONE: gone, MADE: make()}


def _come(plugin: Plugin, host: Host, count: int) -> None:
    """Make the network; returns when the kernel has all its remote endpoints."""
    plugin.call(
        "NetworkDriver.CreateNetwork",
        NetworkID=NETWORK,
        Options={"com.docker.network.generic": {"vni": str(VNI)}},
        IPv4Data=[{"Pool": "10.74.0.0/16", "Gateway": "10.74.0.1/16"}],
    )
    # A bridge lists each MAC twice: as its own entry, and as that of the tunnel.
    _await(host, count, "ip", "-4", "neigh", "show", "nud", "noarp")
    _await(host, 2 * count, "bridge", "fdb")


def _go(plugin: Plugin) -> None:
    plugin.call("NetworkDriver.DeleteNetwork", NetworkID=NETWORK)


def _await(host: Host, lines: int, *words: str) -> None:
    def are_there() -> bool:
        return host.run(*INSIDE, *words, check=True).stdout.count(MACS) >= lines

    if not wait_until(are_there, PATIENCE):
        raise LabError(f"{' '.join(words)} does not show {lines} lines with {MACS}")


def _change(monitor: _Monitor, tell: Program, numbers: Iterator[int]) -> dict[str, float]:
    number = next(numbers)
    key, value = endpoint(number)
    taken = {}
    for name, told in ((ONE, value), (GONE, None)):
        settle()
        tell.begin(json.dumps({key: told}))
        seen = monitor.see(_address(number), gone=told is None)
        taken[name] = (seen - tell.answer()) * 1000
    return taken


class _Monitor:
    """Says when a neighbour comes or goes."""

    def __init__(self, host: Host) -> None:
        self._process = host.popen(*INSIDE, "ip", "-4", "monitor", "neigh")
        if not wait_until(self._listens, PATIENCE):
            raise LabError("ip monitor does not listen")

    def _listens(self) -> bool:
        pid = self._process.pid
        rows = Path(f"/proc/{pid}/net/netlink").read_text().splitlines()[1:]
        # Columns: sk Eth Pid Groups …, and the program's is of the namespace that it enters.
        return any(row.split()[2] == str(pid) and int(row.split()[3], 16) for row in rows)

    def see(self, address: str, *, gone: bool) -> float:
        """Wait until an address has come or gone; give the time of the monotonic clock."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            words = line.split()
            if address in words and gone == (words[0] == "Deleted"):
                return time.monotonic()
        raise LabError(f"ip monitor has ended: {self._process.communicate()[1].strip()}")


def _teller(machine: Machine) -> Program:
    """Start what tells the etcd of a machine what a host that is made up has to tell.

    It is asked with JSON, and answers when it began, by the monotonic clock.
    """
    # -P: the folder of the program is not one to import from.
    return Program(machine.popen(sys.executable, "-P", str(TELLING), stdin=subprocess.PIPE))
