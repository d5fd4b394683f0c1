"""What State says about names, and what Docker says of its containers'."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from netaddr import IPAddress
from tests.support import dockerd
from tests.support.dockerd import docker_id, swarm_id
from tests.support.host import Host
from tests.support.records import endpoint, network, state_of

from pyflat.driver.endpoints import name_endpoint
from pyflat.driver.networks import delete_network
from pyflat.model import Endpoint, Network, NetworkOptions
from pyflat.names import hosts
from pyflat.names.learn import names_of, obstacle
from pyflat.peers import Overlay, Remote, Resolver
from pyflat.state import State

VNI = 42
OPTIONS = NetworkOptions(overlay=Overlay(vni=VNI))
BLUE = network("blue", "10.42.0.0/16", "fd42::/64", options=OPTIONS)
LAN = network("lan", "10.7.0.0/24")


def named(name: str, within: Network = BLUE, sandbox: str | None = "/run/x") -> Endpoint:
    own = endpoint(name, within, "10.42.0.2/16", "fd42::2/64", sandbox=sandbox)
    state = name_endpoint(state_of(own), identifier=own.id, names=(name, "www"))
    return state.require(Endpoint, own.id)


def remote(*names: str, vni: int = VNI) -> Remote:
    return Remote(
        id=docker_id("db"),
        vni=vni,
        host="h2",
        vtep=IPAddress("192.0.2.12"),
        mac="02:42:00:00:00:09",
        addresses=(IPAddress("10.42.0.3"),),
        names=names,
    )


def texts(state: State, record: Endpoint | Remote) -> list[str]:
    return list(hosts.files(state, (record.kind, record.id)).values())


def test_an_endpoints_file_has_a_line_for_each_address() -> None:
    web = named("web")
    found = hosts.files(state_of(BLUE, web), (web.kind, web.id))
    assert found == {(BLUE.id, web.id): "10.42.0.2 web www\nfd42::2 web www\n"}


def test_who_is_on_another_host_has_one_in_each_network_of_the_vni() -> None:
    db = remote("db")
    key = (db.kind, db.id)
    assert hosts.files(state_of(BLUE, db), key) == {(BLUE.id, db.id): "10.42.0.3 db\n"}
    assert hosts.files(state_of(db), key) == {}
    assert hosts.files(state_of(BLUE, remote("db", vni=7)), key) == {}


@pytest.mark.parametrize("identifier", ["", ".", "..", "a/b", "#a"])
def test_what_is_no_id_of_docker_has_none(identifier: str) -> None:
    db = replace(remote("db"), id=identifier)
    assert texts(state_of(BLUE, db), db) == []


@pytest.mark.parametrize("sandbox", [None, ""])
def test_who_has_not_joined_or_has_left_has_none(sandbox: str | None) -> None:
    web = named("web", sandbox=sandbox)
    assert texts(state_of(BLUE, web), web) == []


def test_networks_of_one_host_have_none() -> None:
    web = named("web", LAN)
    assert texts(state_of(LAN, web), web) == []


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "a\n10.0.0.1 bank",
        "#a",
        "",
        "a..b",
        ".a",
        "-a",
        "a" * 64,
        "a." * 127 + "aa",
        "ä",
        "a\t",
    ],
)
def test_what_is_no_name_never_gets_into_a_file(name: str) -> None:
    assert texts(state_of(BLUE, remote(name)), remote(name)) == []
    both = remote(name, "db")
    assert texts(state_of(BLUE, both), both) == ["10.42.0.3 db\n"]


@pytest.mark.parametrize("name", ["web", "web.shop", "my_db-1", "7", "WWW", "a" * 63])
def test_what_docker_takes_for_a_name_is_one(name: str) -> None:
    assert texts(state_of(BLUE, remote(name)), remote(name)) == [f"10.42.0.3 {name}\n"]


def asking(*servers: str) -> Endpoint:
    own = endpoint("web", BLUE, "10.42.0.2/16")
    return Endpoint(id=own.id, network=BLUE.id, mac=own.mac, servers=tuple(map(IPAddress, servers)))


@pytest.mark.parametrize("server", ["192.0.2.53", "2001:db8::53", "10.42.0.1", "fd42::1"])
def test_servers_that_are_asked_by_way_of_the_gateway_are_answered_for(server: str) -> None:
    state = state_of(BLUE, asking("192.0.2.53", "2001:db8::53"))
    assert hosts.is_asked(state, BLUE, IPAddress(server))


@pytest.mark.parametrize("server", ["127.0.0.53", "10.42.7.7", "fe80::1", "192.0.2.99"])
def test_others_are_not(server: str) -> None:
    state = state_of(BLUE, asking("127.0.0.53", "10.42.7.7", "fe80::1"))
    assert not hosts.is_asked(state, BLUE, IPAddress(server))


def test_nobody_answers_where_nobody_asks() -> None:
    assert not hosts.is_asked(state_of(BLUE), BLUE, IPAddress("10.42.0.1"))


def test_of_an_internal_network_only_the_gateway_is_asked() -> None:
    inner = network("blue", "10.42.0.0/16", internal=True, options=OPTIONS)
    state = state_of(inner, asking("192.0.2.53"))
    assert hosts.is_asked(state, inner, IPAddress("10.42.0.1"))
    assert not hosts.is_asked(state, inner, IPAddress("192.0.2.53"))


def test_a_network_takes_along_what_answers_for_it() -> None:
    resolver = Resolver(
        network=BLUE.id, server=IPAddress("192.0.2.53"), address=IPAddress("10.42.0.1"), port=4000
    )
    assert list(delete_network(state_of(BLUE, resolver), BLUE.id).all(Resolver)) == []


def test_an_endpoint_of_an_overlay_remembers_which_servers_docker_asks() -> None:
    host = Host(
        dockerd.create_network(
            BLUE.id, "10.42.0.0/16", labels={"vni": "42", "peers": "192.0.2.12"}
        ),
        dockerd.create_network(LAN.id, "10.7.0.0/24"),
    )
    for name, within, servers in (
        ("own", BLUE, ("203.0.113.53", "fe80::1%eth0")),
        ("hosts", BLUE, ()),
        ("none", LAN, ("203.0.113.53",)),
    ):
        address = f"{within.subnets[0].cidr[10 + len(name)]}/{within.subnets[0].cidr.prefixlen}"
        create = dockerd.create_endpoint(within.id, docker_id(name), address, servers=servers)
        host.send_all([create, create])
    found = {
        name: tuple(map(str, host.state.require(Endpoint, docker_id(name)).servers))
        for name in ("own", "hosts", "none")
    }
    assert found == {"own": ("203.0.113.53", "fe80::1"), "hosts": ("192.0.2.200",), "none": ()}


def test_names_in_a_network_of_a_swarm_are_dockers() -> None:
    green = replace(BLUE, id=swarm_id("green"))
    web = named("web", green)
    assert texts(state_of(green, web), web) == []
    assert not hosts.is_asked(state_of(green, web), green, IPAddress("10.42.0.1"))
    assert hosts.has_names(BLUE)


def test_naming_who_is_gone_is_no_change() -> None:
    assert name_endpoint(State(), identifier=docker_id("web"), names=("web",)) == State()


CONTAINER: dict[str, Any] = {
    "Id": "0123456789abcdef",
    "Name": "/shop-web-1",
    "Config": {"Hostname": "www"},
    "HostConfig": {"Dns": None},
}


def test_docker_lists_names_or_they_are_put_together() -> None:
    listed = {"DNSNames": ["shop-web-1", "web", "0123456789ab"], "Aliases": ["web"]}
    assert names_of(CONTAINER, listed) == ("shop-web-1", "web", "0123456789ab")
    former = {"Aliases": ["web", "0123456789ab"]}
    assert names_of(CONTAINER, former) == ("shop-web-1", "web", "0123456789ab", "www")
    assert names_of(CONTAINER, {"Aliases": None})[0] == "shop-web-1"


@pytest.mark.parametrize(
    ("resolv_conf", "servers", "reason"),
    [
        ("# ExtServers: [host(192.0.2.1)]\n", ("192.0.2.1",), "from the host"),
        ("# ExtServers: [192.0.2.1]\n", ("192.0.2.1",), ""),
        (None, ("192.0.2.1",), ""),
        (None, ("127.0.0.1", "192.0.2.1"), "from the host"),
        ("nameserver 127.0.0.11\n", ("127.0.0.1",), "from the host"),
    ],
)
def test_where_docker_asks_from_is_found_out(
    tmp_path: Path, resolv_conf: str | None, servers: tuple[str, ...], reason: str
) -> None:
    file = tmp_path / "resolv.conf"
    if resolv_conf is not None:
        file.write_text(resolv_conf)
    container = CONTAINER | {"ResolvConfPath": str(file)}
    found = obstacle(container, BLUE, asking(*servers))
    assert reason in found
    assert bool(reason) == bool(found)
    told = container | {"HostConfig": {"Dns": ["10.42.0.1"]}}
    assert obstacle(told, BLUE, asking(*servers)) == ""


@pytest.mark.parametrize(
    ("within", "reason"),
    [
        (network("blue", "10.42.0.0/16", internal=True, options=OPTIONS), "internal"),
        (
            network(
                "blue",
                "10.42.0.0/16",
                options=NetworkOptions(overlay=Overlay(vni=VNI), ports="docker"),
            ),
            "docker_gwbridge",
        ),
    ],
)
def test_networks_whose_gateway_nobody_comes_by_are_named(within: Network, reason: str) -> None:
    container = CONTAINER | {"ResolvConfPath": "/nonexistent"}
    assert reason in obstacle(container, within, asking("192.0.2.53"))
