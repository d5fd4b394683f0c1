"""Kernel switches below ``/proc/sys/net``."""

from collections.abc import Iterable
from pathlib import Path

from pyflat.dataplane.objects import Forwarding, Sysctl
from pyflat.errors import BackendError

#: There since Linux 6.17, for each interface too.
_FORCE = "ipv6/conf/default/force_forwarding"


class Switches:
    """Reads and writes switches under ``root`` (``/proc/sys/net``, or where it is mounted).

    The host-wide ``ipv4/ip_forward`` is never written: dockerd closes its FORWARD chain only
    if it turns that switch on itself (moby ``libnetwork/drivers/bridge``).
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def add(self, item: Sysctl | Forwarding) -> None:
        """Set the switch unless it is so already. Raises BackendError."""
        if self._is_moot(item):
            return
        if isinstance(item, Sysctl):
            self._write(item.path, item.value)
        elif item.version == 6 and not self._has(_FORCE):
            self._forward_all_ipv6()
        else:
            self._write(_path(item), "1")

    def delete(self, item: Sysctl | Forwarding) -> None:
        """Leave the switch as it is: who else relies on it by now cannot be known."""

    def routed(self) -> frozenset[int]:
        """Give the address families that the whole host forwards."""
        switches = {4: "ipv4/ip_forward", 6: "ipv6/conf/all/forwarding"}
        return frozenset(v for v, path in switches.items() if self._read(path) == "1")

    def observe(self, wanted: Iterable[Sysctl | Forwarding]) -> set[Sysctl | Forwarding]:
        """Give those of the wanted switches that stand as wanted."""
        return {item for item in wanted if self._stands(item)}

    def ephemeral(self) -> range:
        """Give the ports that the host chooses from where nobody names one."""
        first, last = (self._read("ipv4/ip_local_port_range") or "32768 60999").split()
        return range(int(first), int(last) + 1)

    def _stands(self, item: Sysctl | Forwarding) -> bool:
        if self._is_moot(item):
            return True
        if isinstance(item, Sysctl):
            return self._read(item.path) == item.value
        if item.version == 6 and not self._has(_FORCE):
            return self._read("ipv6/conf/all/forwarding") == "1"
        return self._read(_path(item)) == "1"

    def _is_moot(self, item: Sysctl | Forwarding) -> bool:
        """Say whether it is a switch of IPv6 on an interface that has none and needs none.

        The whole host may be without it, or the interface because of its small MTU.
        """
        path, device = _path(item), item.device
        if not path.startswith("ipv6/") or item == _ipv6_on(device):
            return False
        return self._has(f"ipv4/conf/{device}") and not self._has(f"ipv6/conf/{device}")

    def _forward_all_ipv6(self) -> None:
        """Do what kernels before 6.17 need: they have no such switch per interface.

        A router ignores router advertisements unless accept_ra is 2 (Linux
        ``Documentation/networking/ip-sysctl.rst``): without it the host would lose its own
        default route.
        """
        for path in self._root.glob("ipv6/conf/*/accept_ra"):
            if path.parent.name not in {"all", "default"} and path.read_text().strip() == "1":
                self._write(str(path.relative_to(self._root)), "2")
        self._write("ipv6/conf/all/forwarding", "1")

    def _has(self, path: str) -> bool:
        return (self._root / path).exists()

    def _read(self, path: str) -> str | None:
        try:
            return (self._root / path).read_text().strip()
        except OSError:
            return None

    def _write(self, path: str, value: str) -> None:
        if self._read(path) == value:
            return
        try:
            (self._root / path).write_text(value)
        except OSError as error:
            raise BackendError(f"{self._root / path} = {value}: {error.strerror}") from error


def _path(item: Sysctl | Forwarding) -> str:
    if isinstance(item, Sysctl):
        return item.path
    switch = "forwarding" if item.version == 4 else "force_forwarding"
    return f"ipv{item.version}/conf/{item.device}/{switch}"


def _ipv6_on(device: str) -> Sysctl:
    return Sysctl(path=f"ipv6/conf/{device}/disable_ipv6", value="0", device=device)
