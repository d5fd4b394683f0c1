"""Every knob of the plugin, documented once: as a flag and as a ``PYFLAT_*`` variable."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How one plugin runs; the command line gives each field its flag."""

    socket: Path = Path("/run/docker/plugins/pyflat.sock")
    state_dir: Path = Path("/var/lib/pyflat")
    log_level: str = "info"
    mark: int = 0x20000000
    uplinks: tuple[str, ...] = ()
    sysctl_root: Path = Path("/proc/sys/net")


#: What each setting means, for ``--help`` and the documentation.
MEANINGS = {
    "socket": "Unix socket that dockerd finds the plugin by.",
    "state_dir": "Folder where the plugin remembers networks and endpoints.",
    "log_level": "How much to log: debug, info, warning or error.",
    "mark": "Bit of the packet mark that vouches for packets; change it if it is taken.",
    "uplinks": "Further interfaces that lead out of the host, beside those of default routes.",
    "sysctl_root": "Where /proc/sys/net of the host is mounted.",
}
