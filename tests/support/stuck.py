"""A program before ``pyflat``: its limits are short, and EndpointOperInfo is never answered.

The handler waits with the engine's lock held, as one would that waits for the kernel.
"""

import sys
import threading
from typing import Never

from pyflat import deadline
from pyflat.api.calls import Method
from pyflat.api.messages import EndpointRequest
from pyflat.api.network_driver import METHODS
from pyflat.cli import main

#: Seconds that an answer may take, and for which the main thread may stand still.
LIMIT = 4.0


def _wait(*_: object) -> Never:
    while True:
        threading.Event().wait(1)


if __name__ == "__main__":
    deadline.LIMIT = LIMIT
    METHODS["EndpointOperInfo"] = Method(EndpointRequest, _wait)
    sys.argv.pop(0)
    main()
