"""How the Docker SDK for Python connects containers, on Docker's own driver and on pyflat."""

import pytest
from docker.errors import APIError
from docker.models.networks import Network
from tests.conftest import NEWEST
from tests.docker.client import Docker
from tests.docker.links import device_with, interfaces, link
from tests.docker.reach import pings
from tests.docker.sdk import BOTH_DRIVERS, Client, networks_of
from tests.docker.traces import difference, traces

pytestmark = [pytest.mark.engine("28.5"), BOTH_DRIVERS]

SUBNET, SUBNET6 = "10.90.0.0/24", "fd90::/64"


@pytest.fixture
def client(docker: Docker) -> Client:
    return Client(docker)


@pytest.fixture
def blue(client: Client, docker: Docker, driver: str) -> Network:
    words = ("--ipv6", "--subnet", SUBNET, "--subnet", SUBNET6)
    return client.networks.get(docker.network("blue", *words, driver=driver))


def test_aliases_and_links_are_names(client: Client, blue: Network) -> None:
    for name in ("store", "front", "other"):
        client.idle(name)
    blue.connect("store", aliases=["database"])
    blue.connect("front", links=[("store", "cache")])
    blue.connect("other")
    assert client.place("front").pings_name("cache")
    assert client.place("other").pings_name("database")
    assert not client.place("other").knows("cache")


def test_a_container_is_connected_under_its_addresses(client: Client, blue: Network) -> None:
    client.idle("one")
    blue.connect("one", ipv4_address="10.90.0.88", ipv6_address="fd90::88")
    one = client.place("one")
    assert interfaces(one) == ["eth0", "eth1"]
    assert device_with(one, "10.90.0.88") == device_with(one, "fd90::88") == "eth1"
    assert client.endpoint("one", "blue")["MacAddress"] == link(one, "eth1")["address"]


def test_link_local_addresses_are_on_the_interface(client: Client, blue: Network) -> None:
    client.idle("one")
    blue.connect("one", link_local_ips=["169.254.34.68", "fe80::7"])
    one = client.place("one")
    assert device_with(one, "169.254.34.68") == device_with(one, "fe80::7") == "eth1"
    assert client.endpoint("one", "blue")["IPAMConfig"]["LinkLocalIPs"] == [
        "169.254.34.68",
        "fe80::7",
    ]


def test_an_option_of_the_endpoint_is_kept_and_disturbs_nothing(
    client: Client, blue: Network, engine: str
) -> None:
    client.idle("one")
    sysctl = {"com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.log_martians=1"}
    blue.connect("one", driver_opt=sysctl | {"colour": "blue"})
    one = client.place("one")
    assert client.endpoint("one", "blue")["DriverOpts"] == sysctl | {"colour": "blue"}
    shown = one.run("sysctl", "-n", "net.ipv4.conf.eth1.log_martians")
    # Switches of an endpoint are of Engine 28.
    assert shown.stdout.strip() == ("1" if engine == NEWEST else "0")


def test_a_stopped_container_is_connected_when_it_starts(client: Client, blue: Network) -> None:
    stopped = client.stopped("one")
    near = client.idle("near", network="blue")
    blue.connect(stopped, ipv4_address="10.90.0.99")
    assert networks_of(client, "one") == ["blue", "bridge"]
    assert client.endpoint("one", "blue")["IPAddress"] == ""
    stopped.start()
    assert client.endpoint("one", "blue")["IPAddress"] == "10.90.0.99"
    assert pings(client.place(near.name), "10.90.0.99")


def test_a_stopped_container_is_disconnected_before_it_starts(
    client: Client, blue: Network
) -> None:
    stopped = client.stopped("one", network="blue")
    blue.disconnect(stopped)
    assert networks_of(client, "one") == []


@pytest.mark.parametrize("force", [False, True])
def test_a_running_container_is_disconnected(
    client: Client, blue: Network, docker: Docker, *, force: bool
) -> None:
    one = client.idle("one")
    before = traces(docker.host)
    blue.connect("one")
    assert interfaces(client.place("one")) == ["eth0", "eth1"]
    blue.disconnect(one, force=force)
    assert interfaces(client.place("one")) == ["eth0"]
    blue.reload()
    assert blue.attrs["Containers"] == {}
    left = difference(before, traces(docker.host))
    assert [line for line in left if "veth" not in line] == []


def test_a_second_connection_to_one_network_is_refused(client: Client, blue: Network) -> None:
    client.idle("one", network="blue")
    with pytest.raises(APIError, match="already exists in network blue"):
        blue.connect("one")
    assert interfaces(client.place("one")) == ["eth0"]


def test_an_address_that_is_taken_is_refused(client: Client, blue: Network) -> None:
    client.idle("one", network="blue")
    client.idle("two")
    taken = client.endpoint("one", "blue")["IPAddress"]
    with pytest.raises(APIError, match="Address already in use"):
        blue.connect("two", ipv4_address=taken)
    assert interfaces(client.place("two")) == ["eth0"]
    blue.reload()
    assert [one.name for one in blue.containers] == ["one"]


def test_an_internal_network_is_no_way_out(client: Client, docker: Docker, driver: str) -> None:
    client.networks.create("inner", driver=driver, internal=True)
    client.idle("one", network="inner")
    client.idle("two", network="inner")
    one = client.place("one")
    assert one.run("ip", "route", "show", "default").stdout == ""
    assert pings(one, client.endpoint("two", "inner")["IPAddress"])
