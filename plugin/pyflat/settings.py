"""Every knob of the plugin, documented once: as a flag and as a ``PYFLAT_*`` variable."""

import hashlib
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from socket import gethostname

from netaddr import IPNetwork

from pyflat.ipam.pools import Source


def own_ula() -> IPNetwork:
    """Give this machine's own /48 of unique local addresses (RFC 4193), always the same one."""
    try:
        identity = Path("/etc/machine-id").read_bytes()
    except OSError:
        identity = uuid.getnode().to_bytes(8)
    number = hashlib.sha256(b"pyflat" + identity).digest()[:5]
    return IPNetwork((int.from_bytes(b"\xfd" + number) << 80, 48), version=6)


def _default_pools() -> tuple[Source, ...]:
    texts = (("172.16.0.0/12", 16), ("192.168.0.0/16", 24), ("10.0.0.0/8", 24))
    ipv4 = (Source(block=IPNetwork(block), length=length) for block, length in texts)
    return (*ipv4, Source(block=own_ula(), length=64))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How one plugin runs; the command line gives each field its flag."""

    socket: Path = Path("/run/docker/plugins/pyflat.sock")
    state_dir: Path = Path("/var/lib/pyflat")
    log_level: str = "info"
    log_format: str = "text"
    web: tuple[str, int] | None = None
    mark: int = 0x20000000
    pools: tuple[Source, ...] = field(default_factory=_default_pools)
    uplinks: tuple[str, ...] = ()
    sysctl_root: Path = Path("/proc/sys/net")
    namespace: str = "/run/netns/pyflat"
    scope: str = "local"
    cluster: str = ""
    cluster_ca: str = ""
    cluster_cert: str = ""
    cluster_key: str = ""
    cluster_user: str = ""
    cluster_password_file: str = ""
    host: str = field(default_factory=gethostname)


#: What each setting means, for ``--help`` and the documentation.
MEANINGS = {
    "socket": "Unix socket that dockerd finds the plugin by.",
    "state_dir": "Folder where the plugin remembers networks and endpoints.",
    "log_level": "How much to log: debug, info, warning or error.",
    "log_format": "How to write a line of the log: text or json.",
    "web": "Address and port for metrics and the page, for all who reach it: 127.0.0.1:9470.",
    "mark": "Bit of the packet mark that vouches for packets; change it if it is taken.",
    "pools": "Where automatic subnets come from: block:length, with commas between.",
    "uplinks": "Further interfaces that lead out of the host, beside those of default routes.",
    "sysctl_root": "Where /proc/sys/net of the host is mounted.",
    "namespace": "Namespace of bridges apart from the host, if it may be entered; empty: none.",
    "scope": "Whose networks are made: of this host (local), or of its swarm (global).",
    "cluster": "Where hosts agree on overlays: etcd://HOST:PORT,HOST:PORT/PREFIX.",
    "cluster_ca": "File with the authorities that vouch for the cluster; empty: the system's.",
    "cluster_cert": "File with this host's certificate for the cluster.",
    "cluster_key": "File with the key of that certificate.",
    "cluster_user": "User of the cluster's store.",
    "cluster_password_file": "File with the user's password.",
    "host": "What other hosts of the cluster know this one by; no two may have the same.",
}

#: Of defaults that depend on the machine, what the documentation says.
DEPENDING = {
    "pools": "/16 of 172.16.0.0/12, /24 of 192.168.0.0/16 and of 10.0.0.0/8, /64 of the machine's "
    "own unique local addresses",
    "host": "the host's name",
}
