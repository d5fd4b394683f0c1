"""Checks of what packets are carried by: interfaces, paths and tunnels."""

import configparser
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

from netaddr import IPAddress

from pyflat.dataplane.counters import wrong_checksums
from pyflat.dataplane.holders import holders
from pyflat.dataplane.namespace import visit
from pyflat.dataplane.path import SMALLEST, largest, passes
from pyflat.peers import OVERHEAD
from pyflat.report.doctor.facts import Facts
from pyflat.report.doctor.findings import Finding, fail, ok, skipped, warn
from pyflat.report.topology import NetworkView, TunnelView

#: Packets of a wrong checksum that are no accident.
_WRONG = 10
_FOLDERS = ("/etc/systemd/network", "/run/systemd/network", "/usr/lib/systemd/network")
#: What udev may not set for interfaces that are somebody else's.
_MEDDLING = ("macaddresspolicy", "macaddress", "name", "namepolicy", "mtubytes")
_OURS = ("pf-0123456789ab", "pv-0123456789ab")


def mtu(facts: Facts) -> Iterator[Finding]:
    """Packets of a network fit through what leads out of the host."""
    found = 0
    for network in facts.networks:
        devices, overhead = _ways(facts, network)
        for device in devices:
            room = facts.mtu.get(device, network.mtu + overhead) - overhead
            if network.mtu > room:
                found += 1
                yield (fail if network.tunnel else warn)(
                    f"{network.bridge} has an MTU of {network.mtu}, and {device} leaves {room}",
                    f"make the network anew with -o com.docker.network.driver.mtu={room}",
                )
    if not found:
        shown = sorted({f"{device} {facts.mtu[device]}" for device in facts.uplinks})
        yield ok(f"every network fits through {', '.join(shown) or 'what there is'}")


def path(facts: Facts) -> Iterator[Finding]:
    """The largest packets of overlays arrive at the other hosts."""
    ways = sorted(set(_paths(facts)))
    if not ways:
        yield skipped("no overlay has another host")
        return
    with ThreadPoolExecutor(len(ways)) as pool:
        sizes = list(pool.map(_largest, ways))
    for (_, vtep, size, overhead), found in zip(ways, sizes, strict=True):
        if found is None:
            yield warn(
                f"{vtep} answers no echo: it is away, or echoes are not let through",
                f"ping {vtep}, and see whether UDP gets there",
            )
        elif found < size:
            yield fail(
                f"packets of {size} bytes are lost on the way to {vtep}, and those of {found} "
                "arrive",
                f"make the network anew with -o com.docker.network.driver.mtu={found - overhead}",
            )
        else:
            yield ok(f"packets of {size} bytes arrive at {vtep}")


def udev(_: Facts) -> Iterator[Finding]:
    """Nobody else sets up pyflat's interfaces."""
    files = {path.name: path for folder in reversed(_FOLDERS) for path in Path(folder).glob("*")}
    found = 0
    for name in sorted(files):
        meddles = _meddles(files[name])
        if meddles:
            found += 1
            yield warn(
                f"{files[name]} is for pyflat's interfaces, too: {meddles}",
                "have its [Match] section leave out pf-* and pv-*",
            )
    if not found:
        yield ok("no .link or .network file is for pf-* or pv-*")


def checksums(_: Facts) -> Iterator[Finding]:
    """Packets of tunnels arrive with right checksums."""
    wrong = wrong_checksums(Path("/proc/net"))
    if wrong >= _WRONG:
        yield warn(
            f"{wrong} UDP packets had a wrong checksum since the boot: the interface of a host "
            "that sends to this one may not be able to make those of tunnels",
            "there: ethtool -K INTERFACE tx-checksum-ip-generic off "
            "tx-udp_tnl-csum-segmentation off",
        )
    else:
        yield ok(f"{wrong} UDP packets had a wrong one since the boot")


def addresses(facts: Facts) -> Iterator[Finding]:
    """Each address is that of one container, on this host and on others."""
    found = 0
    for network in facts.networks:
        for text in (*_here(facts, network), *_elsewhere(network)):
            found += 1
            yield fail(text, "end one of the two; see pyflat endpoints for who has it rightly")
    if not found:
        yield ok("no address answers twice")


