"""NetworkDriver.*: answers to requests spelled as the engines spell them."""

import pytest
from tests.support import dockerd
from tests.support.dockerd import Call, call, docker_id, swarm_id
from tests.support.plugin import Plugin

from pyflat.dataplane.objects import Bridge, Hairpin, Veth

LAN, WEB = docker_id("lan"), docker_id("web")
NETWORK = dockerd.create_network(LAN, "172.30.0.0/16")
DUAL = dockerd.create_network(LAN, "172.30.0.0/16", "fd00::/64")
V6 = dockerd.create_network(LAN, "fd00::/64")
INNER = dockerd.create_network(LAN, "172.30.0.0/16", "fd00::/64", internal=True)


def test_activation_names_both_drivers() -> None:
    assert Plugin().ask("Plugin.Activate") == {"Implements": ["NetworkDriver", "IpamDriver"]}


def test_capabilities() -> None:
    assert Plugin().ask("NetworkDriver.GetCapabilities") == {
        "Scope": "local",
        "ConnectivityScope": "global",
        "GwAllocChecker": True,
    }


@pytest.mark.parametrize("method", ["DiscoverNew", "DiscoverDelete"])
def test_discovery_is_listened_to(method: str) -> None:
    data = {"Address": "10.0.0.5", "BindAddress": "", "Self": False}
    request = call(f"NetworkDriver.{method}", DiscoveryType=1, DiscoveryData=data)
    assert Plugin().ok(request) == {}


def test_gateways_are_wanted_from_the_address_manager() -> None:
    request = call("NetworkDriver.GwAllocCheck", Options=dockerd.network_options({}))
    assert Plugin().ok(request) == {"SkipIPv4": False, "SkipIPv6": False}


def test_bad_options_are_refused_before_addresses_are_reserved() -> None:
    options = dockerd.network_options({"com.docker.network.driver.mtu": "many"})
    message = Plugin().error(call("NetworkDriver.GwAllocCheck", Options=options))
    assert "com.docker.network.driver.mtu" in message
    assert "many" in message


def test_swarm_options_come_back_whole() -> None:
    request = call(
        "NetworkDriver.AllocateNetwork",
        NetworkID=swarm_id("lan"),
        Options={"com.docker.network.driver.mtu": "1400", "other": "kept"},
        IPv4Data=[dockerd.subnet("10.9.0.0/24")],
        IPv6Data=None,
    )
    answer = {"Options": {"com.docker.network.driver.mtu": "1400", "other": "kept"}}
    plugin = Plugin()
    assert plugin.ok(request) == answer
    assert plugin.ok(request) == answer
    assert plugin.ask("NetworkDriver.FreeNetwork", NetworkID=swarm_id("lan")) == {}


@pytest.mark.parametrize("identifier", [docker_id("lan"), swarm_id("lan")])
def test_a_network_is_created_and_deleted(identifier: str) -> None:
    plugin = Plugin()
    assert plugin.ok(dockerd.create_network(identifier, "10.9.0.0/24")) == {}
    (bridge,) = (o for o in plugin.host.kernel.objects if isinstance(o, Bridge))
    assert bridge.name == f"pf-{identifier[:12]}"
    assert plugin.ok(dockerd.delete_network(identifier)) == {}
    assert not any(isinstance(o, Bridge) for o in plugin.host.kernel.objects)


def test_null_collections_and_missing_or_unknown_keys_are_taken() -> None:
    plugin = Plugin()
    plugin.ok(call("NetworkDriver.CreateNetwork", NetworkID=LAN))
    plugin.ok(dockerd.delete_network(LAN))
    pool = {"Pool": "172.30.0.0/16", "Gateway": None, "AuxAddresses": None, "Future": [1]}
    plugin.ok(
        call(
            "NetworkDriver.CreateNetwork",
            NetworkID=LAN,
            Options={"com.docker.network.generic": None, "com.docker.network.future": {"a": 1}},
            IPv4Data=[pool],
            IPv6Data=None,
            Future=None,
        )
    )
    plugin.ok(call("NetworkDriver.CreateEndpoint", NetworkID=LAN, EndpointID=WEB, Interface=None))
    plugin.ok(
        call("NetworkDriver.Join", NetworkID=LAN, EndpointID=WEB, SandboxKey="", Options=None)
    )
    nothing = {"com.docker.network.portmap": None, "com.docker.network.endpoint.exposedports": None}
    method = "NetworkDriver.ProgramExternalConnectivity"
    plugin.ok(call(method, NetworkID=LAN, EndpointID=WEB, Options=nothing))
    plugin.ok(call(method, NetworkID=LAN, EndpointID=WEB))


def test_the_null_address_managers_pool_means_no_addresses() -> None:
    request = call(
        "NetworkDriver.CreateNetwork",
        NetworkID=LAN,
        Options=None,
        IPv4Data=[{"AddressSpace": "null", "Pool": "0.0.0.0/0"}],
        IPv6Data=[],
    )
    plugin = Plugin(request, dockerd.create_endpoint(LAN, WEB))
    assert "Gateway" not in plugin.ok(dockerd.join(LAN, WEB))


