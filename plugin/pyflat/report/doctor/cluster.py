"""Checks of how a host stands with the others."""

import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

from pyflat.report.doctor.facts import Facts
from pyflat.report.doctor.findings import Finding, fail, ok, skipped, warn

#: Seconds that a clock may be off, and that etcd may take to answer.
_SKEW, _PATIENCE = 5, 2
_ETCD = re.compile(r"etcd://([^,/]+)")


def cluster(facts: Facts) -> Iterator[Finding]:
    """The host has its lease, and tells and hears."""
    view = facts.topology.cluster if facts.topology else None
    if view is None:
        yield skipped("no cluster is set (PYFLAT_CLUSTER)")
        return
    remedy = f"see whether {view.name} runs and is reached from here"
    troubles = [text for text in (view.telling, view.hearing) if text]
    for text in dict.fromkeys(troubles):
        yield fail(f"{view.name}: {text}", remedy)
    if not view.leased and not troubles:
        yield fail(f"no lease in {view.name}: the others take this host for gone", remedy)
    if view.leased and not troubles:
        yield ok(f"{view.name} knows this host and is heard")


def peers(facts: Facts) -> Iterator[Finding]:
    """Every other host of an overlay is heard of."""
    known = {peer.host: peer.expired for network in facts.overlays for peer in network.peers}
    if not known:
        yield skipped("no overlay has another host")
        return
    for host, expired in known.items():
        if expired:
            yield warn(
                f"{host} has not been heard of for {time.time() - expired:.0f} s",
                f"start pyflat on {host}; if it will not come back: pyflat forget host {host}",
            )
    if not any(known.values()):
        yield ok(f"heard of: {', '.join(sorted(known))}")


def clock(facts: Facts) -> Iterator[Finding]:
    """The host's clock is that of the others: of two records of an address the later counts."""
    view = facts.topology.cluster if facts.topology else None
    endpoint = _ETCD.match(view.name) if view else None
    if endpoint is None:
        yield skipped("there is no etcd to compare it with, or one with TLS only")
        return
    try:
        url = f"http://{endpoint[1]}/version"
        with urllib.request.urlopen(url, timeout=_PATIENCE) as answer:
            there = parsedate_to_datetime(answer.headers["Date"]).timestamp()
    except (OSError, TypeError, ValueError):
        yield skipped(f"{endpoint[1]} does not say the time")
        return
    skew = time.time() - there
    if abs(skew) > _SKEW:
        yield warn(
            f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} that of {endpoint[1]}",
            "have both set their clocks, by systemd-timesyncd or chrony",
        )
    else:
        yield ok(f"within {_SKEW} s of that of {endpoint[1]}")
