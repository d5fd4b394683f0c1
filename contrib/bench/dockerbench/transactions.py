"""Runs nftables transactions in the network namespace it is started in: one a line of its input.

For each it writes the milliseconds that pyflat's own binding has taken.
"""

from __future__ import annotations

import sys
import time

from pyflat.dataplane.libnftables import Context


def main() -> None:
    """Answer until the input ends."""
    binding = Context()
    for commands in sys.stdin:
        start = time.perf_counter()
        binding.run(commands)
        print((time.perf_counter() - start) * 1000, flush=True)
    binding.close()


if __name__ == "__main__":
    main()
