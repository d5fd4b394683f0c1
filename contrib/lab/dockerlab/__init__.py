"""Docker hosts on one machine: real engines in namespaces of their own.

`Lab.up` makes hosts, an underlay switch and an outside machine; leaving the `with` block
takes them away again. Everything else a caller needs hangs off the lab it returns.
"""

from dockerlab.errors import CommandError, LabError
from dockerlab.lab import Lab

__all__ = ["CommandError", "Lab", "LabError"]
