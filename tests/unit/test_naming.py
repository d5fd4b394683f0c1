"""Names and MACs: what the kernel takes, always the same for the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netaddr import EUI, IPAddress
from tests.support.dockerd import docker_id, swarm_id

from pyflat import naming
from pyflat.errors import InvalidRequest

IDS = st.from_regex(r"[0-9a-f]{64}|[0-9a-z]{25}", fullmatch=True)
ADDRESSES = st.ip_addresses().map(lambda address: IPAddress(str(address)))


@given(IDS)
def test_names_made_of_ids_fit_the_kernel_and_are_known_as_ours(identifier: str) -> None:
    assert naming.check_id("network", identifier) == identifier
    names = {make(identifier) for make in (naming.bridge, naming.host_end, naming.container_end)}
    assert len(names) == 3
    for name in names:
        assert len(name) <= 15
        assert naming.is_interface_name(name)
        assert naming.LINK_NAME.fullmatch(name)


@pytest.mark.parametrize("name", ["pf-lan", "pv-x", "pf-0123456789abc", "pq-0123456789ab", "eth0"])
def test_other_names_are_not_ours(name: str) -> None:
    assert not naming.LINK_NAME.fullmatch(name)


@pytest.mark.parametrize(
    "identifier",
    ["", "a", docker_id("x")[:-1], docker_id("x") + "0", docker_id("x").upper(), swarm_id("x")[1:]],
)
def test_other_ids_are_refused_by_name(identifier: str) -> None:
    with pytest.raises(InvalidRequest, match="network"):
        naming.check_id("network", identifier)


@pytest.mark.parametrize(
    "name", ["eth0", "br-lan", "a", "a" * 15, "eth0.100", "wlan_1", "x+y", "..."]
)
def test_interface_names(name: str) -> None:
    assert naming.is_interface_name(name)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a" * 16, "a/b", "a b", "a:b", 'a"b', "a;b", "a\n", "a\0", "é", "a*"]
)
def test_what_is_no_interface_name(name: str) -> None:
    assert not naming.is_interface_name(name)


@given(ADDRESSES)
def test_a_mac_of_an_address_is_local_to_one_interface_and_always_the_same(
    address: IPAddress,
) -> None:
    mac = naming.mac_of_address(address)
    assert mac == naming.mac_of_address(IPAddress(str(address)))
    first = EUI(mac).words[0]
    assert (first & 1, first & 2) == (0, 2)


def test_a_mac_of_an_ipv4_address_is_dockers() -> None:
    assert naming.mac_of_address(IPAddress("172.30.0.2")) == "02:42:ac:1e:00:02"


def test_macs_of_neighbours_differ() -> None:
    macs = {naming.mac_of_address(IPAddress(f"fd00::{number:x}")) for number in range(1000)}
    assert len(macs) == 1000
    assert naming.mac_of_id(docker_id("one")) != naming.mac_of_id(docker_id("two"))
