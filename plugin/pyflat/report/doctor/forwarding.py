"""Checks of what stands between a network and the rest of the world on its own host."""

from collections.abc import Iterator, Mapping
from itertools import product

from pyflat.report.doctor.facts import Facts, read_inside
from pyflat.report.doctor.findings import Finding, fail, ok, skipped, warn
from pyflat.report.doctor.rules import Chain, Rule
from pyflat.report.topology import NetworkView

_INSIDE = ("bridge/bridge-nf-call-iptables", "bridge/bridge-nf-call-ip6tables")
_STRICT = "1"


def forwarding(facts: Facts) -> Iterator[Finding]:
    """Networks that lead out need forwarding of their bridges and of what leads out."""
    wanted = [
        (version, device)
        for version in (4, 6)
        for network in _leading_out(facts, version)
        for device in (network.bridge, *facts.uplinks)
    ]
    off = [pair for pair in dict.fromkeys(wanted) if not _forwards(facts, *pair)]
    for version, device in off:
        switch = f"net.ipv{version}.conf.{device if version == 4 else 'all'}.forwarding"
        yield fail(
            f"{switch} is 0: what comes in by {device} is not forwarded",
            f"sysctl -w {switch}=1, and see what sets it in /etc/sysctl.d",
        )
    if not off:
        devices = ", ".join(sorted({device for _, device in wanted})) or "no interface needs it"
        yield ok(f"on: {devices}") if wanted else skipped(devices)


def policies(facts: Facts) -> Iterator[Finding]:
    """Rules of others may drop what pyflat lets through."""
    if reason := facts.unread.get("rules") or facts.unread.get("legacy rules"):
        yield skipped(reason)
        return
    found: dict[str, tuple[Chain, str]] = {}
    for chain, what in _swallowed(facts):
        found.setdefault(chain.name, (chain, what))
    for chain, what in found.values():
        yield fail(f"{chain.name} drops {what}", _remedy(chain))
    if not found:
        seen = [chain for version in (4, 6) for chain in facts.hooked("forward", version)]
        names = dict.fromkeys(chain.name for chain in seen)
        yield ok("; ".join(names) + ": let pass what is ours" if names else "no rules of others")


def docker_user(facts: Facts) -> Iterator[Finding]:
    """Docker's FORWARD chain asks DOCKER-USER, where pyflat's accept is."""
    chains = [
        chain
        for version in (4, 6)
        for chain in facts.hooked("forward", version)
        if chain.name.endswith("filter, chain FORWARD")
    ]
    dockers = [chain for chain in chains if {"DOCKER", "DOCKER-USER"} <= chain.table.keys()]
    if not dockers or facts.mark is None:
        yield skipped("there are no rules of Docker's" if not dockers else "no rules of pyflat's")
        return
    wrong = [(chain, trouble) for chain in dockers if (trouble := _trouble(chain, facts.mark))]
    for chain, (evidence, remedy) in wrong:
        yield fail(f"{chain.name}: {evidence}", remedy)
    if not wrong:
        yield ok(f"accepts what bears the mark {facts.mark:#x}")


def br_netfilter(facts: Facts) -> Iterator[Finding]:
    """In pyflat's namespace, frames must stay out of the hooks of iptables."""
    inside = [network for network in facts.networks if network.inside]
    if not facts.topology or not inside:
        state = facts.switch(_INSIDE[0])
        yield ok(f"{'on' if state == '1' else 'off'} for the host; no network is apart from it")
        return
    found = read_inside(facts.topology.namespace, _INSIDE)
    on = [path for path, value in found.items() if value == "1"]
    name = facts.topology.namespace.rpartition("/")[2]
    for path in on:
        switch = f"net.{path.replace('/', '.')}"
        yield warn(
            f"{switch} is 1 in namespace {name}: each frame is shown to iptables there",
            f"ip netns exec {name} sysctl -w {switch}=0",
        )
    if not on:
        yield ok(f"off in namespace {name}")


def rp_filter(facts: Facts) -> Iterator[Finding]:
    """With several ways out, answers may come by another one than the strict filter expects."""
    if len(facts.uplinks) < 2:
        yield ok(f"one way out: {', '.join(facts.uplinks) or 'none'}")
        return
    strict = [device for device in facts.uplinks if _filter(facts, device) == _STRICT]
    for device in strict:
        yield warn(
            f"net.ipv4.conf.{device}.rp_filter is strict, and the host has several ways out "
            f"({', '.join(facts.uplinks)}): answers that come by {device} may be dropped",
            f"sysctl -w net.ipv4.conf.{device}.rp_filter=2",
        )
    if not strict:
        yield ok(f"not strict for {', '.join(facts.uplinks)}")


