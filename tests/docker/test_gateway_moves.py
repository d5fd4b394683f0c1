"""A container in several networks: which of them is its way out, and has its ports."""

import pytest
from tests.conftest import NEWEST
from tests.docker.client import Container, Docker
from tests.docker.links import default_routes, interfaces, link
from tests.docker.portmap import published, published_on_one
from tests.docker.reach import INTERNET, Place, Question, ask, ask_all, pings
from tests.docker.traces import difference, traces

from dockerlab import Lab
from dockerlab.underlay import OUTSIDE

SUBNETS = {"blue": "10.90.0", "green": "10.91.0", "red": "10.92.0"}
SUBNETS6 = {"blue": "fd90::", "green": "fd91::", "red": "fd92::"}
FAMILIES = (4, 6)
PORT = 81


@pytest.fixture
def networks(docker: Docker) -> list[str]:
    return [docker.network(name, "--ipv6", *_words(name, 4), *_words(name, 6)) for name in SUBNETS]


def _words(network: str, version: int) -> tuple[str, ...]:
    """One of the subnets of a network, and its gateway."""
    if version == 6:
        return ("--subnet", f"{SUBNETS6[network]}/64", "--gateway", f"{SUBNETS6[network]}1")
    return ("--subnet", f"{SUBNETS[network]}.0/24", "--gateway", f"{SUBNETS[network]}.1")


def _way_out(container: Container) -> str:
    """The network that the default route leads to."""
    (gateway,) = default_routes(container)
    (name,) = (name for name, prefix in SUBNETS.items() if gateway == f"{prefix}.1")
    return name


def _assert_published_by(container: Container, network: str, lab: Lab) -> None:
    """The ports, and all that belongs to them, are those of one network and no other."""
    host = container.docker.host
    _assert_mappings(container, dict.fromkeys(FAMILIES, network))
    assert _hairpins(container) == [network]
    gateways = {"127.0.0.1": f"{SUBNETS[network]}.1", "::1": f"{SUBNETS6[network]}1"}
    assert _clients(lab.outside, host.address4, host.address6) == list(OUTSIDE)
    assert _clients(host, *gateways) == list(gateways.values())
    assert _clients(container, host.address4, host.address6) == list(gateways.values())


def _assert_mappings(container: Container, networks: dict[int, str]) -> None:
    """The maps lead to the container by these networks, and its ports are held once."""
    host = container.docker.host
    for version in FAMILIES:
        mappings = {}
        if version in networks:
            own = container.address(networks[version], version)
            mappings[f"tcp {PORT}"] = f"{own} 80"
        assert published(host, version) == mappings
        assert published_on_one(host, version) == {}
    assert _held(container) == [{4: "TCP", 6: "TCPv6"}[version] for version in sorted(networks)]


def _held(container: Container) -> list[str]:
    found = traces(container.docker.host).elements()
    return sorted(trace.text for trace in found if trace.kind == "held socket")


def _clients(place: Place, *addresses: str) -> list[str | None]:
    """Who the container sees when a place asks the host's addresses; None without an answer."""
    questions = [Question("tcp", address, PORT) for address in addresses]
    answers = ask_all(place, dict.fromkeys(questions, 6.0))
    return [answers[each].client if each in answers else None for each in questions]


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


@pytest.mark.engine(NEWEST)
def test_a_gateway_priority_decides(
    networks: list[str], docker: Docker, lab: Lab, engine: str
) -> None:
    if engine != NEWEST:
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


def test_ports_go_between_pyflat_and_dockers_bridge(docker: Docker, lab: Lab) -> None:
    host = docker.host
    docker.network("blue", *_words("blue", 4))
    docker.network("foreign", driver="bridge")
    web = docker.web("web", "--network", "blue", "-p", f"{PORT}:80")
    for _ in range(2):
        docker("network", "connect", "foreign", web.name)
        assert _clients(lab.outside, host.address4) == [OUTSIDE[0]]
        docker("network", "disconnect", "blue", web.name)
        _assert_mappings(web, {})
        assert docker("port", web.name).startswith(f"80/tcp -> 0.0.0.0:{PORT}")
        assert _clients(lab.outside, host.address4) == [OUTSIDE[0]]
        docker("network", "connect", "blue", web.name)
        assert _clients(lab.outside, host.address4) == [OUTSIDE[0]]
        docker("network", "disconnect", "foreign", web.name)
        _assert_mappings(web, {4: "blue"})
        assert docker("port", web.name) == ""
        assert _clients(lab.outside, host.address4) == [OUTSIDE[0]]


@pytest.mark.engine(NEWEST)
def test_a_gateway_priority_decides_between_pyflat_and_dockers_bridge(
    docker: Docker, lab: Lab, engine: str
) -> None:
    if engine != NEWEST:
        pytest.skip("gateway priorities are of Engine 28")
    host = docker.host
    docker.network("blue", *_words("blue", 4))
    docker.network("foreign", driver="bridge")
    web = docker.web("web", "--network", "name=blue,gw-priority=1", "-p", f"{PORT}:80")
    docker("network", "connect", "--gw-priority", "2", "foreign", web.name)
    _assert_mappings(web, {})
    assert docker("port", web.name).startswith(f"80/tcp -> 0.0.0.0:{PORT}")
    assert _clients(lab.outside, host.address4) == [OUTSIDE[0]]
    docker("network", "disconnect", "blue", web.name)
    docker("network", "connect", "--gw-priority", "3", "blue", web.name)
    _assert_mappings(web, {4: "blue"})
    assert docker("port", web.name) == ""
    assert _clients(lab.outside, host.address4) == [OUTSIDE[0]]


@pytest.mark.engine(NEWEST)
@pytest.mark.parametrize("later", ["green", "blue", None])
def test_each_family_has_its_own_way_out(
    docker: Docker, lab: Lab, engine: str, later: str | None
) -> None:
    if engine != NEWEST:
        pytest.skip("networks of IPv6 alone are of Engine 28")
    host = docker.host
    docker.network("blue", *_words("blue", 4))
    docker.network("green", "--ipv4=false", "--ipv6", *_words("green", 6))
    first = [name for name in ("blue", "green") if name != later]
    words = [word for name in first for word in ("--network", name)]
    web = docker.web("web", *words, "-p", f"{PORT}:80")
    if later is not None:
        docker("network", "connect", later, web.name)
    assert (default_routes(web), default_routes(web, 6)) == (["10.90.0.1"], ["fd91::1"])
    _assert_mappings(web, {4: "blue", 6: "green"})
    assert _clients(lab.outside, host.address4, host.address6) == list(OUTSIDE)
    assert _clients(host, "127.0.0.1", "::1") == ["10.90.0.1", "fd91::1"]
    docker("network", "disconnect", "blue", web.name)
    _assert_mappings(web, {6: "green"})
    assert _clients(lab.outside, host.address4, host.address6) == [None, OUTSIDE[1]]
    docker("network", "connect", "blue", web.name)
    docker("network", "disconnect", "green", web.name)
    _assert_mappings(web, {4: "blue"})
    assert _clients(lab.outside, host.address4, host.address6) == [OUTSIDE[0], None]


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
    web.listening()
    assert {network: _identity(web, network) for network in networks} == before
    _assert_published_by(web, _way_out(web), lab)


def _identity(container: Container, network: str) -> tuple[str, str]:
    return container.address(network), str(container.on(network)["MacAddress"])
