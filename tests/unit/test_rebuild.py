"""State from what Docker inspects and the kernel holds."""

from typing import Any

import pytest
from netaddr import IPAddress
from tests.support.dockerd import docker_id
from tests.support.fake_kernel import FakeKernel

from pyflat.addressing import InterfaceAddress, Pool
from pyflat.dataplane.objects import Address, Bridge, Element
from pyflat.dataplane.overlay_objects import Gateway
from pyflat.errors import InvalidRequest
from pyflat.ipam.addresses import given_out
from pyflat.model import Endpoint, Network, Publication
from pyflat.rebuild import rebuild
from pyflat.site import Site
from pyflat.state import State

LAN, WEB = docker_id("lan"), docker_id("web")
BRIDGE = f"pf-{LAN[:12]}"
SANDBOX = "/var/run/docker/netns/8d7d7177575d"


def a_network(*configs: dict[str, Any], driver: str = "default", **facts: Any) -> dict[str, Any]:
    ipam = {"Driver": driver, "Options": {}, "Config": list(configs)}
    return {"Id": LAN, "IPAM": ipam, "Options": {}, "Internal": False} | facts


def a_container(**facts: Any) -> dict[str, Any]:
    connection = {
        "NetworkID": LAN,
        "EndpointID": WEB,
        "Gateway": "10.90.0.128",
        "IPAddress": "10.90.0.129",
        "IPPrefixLen": 24,
        "IPv6Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "MacAddress": "02:42:0a:5a:00:81",
    } | facts
    return {"NetworkSettings": {"SandboxKey": SANDBOX, "Networks": {"lan": connection}}}


def rebuilt(
    *networks: dict[str, Any], containers: Any = (), present: Any = (), possible: bool = True
) -> State:
    kernel = FakeKernel()
    kernel.has_inside = possible
    site = Site(kernel)
    return rebuild(networks, containers, present, driver="pyflat", now=7.0, site=site)


def gateway(state: State) -> str:
    return str(state.require(Network, LAN).gateway(4))


PART = {"Subnet": "10.90.0.0/24", "IPRange": "10.90.0.128/25"}
BEARS = Address(device=BRIDGE, address=InterfaceAddress("10.90.0.77/24"))


@pytest.mark.parametrize(
    ("config", "containers", "present", "driver", "expected"),
    [
        ({"Subnet": "10.90.0.0/24", "Gateway": "10.90.0.9"}, [], [], "default", "10.90.0.9"),
        ({"Subnet": "10.90.0.0/24", "Gateway": "10.90.0.9/24"}, [], [], "default", "10.90.0.9"),
        (PART, [a_container()], [BEARS], "default", "10.90.0.77"),
        (PART, [a_container(Gateway="10.90.0.66")], [], "default", "10.90.0.66"),
        (PART, [], [], "default", "10.90.0.128"),
        (PART, [], [], "pyflat", "10.90.0.1"),
        ({"Subnet": "10.90.0.0/24"}, [], [], "default", "10.90.0.1"),
    ],
    ids=["named", "with a length", "on the bridge", "of a container", "range", "ours", "first"],
)
def test_the_gateway_is_what_is_known_best(
    config: Any, containers: Any, present: Any, driver: str, expected: str
) -> None:
    state = rebuilt(a_network(config, driver=driver), containers=containers, present=present)
    assert gateway(state) == f"{expected}/24"


def test_a_running_container_has_its_endpoint_and_the_ports_of_the_firewall() -> None:
    elements = [
        Element(
            family="inet",
            name="anyport4",
            match=("tcp", "32768"),
            data=("10.90.0.129", "80"),
        ),
        Element(family="inet", name="anyport4", match=("tcp", "81"), data=("10.99.0.1", "80")),
    ]
    state = rebuilt(a_network(PART), containers=[a_container()], present=elements)
    endpoint = state.require(Endpoint, WEB)
    assert (endpoint.mac, endpoint.sandbox, endpoint.since) == ("02:42:0a:5a:00:81", SANDBOX, 7.0)
    assert [str(a) for a in endpoint.addresses] == ["10.90.0.129/24"]
    (binding,) = state.require(Publication, WEB).bindings
    assert (binding.host_port, str(binding.host), binding.container_port) == (32768, "0.0.0.0", 80)


def test_pools_of_ours_have_their_addresses_back() -> None:
    config = {"Subnet": "10.90.0.0/24", "AuxiliaryAddresses": {"printer": "10.90.0.7"}}
    state = rebuilt(a_network(config, driver="pyflat"), containers=[a_container()])
    (pool,) = state.all(Pool)
    taken = {n for n in range(256) if given_out(state, pool.id, IPAddress(f"10.90.0.{n}"))}
    assert taken == {128, 7, 129}


def test_containers_of_other_networks_and_stopped_ones_are_passed_over() -> None:
    containers = [a_container(NetworkID=docker_id("x")), a_container(EndpointID="")]
    assert not list(rebuilt(a_network(PART), containers=containers).all(Endpoint))


def test_options_are_read_as_at_the_first_time() -> None:
    options = {"com.docker.network.bridge.name": "br-lan", "antispoof": "true"}
    state = rebuilt(a_network(PART, Options=options, Internal=True))
    network = state.require(Network, LAN)
    assert (network.bridge, network.internal, network.options.antispoof) == ("br-lan", True, True)
    with pytest.raises(InvalidRequest, match="other"):
        rebuilt(a_network(PART, Options={"other": "x"}))


LINK: dict[str, Any] = {"name": BRIDGE, "mac": "02:42:0a:5a:00:01", "mtu": 1450, "owner": LAN}


@pytest.mark.parametrize("inside", [True, False])
def test_an_overlay_lies_where_it_is_and_not_where_it_would_be_made_now(inside: bool) -> None:
    options = {"vni": "42", "peers": "192.0.2.12"}
    end = Gateway(**LINK) if inside else Bridge(**LINK)
    state = rebuilt(a_network(PART, Options=options), present=[end], possible=not inside)
    assert state.require(Network, LAN).inside == inside


def test_a_network_is_made_in_the_namespace_that_its_options_name() -> None:
    state = rebuilt(a_network(PART, Options={"namespace": "own"}))
    assert state.require(Network, LAN).inside