def variants(facts: Facts) -> Iterator[Finding]:
    """Rules of both iptables are all asked; Docker and pyflat have to use the same one."""
    kinds = {
        "legacy" if chain.name.startswith("legacy") else "nf_tables"
        for chain in facts.chains
        if "DOCKER-USER" in chain.table
    }
    if len(kinds) > 1:
        yield warn(
            "DOCKER-USER is in the legacy iptables and in that of nf_tables",
            "have dockerd and pyflat find the same iptables (update-alternatives --config "
            "iptables), and start both again",
        )
    else:
        yield ok(f"Docker's rules are those of {''.join(kinds)}" if kinds else "no Docker's rules")


def _leading_out(facts: Facts, version: int) -> list[NetworkView]:
    return [
        network
        for network in facts.networks
        if not network.internal
        and network.modes[f"ipv{version}"] != "isolated"
        and any((":" in subnet.cidr) == (version == 6) for subnet in network.subnets)
    ]


def _forwards(facts: Facts, version: int, device: str) -> bool:
    if version == 4:
        return facts.switch(f"ipv4/conf/{device}/forwarding") != "0"
    own = facts.switch(f"ipv6/conf/{device}/force_forwarding")
    return "1" in {own, facts.switch("ipv6/conf/all/forwarding")}


def _filter(facts: Facts, device: str) -> str:
    """Give how strict the reverse path filter is: the kernel takes the greater number."""
    switches = (facts.switch(f"ipv4/conf/{name}/rp_filter") for name in ("all", device))
    return max(filter(None, switches), default="0")


def _swallowed(facts: Facts) -> Iterator[tuple[Chain, str]]:
    for version in (4, 6):
        chains = facts.hooked("forward", version)
        for network, uplink in product(_leading_out(facts, version), facts.uplinks):
            packets = _packets(network, uplink)
            for (what, packet), chain in product(packets, chains):
                seen = {**packet, "nfproto": f"ipv{version}", **_marked(facts, chain)}
                if chain.drops(seen):
                    yield chain, f"{what} {network.bridge} (IPv{version})"


def _packets(network: NetworkView, uplink: str) -> Iterator[tuple[str, dict[str, str]]]:
    first = {"state": "new", "l4proto": "tcp", "udp dport": ""}
    out = {"iifname": network.bridge, "oifname": uplink, "status": ""}
    yield "what leaves by", {**first, **out}
    if any(endpoint.ports for endpoint in network.endpoints):
        back = {"iifname": uplink, "oifname": network.bridge, "status": "dnat"}
        yield "what is published behind", {**first, **back}


def _marked(facts: Facts, chain: Chain) -> Mapping[str, str]:
    """Give the mark that a chain sees: pyflat sets it just before the usual priority."""
    if facts.mark is None:
        return {}
    return {"mark": str(facts.mark if chain.priority > -1 else 0)}


def _remedy(chain: Chain) -> str:
    if "DOCKER-USER" in chain.table:
        return "start dockerd again: its FORWARD chain has to jump to DOCKER-USER first"
    return "accept there what is forwarded from and to the bridges of pyflat (pf-*)"


def _trouble(chain: Chain, mark: int) -> tuple[str, str] | None:
    """Say what keeps pyflat's accept from being reached, and what helps."""
    if not any(_is_accept(rule, mark) for rule in chain.table["DOCKER-USER"]):
        return (
            f"no accept of pyflat's mark {mark:#x} in DOCKER-USER",
            "where pyflat runs it comes back within two seconds: see its log",
        )
    if chain.policy == "drop" and not any(rule.chain == "DOCKER-USER" for rule in chain.rules):
        return (
            "its policy is drop, and it does not jump to DOCKER-USER",
            "start dockerd again: its rules were flushed after it had made them",
        )
    return None


def _is_accept(rule: Rule, mark: int) -> bool:
    if rule.verdict != "accept" or len(rule.conditions) != 1:
        return False
    (condition,) = rule.conditions
    return condition.fact == "mark" and condition.holds({"mark": str(mark)}) is True
