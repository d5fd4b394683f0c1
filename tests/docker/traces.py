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

#: What goes in the background: veth pairs of removed containers, the claim of a VNI in a cluster.
LATE = ('"veth"', "record segment ")
#: Seconds in which that has to go.
GRACE = 3.0


def assert_same(host: Host, before: Traces) -> None:
    """All traces are as before: at once, but for what has its grace."""
    left = difference(before, traces(host))
    assert [line for line in left if not any(word in line for word in LATE)] == []
    assert not left or wait_until(lambda: traces(host) == before, GRACE, 0.1), left