def tunnel_port(facts: Facts) -> Iterator[Finding]:
    """What other hosts send into tunnels is let in."""
    tunnels = [network.tunnel for network in facts.overlays if network.tunnel]
    if not tunnels:
        yield skipped("there are no overlays")
        return
    found = {text: remedy for tunnel in tunnels for text, remedy in _closed(facts, tunnel)}
    for text, remedy in found.items():
        yield fail(text, remedy)
    if not found:
        ports = ", ".join(sorted({str(tunnel.port) for tunnel in tunnels}))
        yield ok(f"UDP port {ports} is open")


def _ways(facts: Facts, network: NetworkView) -> tuple[tuple[str, ...], int]:
    """Give the interfaces that a network's packets leave by, and what these add."""
    if network.tunnel:
        return (network.tunnel.underlay,), _overhead(network.tunnel)
    return (() if network.internal else facts.uplinks), 0


def _overhead(tunnel: TunnelView) -> int:
    return OVERHEAD[IPAddress(tunnel.address).version]


def _paths(facts: Facts) -> Iterator[tuple[str, str, int, int]]:
    for network in facts.overlays:
        assert network.tunnel is not None
        overhead = _overhead(network.tunnel)
        for peer in network.peers:
            if peer.vtep and not peer.expired:
                yield network.tunnel.address, peer.vtep, network.mtu + overhead, overhead


def _largest(way: tuple[str, str, int, int]) -> int | None:
    source, vtep, size, _ = way
    own = IPAddress(source)
    return largest(partial(passes, own, IPAddress(vtep)), SMALLEST[own.version], size)


def _meddles(path: Path) -> str:
    """Say what a file of udev or systemd-networkd does to interfaces of ours, "" for nothing."""
    parser = configparser.ConfigParser(strict=False, interpolation=None, allow_no_value=True)
    if path.suffix not in {".link", ".network"}:
        return ""
    try:
        parser.read(path)
        match = dict(parser["Match"])
    except (configparser.Error, KeyError, OSError):
        return ""
    names = (match.get("originalname") or match.get("name") or "").split()
    kinds = (match.get("driver") or match.get("kind") or match.get("type") or "").split()
    if names == ["*"] or not (_name_ours(names) or (not names and {"bridge", "veth"} & {*kinds})):
        return ""
    if path.suffix == ".network":
        unmanaged = parser.get("Link", "Unmanaged", fallback="no")
        return "" if unmanaged in {"yes", "true", "1"} else "systemd-networkd manages them"
    link = dict(parser["Link"]) if parser.has_section("Link") else {}
    return ", ".join(f"{key}={link[key]}" for key in _MEDDLING if link.get(key, "none") != "none")


def _name_ours(patterns: list[str]) -> bool:
    return any(fnmatchcase(name, pattern) for name in _OURS for pattern in patterns)


def _here(facts: Facts, network: NetworkView) -> Iterator[str]:
    macs = {
        IPAddress(address.split("/")[0]): endpoint.mac
        for endpoint in network.endpoints
        for address in endpoint.addresses
        if ":" not in address and endpoint.sandbox
    }
    ask = partial(holders, network.port_bridge, macs)
    if network.inside and facts.topology:
        answers = visit(Path(facts.topology.namespace), ask)
    else:
        answers = ask()
    for address, found in answers.items():
        others = found - {macs[address]}
        if others:
            yield f"{address} of {macs[address]} is claimed by {', '.join(sorted(others))}, too"


def _elsewhere(network: NetworkView) -> Iterator[str]:
    here = {a.split("/")[0]: each for each in network.endpoints for a in each.addresses}
    for remote in network.remotes:
        for address in remote.addresses:
            if address.split("/")[0] in here:
                yield f"{address} is on host {remote.host}, too"


def _closed(facts: Facts, tunnel: TunnelView) -> Iterator[tuple[str, str]]:
    version = IPAddress(tunnel.address).version
    port = str(tunnel.port)
    packet = {
        "tcp dport": "",
        "iifname": tunnel.underlay,
        "l4proto": "udp",
        "udp dport": port,
        "dport": port,
        "state": "new" if tunnel.group else "untracked",
        "status": "",
        "mark": "0",
        "nfproto": f"ipv{version}",
    }
    for chain in facts.hooked("input", version):
        if chain.drops(packet):
            yield (
                f"{chain.name} drops UDP port {port} from {tunnel.underlay}",
                f"accept there UDP port {port} from the other hosts",
            )
    if tunnel.underlay not in facts.mtu:
        yield f"{tunnel.underlay}, which carries the tunnel, is gone", "bring it back"
