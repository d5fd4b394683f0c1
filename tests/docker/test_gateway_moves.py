"""A container in three networks: which of them is its way out, and has its ports."""

import pytest
from tests.docker.client import Container, Docker
from tests.docker.links import default_routes, interfaces, link
from tests.docker.portmap import published
from tests.docker.reach import INTERNET, Answer, ask, pings, server_of
from tests.docker.traces import difference, traces

from dockerlab import Lab
from dockerlab.underlay import OUTSIDE

SUBNETS = {"blue": "10.90.0", "green": "10.91.0", "red": "10.92.0"}
PORT = 81


@pytest.fixture
def networks(docker: Docker) -> list[str]:
    return [
        docker.network(name, "--subnet", f"{prefix}.0/24", "--gateway", f"{prefix}.1")
        for name, prefix in SUBNETS.items()
    ]


def _way_out(container: Container) -> str:
    """The network that the default route leads to."""
    (gateway,) = default_routes(container)
    (name,) = (name for name, prefix in SUBNETS.items() if gateway == f"{prefix}.1")
    return name


def _assert_published_by(container: Container, network: str, lab: Lab) -> None:
    """The ports, and all that belongs to them, are those of one network and no other."""
    host = container.docker.host
    assert published(host) == {f"tcp {PORT}": f"{container.address(network)} 80"}
    assert [trace.text for trace in traces(host) if trace.kind == "held socket"] == [
        "TCP",
        "TCPv6",
    ][:1]
    assert ask(lab.outside, host.address4, PORT) == Answer(container.name, OUTSIDE[0])
    assert server_of(host, "127.0.0.1", PORT) == container.name
    assert server_of(container, host.address4, PORT) == container.name
    assert _hairpins(container) == [network]


def _hairpins(container: Container) -> list[str]:
    """The networks in which the port of the bridge sends back to where a frame came from."""
    host = container.docker.host
    found = []
    for network in SUBNETS:
        endpoint = container.inspect()["NetworkSettings"]["Networks"].get(network)
        if endpoint is not None:
            port = f"pv-{endpoint['EndpointID'][:12]}"
            info = link(host, port)["linkinfo"]["info_slave_data"]
            found += [network] if info["hairpin"] else []
    return found


def test_ports_go_with_the_way_out(networks: list[str], docker: Docker, lab: Lab) -> None:
    web = docker.web("web", "--network", networks[0], "-p", f"{PORT}:80")
    for network in networks[1:]:
        docker("network", "connect", network, web.name)
    while len(interfaces(web)) > 1:
        gateway = _way_out(web)
        _assert_published_by(web, gateway, lab)
        assert pings(web, INTERNET[4])
        docker("network", "disconnect", gateway, web.name)
    _assert_published_by(web, _way_out(web), lab)


def test_a_gateway_priority_decides(
    networks: list[str], docker: Docker, lab: Lab, engine: str
) -> None:
    if engine != "28.5":
        pytest.skip("gateway priorities are of Engine 28")
    priorities = {"blue": 1, "green": 5, "red": 3}
    words = [
        word for name, number in priorities.items()
        for word in ("--network", f"name={name},gw-priority={number}")
    ]  # fmt: skip
    web = docker.web("web", *words, "-p", f"{PORT}:80")
    order = []
    while len(interfaces(web)) > 1:
        order.append(_way_out(web))
        _assert_published_by(web, order[-1], lab)
        docker("network", "disconnect", order[-1], web.name)
    assert [*order, _way_out(web)] == ["green", "red", "blue"]
    docker("network", "connect", "--gw-priority", "9", "red", web.name)
    assert _way_out(web) == "red"
    _assert_published_by(web, "red", lab)


def test_without_a_network_nothing_is_published(
    networks: list[str], docker: Docker, lab: Lab
) -> None:
    before = traces(docker.host)
    web = docker.web("web", "--network", "blue", "-p", f"{PORT}:80")
    docker("network", "disconnect", "blue", web.name)
    assert published(docker.host) == {}
    assert ask(lab.outside, docker.host.address4, PORT, wait=1) is None
    assert [line for line in difference(before, traces(docker.host)) if "veth" not in line] == []
    docker("network", "connect", "green", web.name)
    _assert_published_by(web, "green", lab)


@pytest.mark.engine("28.5")
def test_connecting_over_and_over_leaves_nothing_behind(
    networks: list[str], docker: Docker, lab: Lab
) -> None:
    web = docker.web("web", "--network", "blue", "-p", f"{PORT}:80")
    before = traces(docker.host)
    for _ in range(5):
        for network in ("green", "red"):
            docker("network", "connect", network, web.name)
        for network in ("green", "red"):
            docker("network", "disconnect", network, web.name)
    left = difference(before, traces(docker.host))
    assert [line for line in left if "veth" not in line] == []
    _assert_published_by(web, "blue", lab)
    assert interfaces(web) == ["eth0"]


@pytest.mark.engine("28.5")
def test_a_restarted_container_has_all_its_networks_with_their_macs(
    networks: list[str], docker: Docker, lab: Lab
) -> None:
    web = docker.web("web", "--network", "blue", "-p", f"{PORT}:80")
    for network in networks[1:]:
        docker("network", "connect", network, web.name)
    before = {network: _identity(web, network) for network in networks}
    docker("restart", web.name)
    assert {network: _identity(web, network) for network in networks} == before
    _assert_published_by(web, _way_out(web), lab)


def _identity(container: Container, network: str) -> tuple[str, str]:
    return container.address(network), str(container.on(network)["MacAddress"])
