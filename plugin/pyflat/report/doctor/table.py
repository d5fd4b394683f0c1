"""All checks, in the order in which they are shown."""

from collections.abc import Callable, Iterator, Mapping
from subprocess import SubprocessError
from typing import TypeAlias

import msgspec

from pyflat.errors import PyflatError
from pyflat.report.doctor import cluster, forwarding, links, plugin
from pyflat.report.doctor.facts import Facts
from pyflat.report.doctor.findings import Finding, skipped

Check: TypeAlias = Callable[[Facts], Iterator[Finding]]

CHECKS: Mapping[str, Check] = {
    "plugin": plugin.plugin,
    "plan": plugin.plan,
    "boot": plugin.boot,
    "containers": plugin.containers,
    "sockets": plugin.sockets,
    "folder": plugin.state_folder,
    "programs": plugin.programs,
    "kernel": plugin.kernel,
    "forwarding": forwarding.forwarding,
    "policies": forwarding.policies,
    "docker-user": forwarding.docker_user,
    "variants": forwarding.variants,
    "br_netfilter": forwarding.br_netfilter,
    "rp_filter": forwarding.rp_filter,
    "mtu": links.mtu,
    "path": links.path,
    "udev": links.udev,
    "checksums": links.checksums,
    "addresses": links.addresses,
    "tunnel-port": links.tunnel_port,
    "cluster": cluster.cluster,
    "peers": cluster.peers,
    "clock": cluster.clock,
}

#: What can be looked at without the plugin.
_ALWAYS = {"plugin", "boot", "sockets", "folder", "kernel", "docker-user", "variants", "udev"}


def examine(facts: Facts) -> list[Finding]:
    """Carry out all checks; one that cannot look says why."""
    return [found for name, check in CHECKS.items() for found in _carry_out(name, check, facts)]


def _carry_out(name: str, check: Check, facts: Facts) -> Iterator[Finding]:
    if facts.topology is None and name not in _ALWAYS:
        yield msgspec.structs.replace(skipped("the plugin does not answer"), check=name)
        return
    try:
        findings = list(check(facts))
    except (PyflatError, OSError, SubprocessError) as error:
        findings = [skipped(str(error))]
    for finding in findings:
        yield msgspec.structs.replace(finding, check=name)
