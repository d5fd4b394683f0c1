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

#: Seconds in which the veth pairs of removed containers have to go.
VETH_GRACE = 1.0


def assert_same(host: Host, before: Traces) -> None:
    """All traces are as before: at once, but for veth pairs, which have their grace."""
    left = difference(before, traces(host))
    assert [line for line in left if '"veth"' not in line] == []
    assert not left or wait_until(lambda: traces(host) == before, VETH_GRACE, 0.1), left
