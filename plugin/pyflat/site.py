"""This host, as its overlays see it."""

from collections.abc import Iterable

from netaddr import IPAddress

from pyflat.dataplane.kernel import Kernel
from pyflat.peers import Overlay, Tunnel


class Site:
    """Implements ``pyflat.driver.overlays.Site``.

    ``cluster`` are the addresses where hosts agree on overlays, if they do.
    """

    def __init__(self, kernel: Kernel, cluster: Iterable[IPAddress] = ()) -> None:
        self._kernel = kernel
        self._cluster = tuple(cluster)

    def clustered(self) -> bool:
        """See ``Site.clustered``."""
        return bool(self._cluster)

    def may_be_inside(self) -> bool:
        """See ``Site.may_be_inside``."""
        return self._kernel.may_be_inside()

    def tunnel(self, overlay: Overlay) -> Tunnel:
        """See ``Site.tunnel``."""
        group = (overlay.group,) if overlay.group else ()
        return self._kernel.tunnel(overlay.underlay, overlay.peers or group or self._cluster)

    def name_servers(self) -> tuple[IPAddress, ...]:
        """See ``Site.name_servers``."""
        return self._kernel.name_servers()
