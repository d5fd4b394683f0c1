"""A host that is made up: tells the etcd of its own namespace what each line of its input says.

A line is JSON, key to value; null removes the key. When all of it is told, the answer is the
moment at which that began, in seconds of the monotonic clock.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

from pyflat.overlay.access import Access
from pyflat.overlay.etcd import Etcd

#: Keys of one transaction: etcd takes 128 operations at most.
CROWD = 100


def main() -> None:
    """Answer until the input ends."""
    etcd = Etcd(Access(endpoints=(("127.0.0.1", 2379),), prefix="/pyflat/"))
    for line in sys.stdin:
        start = time.monotonic()
        for crowd in _crowds(json.loads(line)):
            put = {key: value for key, value in crowd.items() if value is not None}
            etcd.transact((), put=put, delete=crowd.keys() - put.keys())
        print(start, flush=True)


def _crowds(changes: dict[str, Any]) -> Iterator[dict[str, Any]]:
    keys = list(changes)
    for first in range(0, len(keys), CROWD):
        yield {key: changes[key] for key in keys[first : first + CROWD]}


if __name__ == "__main__":
    main()
