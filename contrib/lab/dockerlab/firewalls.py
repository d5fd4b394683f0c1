"""Other firewalls in a host: Debian's firewalld and ufw, unpacked and not installed, and the
legacy iptables.

Installed on the machine itself they would start there, and close it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from dockerlab import packages, sockets, store
from dockerlab.daemon import Daemon
from dockerlab.debian import unpack_packages
from dockerlab.errors import LabError
from dockerlab.host import Host

ALL = {
    "firewalld": ("firewalld", "python3-firewall", "python3-nftables"),
    "ufw": ("ufw",),
}
"""The packages of each that is unpacked."""
# Libraries and programs: no service is among them.
_NEEDED = {"firewalld": ("dbus-daemon", "libnftables1", "python3-dbus", "python3-gi")}
_PYTHON = "/usr/bin/python3"
_SUITE = "bookworm"
_BUS = "/run/dbus/system_bus_socket"
# The policy of a session's bus: in a host, all are root.
_BUS_CONFIG = f"""<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={_BUS}</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


def fetch(name: str) -> Path:
    """The unpacked files of a firewall; they and what they need are fetched if need be."""
    packages.ensure(_NEEDED.get(name, ()))
    return store.folder(
        f"firewalls/{name}", lambda work: unpack_packages(_SUITE, ALL[name], work, work)
    )


def legacy_iptables(host: Host) -> dict[str, str]:
    """An environment of the host in which `iptables` and `ip6tables` are the legacy ones."""
    found = shutil.which("xtables-legacy-multi", path=host.environment()["PATH"])
    if found is None:
        raise LabError("this machine has no legacy iptables")
    folder = host.folder / "legacy-iptables"
    folder.mkdir()
    for family in ("iptables", "ip6tables"):
        for program in (family, f"{family}-save", f"{family}-restore"):
            (folder / program).symlink_to(found)
    return {"PATH": f"{folder}:{host.environment()['PATH']}"}


class Firewalld:
    """firewalld of a host, with a system bus, which it needs and dockerd looks for at its start.

    `firewall-cmd` is one of the host's programs, and /etc/firewalld its own.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        files = fetch("firewalld")
        config = host.folder / "firewalld"
        shutil.copytree(files / "etc/firewalld", config)
        host.run("mount", "--mkdir", "--bind", str(config), "/etc/firewalld", check=True)
        _give(host, files, "usr/bin/firewall-cmd")
        _give(host, files, "usr/sbin/firewalld", f"--default-config={files}/usr/lib/firewalld")
        bus_config = host.folder / "dbus.conf"
        bus_config.write_text(_BUS_CONFIG)
        host.path(_BUS).parent.mkdir(exist_ok=True)
        self.bus = Daemon(
            host,
            "dbus-daemon",
            host.folder,
            command=lambda: ["dbus-daemon", f"--config-file={bus_config}", "--nofork"],
            ready=lambda: sockets.accepts(host.path(_BUS)),
            args=("--nopidfile",),
        )
        self.daemon = Daemon(
            host,
            "firewalld",
            host.folder,
            command=lambda: ["firewalld", "--nofork", "--nopid", "--log-target=console"],
            ready=lambda: host.run("firewall-cmd", "--state").returncode == 0,
        )

    def __call__(self, *words: str) -> str:
        """Run firewall-cmd, and give what it wrote; CommandError when it fails."""
        return self._host.run("firewall-cmd", *words, check=True).stdout.strip()


class Ufw:
    """ufw of a host, configured as Debian's package does it.

    `ufw` is one of the host's programs.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self.root = host.folder / "ufw"
        """What is / elsewhere: its configuration is in etc/ufw and etc/default/ufw."""
        shutil.copytree(fetch("ufw"), self.root)
        templates = self.root / "usr/share/ufw"
        for template in (*templates.glob("iptables/*.rules"), templates / "ufw.conf"):
            shutil.copy(template, self.root / "etc/ufw")
        settings = self.root / "etc/default/ufw"
        own = settings.read_text().replace("=/etc/ufw", f"={self.root}/etc/ufw")
        settings.write_text(own)
        places = f"--rootdir={self.root} --datadir={self.root}"
        _give(host, self.root, "usr/sbin/ufw", places)

    def __call__(self, *words: str) -> str:
        """Run ufw, and give what it wrote; CommandError when it fails."""
        return self._host.run("ufw", *words, check=True).stdout.strip()


def _give(host: Host, files: Path, program: str, words: str = "") -> None:
    """Give a host a Python program of unpacked files, which is run with these words first."""
    modules = f"PYTHONPATH={files}/usr/lib/python3/dist-packages"
    here = host.programs / Path(program).name
    here.write_text(f'#!/bin/sh\n{modules} exec {_PYTHON} {files}/{program} {words} "$@"\n')
    here.chmod(0o755)