@pytest.mark.parametrize(
    ("v4", "v6", "mac"),
    [
        ("172.30.0.2/16", "", "02:42:ac:1e:00:02"),
        ("172.30.0.2/16", "fd00::2/64", "02:42:ac:1e:00:02"),
    ],
)
def test_an_endpoints_mac_is_derived_from_its_address(v4: str, v6: str, mac: str) -> None:
    plugin = Plugin(DUAL)
    answer = {"Interface": {"MacAddress": mac}}
    assert plugin.ok(dockerd.create_endpoint(LAN, WEB, v4, v6)) == answer
    assert plugin.ok(dockerd.create_endpoint(LAN, WEB, v4, v6)) == answer


def test_a_mac_that_the_user_chose_is_used_but_not_given_back() -> None:
    plugin = Plugin(NETWORK)
    request = dockerd.create_endpoint(LAN, WEB, "172.30.0.2/16", mac="02:AA:00:00:00:01")
    assert plugin.ok(request) == {"Interface": {}}
    (pair,) = (o for o in plugin.host.kernel.objects if isinstance(o, Veth))
    assert pair.mac == "02:aa:00:00:00:01"


@pytest.mark.parametrize(
    ("network", "v4", "v6", "gateways"),
    [
        (NETWORK, "172.30.0.2/16", "", {"Gateway": "172.30.0.1"}),
        (V6, "", "fd00::2/64", {"GatewayIPv6": "fd00::1"}),
        (
            DUAL,
            "172.30.0.2/16",
            "fd00::2/64",
            {"Gateway": "172.30.0.1", "GatewayIPv6": "fd00::1"},
        ),
        (DUAL, "172.30.0.2/16", "", {"Gateway": "172.30.0.1"}),
        (INNER, "172.30.0.2/16", "fd00::2/64", {}),
    ],
)
def test_a_join_gives_the_interface_and_the_gateways_of_its_families(
    network: Call, v4: str, v6: str, gateways: dict[str, str]
) -> None:
    plugin = Plugin(network, dockerd.create_endpoint(LAN, WEB, v4, v6))
    name = {"SrcName": f"pe-{WEB[:12]}", "DstPrefix": "eth"}
    assert plugin.ok(dockerd.join(LAN, WEB)) == {"InterfaceName": name, **gateways}


def test_a_join_gives_the_prefix_that_the_network_was_made_with() -> None:
    labels = {"com.docker.network.container_iface_prefix": "lan"}
    network = dockerd.create_network(LAN, "172.30.0.0/16", labels=labels)
    plugin = Plugin(network, dockerd.create_endpoint(LAN, WEB, "172.30.0.2/16"))
    assert plugin.ok(dockerd.join(LAN, WEB))["InterfaceName"]["DstPrefix"] == "lan"


def test_information_about_an_endpoint_is_an_empty_value() -> None:
    plugin = Plugin(NETWORK, dockerd.create_endpoint(LAN, WEB, "172.30.0.2/16"))
    assert plugin.ok(dockerd.endpoint_info(LAN, WEB)) == {"Value": {}}
    assert plugin.ok(dockerd.endpoint_info(LAN, docker_id("unknown"))) == {"Value": {}}


def test_labels_and_driver_options_of_others_on_an_endpoint_are_left_alone() -> None:
    request = call(
        "NetworkDriver.CreateEndpoint",
        NetworkID=LAN,
        EndpointID=WEB,
        Interface={"Address": "172.30.0.2/16", "AddressIPv6": "", "MacAddress": ""},
        Options={
            "com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.log_martians=1",
            "com.docker.network.endpoint.ifname": "eth7",
            "com.docker.network.endpoint.macaddress": "AkKsEQAC",
            "com.docker.network.endpoint.dnsservers": ["8.8.8.8"],
            "other": "kept",
        },
    )
    assert Plugin(NETWORK).ok(request)["Interface"]["MacAddress"]


@pytest.mark.parametrize("no_proxy", [True, False])
def test_ports_are_published_and_withdrawn(no_proxy: bool) -> None:
    plugin = Plugin(DUAL, *dockerd.run(LAN, WEB, "172.30.0.2/16", v6="fd00::2/64"))
    ports = [dockerd.port("8080:80"), dockerd.port("127.0.0.1:53:53/udp")]
    options = {
        "com.docker.network.endpoint.exposedports": [{"Proto": 6, "Port": 80}],
        "com.docker.network.portmap": ports,
        "com.docker.network.driver.private.no_proxy_6to4": no_proxy,
    }
    method = "NetworkDriver.ProgramExternalConnectivity"
    plugin.ok(call(method, NetworkID=LAN, EndpointID=WEB, Options=options))
    expected = {"anyport4", "port4"} if no_proxy else {"anyport4", "anyport6", "port4"}
    assert {element.name for element in plugin.host.mappings()} == expected
    assert Hairpin(port=f"pv-{WEB[:12]}") in plugin.host.kernel.objects
    assert plugin.ok(dockerd.revoke(LAN, WEB)) == {}
    assert not plugin.host.mappings()


@pytest.mark.parametrize(
    "request_",
    [
        dockerd.delete_network(docker_id("unknown")),
        dockerd.delete_network("not an id"),
        *dockerd.stop(docker_id("unknown"), docker_id("unknown")),
        *dockerd.stop("", ""),
    ],
    ids=repr,
)
def test_what_is_not_known_is_taken_down_successfully(request_: Call) -> None:
    assert Plugin().ok(request_) == {}


def test_an_internal_network_publishes_nothing() -> None:
    plugin = Plugin(INNER, *dockerd.run(LAN, WEB, "172.30.0.2/16", "8080:80"))
    assert not plugin.host.mappings()
