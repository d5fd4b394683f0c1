"""A host that does not route for others does not begin to because of pyflat."""

import secrets
from collections.abc import Iterator

import pytest
from tests.docker.plugin import answers, call

from dockerlab import Lab
from dockerlab.host import Host
from dockerlab.processes import wait_until

NETWORK = "a" * 64
BEHIND = {4: "203.0.113.2", 6: "2001:db8:2::2"}
SUBNETS = {4: "203.0.113.0/24", 6: "2001:db8:2::/64"}
HOST_WIDE = {4: "net.ipv4.ip_forward=1", 6: "net.ipv6.conf.all.forwarding=1"}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A host with pyflat alone, a network, and a second cable on which nobody speaks."""
    with Lab.up(f"t{secrets.token_hex(3)}", engine="28.5", start=False) as lab:
        host = lab.host("h1")
        host.pyflat.start()
        assert answers(host)
        ipv4 = {"Pool": "172.30.0.0/16", "Gateway": "172.30.0.1/16"}
        ipv6 = {"Pool": "fd30::/64", "Gateway": "fd30::1/64"}
        made = call(
            host,
            "NetworkDriver.CreateNetwork",
            NetworkID=NETWORK,
            IPv4Data=[ipv4],
            IPv6Data=[ipv6],
        )
        assert made == {}
        _lay_cable(host)
        for version, via in ((4, host.address4), (6, host.address6)):
            lab.outside.run("ip", "route", "add", SUBNETS[version], "via", via, check=True)
        yield lab


def _lay_cable(host: Host) -> None:
    mac = "02:00:00:00:00:02"
    for words in (
        "link add lan0 type veth peer name lan1",
        "link set lan0 up",
        "link set lan1 up",
        "address add 203.0.113.1/24 dev lan0",
        "address add 2001:db8:2::1/64 dev lan0 nodad",
        *(f"neigh add {address} lladdr {mac} dev lan0" for address in BEHIND.values()),
    ):
        host.run("ip", *words.split(), check=True)


@pytest.mark.parametrize("version", [4, 6])
def test_what_comes_in_leads_nowhere_else_unless_the_host_routes(lab: Lab, version: int) -> None:
    host = lab.host("h1")
    elements = host.run("nft", "list", "set", "inet", "pyflat", "opened", check=True).stdout
    assert f'ipv{version} . "eth0"' in elements
    assert not _passes(lab, version)
    host.run("sysctl", "-q", HOST_WIDE[version], check=True)
    assert wait_until(lambda: _passes(lab, version), 10)


def _passes(lab: Lab, version: int) -> bool:
    """Whether a packet from outside comes out at the second cable."""
    address = BEHIND[version]
    words = ("timeout", "2", "tcpdump", "-i", "lan1", "-n", "-c1", "--immediate-mode", "-U")
    capture = lab.host("h1").popen(*words, "udp", "and", "dst", "host", address)
    try:
        while capture.poll() is None:
            lab.outside.run("nc", "-u", "-w1", "-q0", address, "7000", input="hello")
        return capture.returncode == 0
    finally:
        capture.kill()
        capture.communicate()
