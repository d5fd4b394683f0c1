"""Mark 15: how long a host needs after a power cut, until all its containers answer again.

Also after somebody else has taken away what pyflat had made.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from dockerbench.peers import OURS, PEER, PEER_AGAIN
from dockerbench.results import Outcome, compare, figure
from dockerbench.rounds import Run, settle, timed
from dockerlab import Lab, power
from dockerlab.host import Host

LIMIT, MENDED_LIMIT = 1.5, 2000.0
NETWORK, BRIDGE, FIRST = "net", "net0", 20000
#: What somebody else takes away, and how.
DAMAGE = {
    "its table taken away": "nft delete table inet pyflat",
    "its bridge taken away": f"ip link delete {BRIDGE}",
}
#: Seconds in which the last container has to answer.
PATIENCE = 300.0
ANSWERED = str(Path(__file__).with_name("answered.py"))

HOW = (
    "{count} containers (restart=always, each a web server with one published port) in one network "
    "of a host of the driver's own. All processes of the host are killed, its links, firewall and "
    "/run are emptied. The time is from the start of pyflat (for the bridge: of dockerd, with "
    "containerd before it) until the outside machine has an answer from each port. What is taken "
    "away is taken by `nft` or `ip`, and the time is from there; an attempt that fails is made "
    "again after 0.2 s, one without an answer after 0.7 s."
)


def run(run: Run) -> Outcome:
    """Cut the power of two hosts in turns: one has a network of pyflat, one of the bridge."""
    count = run.pick(50, 10)
    with run.lab(hosts=2) as lab:
        ours, peer = lab.hosts
        for number, (host, driver) in enumerate(((ours, "pyflat"), (peer, "bridge"))):
            run.progress("filling hosts", number, 2)
            run.docker(host)
            _fill(host, driver, count)
        boot_peer = partial(_boot, lab, peer, count, plugin=False)
        variants = {
            OURS: partial(_boot, lab, ours, count, plugin=True),
            PEER: boot_peer,
            PEER_AGAIN: boot_peer,
        }
        samples = run.interleave("power cuts", variants, run.pick(6, 1))
        mend = {OURS: partial(_mend, lab, ours, count)}
        samples |= run.interleave("mending", mend, run.pick(11, 1))
    of = samples["boot"]
    what = f"power cut: until {count} containers answer"
    control = (of[PEER_AGAIN], of[PEER])
    line = compare(15, what, of[OURS], of[PEER], peer=PEER, limit=LIMIT, control=control)
    mended = [
        figure(15, f"{name}: until {count} answer", samples[name][OURS], "ms", limit=MENDED_LIMIT)
        for name in DAMAGE
    ]
    return Outcome([line, *mended], samples, HOW.format(count=count))


def _fill(host: Host, driver: str, count: int) -> None:
    bridge = f"com.docker.network.bridge.name={BRIDGE}"
    host.run("docker", "network", "create", "-d", driver, "-o", bridge, NETWORK, check=True)

    def start(number: int) -> None:
        port = f"{FIRST + number}:80"
        options = ("-d", "--restart", "always", "--network", NETWORK, "-p", port)
        host.run("docker", "run", *options, "busybox", "httpd", "-f", check=True)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(start, range(count)))


def _boot(lab: Lab, host: Host, count: int, *, plugin: bool) -> dict[str, float]:
    power.cut(host)

    def start() -> None:
        if plugin:
            host.pyflat.start()
        host.dockerd.start(timeout=PATIENCE)
        _until_all_answer(lab, host, count)

    return {"boot": timed(start)}


def _mend(lab: Lab, host: Host, count: int) -> dict[str, float]:
    taken = {}
    for name, command in DAMAGE.items():
        settle()
        host.run(*command.split(), check=True)
        taken[name] = timed(partial(_until_all_answer, lab, host, count))
    return taken


def _until_all_answer(lab: Lab, host: Host, count: int) -> None:
    ports = (host.address4, str(FIRST), str(count))
    lab.outside.run(sys.executable, ANSWERED, *ports, check=True, timeout=PATIENCE)
