"""Every error that pyflat raises on purpose.

::

    PyflatError
    ├─ InvalidRequest   bad field, bad option, empty body              → 400
    ├─ NotFound         network, endpoint, pool                        → 400
    ├─ Conflict         different spec, overlap, name, address or port → 400
    ├─ Exhausted        no free address, pool, port                    → 400
    ├─ BackendError     the kernel, the firewall or the store failed   → 500
    └─ StartupError     the plugin cannot start here; printed as one line

A message says subject, problem and, where it is short, the remedy. Exceptions of libraries
are translated where they are met, with ``raise … from``.
"""


class PyflatError(Exception):
    """Base of the tree; ``status`` is the HTTP status that the API answers with."""

    status = 400


class InvalidRequest(PyflatError):  # noqa: N818 - the tree reads as the answer it gives
    """The request itself cannot be served, whatever the state."""


class NotFound(PyflatError):  # noqa: N818 - see above
    """A network, endpoint or pool that nothing is known of."""


class Conflict(PyflatError):  # noqa: N818 - see above
    """Something else already has the id, name, address, subnet or port."""


class Exhausted(PyflatError):  # noqa: N818 - see above
    """Nothing is left to choose from."""


class BackendError(PyflatError):
    """The kernel, the firewall or the store refused; the message carries its words."""

    status = 500


class StartupError(PyflatError):
    """The plugin cannot start: a missing library or right, or a second instance."""

    status = 500
