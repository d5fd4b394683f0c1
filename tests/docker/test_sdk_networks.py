"""What the Docker SDK for Python does with networks, on Docker's own driver and on pyflat."""

import pytest
from docker.errors import APIError, NotFound
from docker.types import IPAMConfig, IPAMPool
from tests.conftest import OLDEST
from tests.docker.client import Docker
from tests.docker.links import link
from tests.docker.sdk import BOTH_DRIVERS, Client, networks_of

pytestmark = [pytest.mark.engine("28.5"), BOTH_DRIVERS]

SUBNET, SUBNET6 = "10.90.0.0/24", "fd90::/64"


@pytest.fixture
def client(docker: Docker) -> Client:
    return Client(docker)


def test_a_network_is_created_found_listed_and_removed(client: Client, driver: str) -> None:
    made = client.networks.create("blue", driver=driver, labels={"colour": "blue"})
    assert client.networks.get(made.id).name == client.networks.get("blue").name == "blue"
    assert made.attrs["Driver"] == driver
    for filters in ({"driver": driver}, {"label": "colour=blue"}, {"name": "blue"}):
        assert "blue" in [one.name for one in client.networks.list(filters=filters)]
    assert client.networks.list(names=["green"]) == []
    made.remove()
    assert client.networks.list(names=["blue"]) == []
    with pytest.raises(NotFound):
        client.networks.get("blue")


def test_prune_removes_networks_that_nobody_uses(client: Client, driver: str) -> None:
    for name in ("blue", "green"):
        client.networks.create(name, driver=driver)
    container = client.idle("one", network="blue")
    assert client.networks.prune()["NetworksDeleted"] == ["green"]
    container.remove(force=True)
    assert client.networks.prune()["NetworksDeleted"] == ["blue"]


def test_a_network_in_use_is_not_removed(client: Client, driver: str) -> None:
    blue = client.networks.create("blue", driver=driver)
    client.idle("one", network="blue")
    with pytest.raises(APIError, match="has active endpoints"):
        blue.remove()
    blue.reload()
    assert [one.name for one in blue.containers] == ["one"]


def test_a_second_network_of_a_name_is_refused(client: Client, driver: str) -> None:
    client.networks.create("blue", driver=driver)
    with pytest.raises(APIError, match="network with name blue already exists"):
        client.networks.create("blue", driver=driver, check_duplicate=True)
    assert len(client.networks.list(names=["blue"])) == 1


def test_properties_of_a_network_come_back_as_they_were_given(client: Client, driver: str) -> None:
    options = {"com.docker.network.driver.mtu": "1400"}
    labels = {"colour": "blue", "empty": ""}
    blue = client.networks.create(
        "blue", driver=driver, options=options, labels=labels, attachable=True, internal=True
    )
    blue.reload()
    assert blue.attrs["Options"] == options
    assert blue.attrs["Labels"] == labels
    assert (blue.attrs["Attachable"], blue.attrs["Internal"]) == (True, True)
    assert (blue.attrs["Scope"], blue.attrs["EnableIPv6"]) == ("local", False)


def test_an_address_configuration_comes_back_as_it_was_given(client: Client, driver: str) -> None:
    pool = IPAMPool(
        subnet=SUBNET, iprange="10.90.0.64/26", gateway="10.90.0.254",
        aux_addresses={"router": "10.90.0.65"},
    )  # fmt: skip
    pool6 = IPAMPool(subnet=SUBNET6, gateway="fd90::fe")
    ipam = IPAMConfig(pool_configs=[pool, pool6])
    blue = client.networks.create("blue", driver=driver, ipam=ipam, enable_ipv6=True)
    blue.reload()
    assert blue.attrs["IPAM"] == {
        "Driver": "default",
        "Options": None,
        "Config": [
            {
                "Subnet": SUBNET,
                "IPRange": "10.90.0.64/26",
                "Gateway": "10.90.0.254",
                "AuxiliaryAddresses": {"router": "10.90.0.65"},
            },
            {"Subnet": SUBNET6, "Gateway": "fd90::fe"},
        ],
    }
    client.idle("one", network="blue")
    assert client.endpoint("one", "blue")["IPAddress"] == "10.90.0.64"


def test_a_wrong_address_configuration_is_refused(client: Client, driver: str) -> None:
    for subnet, gateway in (("10.90.0.0/33", None), (SUBNET, "10.91.0.1")):
        ipam = IPAMConfig(pool_configs=[IPAMPool(subnet=subnet, gateway=gateway)])
        with pytest.raises(APIError):
            client.networks.create("blue", driver=driver, ipam=ipam)
    assert client.networks.list(names=["blue"]) == []


def test_a_mac_and_addresses_are_the_containers(
    client: Client, docker: Docker, driver: str, engine: str
) -> None:
    if engine == OLDEST:
        pytest.skip("before API 1.44, only a container as a whole can be given a MAC")
    docker.network("blue", "--ipv6", "--subnet", SUBNET, "--subnet", SUBNET6, driver=driver)
    mac = "02:00:5e:00:53:01"
    config = client.api.create_endpoint_config(
        ipv4_address="10.90.0.77", ipv6_address="fd90::77", mac_address=mac
    )
    client.idle("one", network="blue", networking_config={"blue": config})
    endpoint = client.endpoint("one", "blue")
    assert endpoint["IPAddress"] == "10.90.0.77"
    assert endpoint["GlobalIPv6Address"] == "fd90::77"
    assert endpoint["MacAddress"] == mac
    assert link(client.place("one"), "eth0")["address"] == mac
    assert networks_of(client, "one") == ["blue"]
