"""What a test leaves on a host, held against what was there before."""

from dockerlab.host import Host
from dockerlab.processes import family, wait_until
from dockerlab.traces import DATABASE, Trace, Traces, difference, records, traces

__all__ = [
    "DATABASE",
    "Trace",
    "Traces",
    "assert_same",
    "difference",
    "family",
    "records",
    "traces",
]

#: Seconds in which the veth pairs of removed containers have to go, and what the cluster gave has
#: to be given back.
VETH_GRACE, CLUSTER_GRACE = 1.0, 15.0

_LATE = ("+ record claim ", "+ record segment ")


def assert_same(host: Host, before: Traces) -> None:
    """All traces are as before: at once, but for what has its grace."""
    left = difference(before, traces(host))
    late = [line for line in left if line.startswith(_LATE)]
    assert [line for line in left if '"veth"' not in line and line not in late] == []
    grace = CLUSTER_GRACE if late else VETH_GRACE
    assert not left or wait_until(lambda: traces(host) == before, grace, 0.1), left
