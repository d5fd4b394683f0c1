"""What the commands show of a host, held against what Docker, ``ip`` and ``nft`` say of it."""

import json
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from tests.docker.client import Container, Docker
from tests.docker.portmap import published, published_on_one
from tests.docker.starting import bare_lab, start

from dockerlab import Lab
from dockerlab.host import Host
from dockerlab.processes import wait_until
from dockerlab.traces import Inside, Place, ip

pytestmark = [pytest.mark.engine("28.5"), pytest.mark.placements]

ASKING = ("status", "networks", "endpoints", "ports", "peers", "pools", "plan", "graph")
TABLES = ("networks", "endpoints", "ports", "peers", "pools")
PORTS = ("8080:80", "127.0.0.1:8081:81", "7000-7002:7000-7002/udp")


@pytest.fixture(scope="module")
def lab(engine: str, placement: str) -> Iterator[Lab]:
    """A host of a cluster, with a network of its own, an overlay and an internal network."""
    with bare_lab(engine, etcd=True) as lab:
        assert lab.etcd is not None
        lab.etcd.start()
        start(lab.host("h1"))
        docker = Docker(lab.host("h1"))
        own = ("--ipam-driver", "pyflat")
        docker.network("lan", *own, "--ipv6", "--subnet", "10.30.0.0/24", "--subnet", "fd30::/64")
        hosts = f"peers={lab.host('h1').address4},192.0.2.12"
        docker.network("blue", "--subnet", "10.42.0.0/24", "-o", "vni=42", "-o", hosts)
        docker.network("back", "--internal")
        docker.run("web", "--network", "lan", *(word for p in PORTS for word in ("-p", p)))
        docker.run("db", "--network", "blue")
        docker("network", "connect", "lan", "db")
        yield lab


@pytest.fixture
def docker(host: Host) -> Docker:
    return Docker(host)


def shown(host: Host, *words: str) -> Any:
    """What a command writes for programs."""
    return json.loads(host.run("pyflat", *words, "--json", check=True).stdout)


def connections(docker: Docker) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Container, network and what Docker says of each connection."""
    for name in ("web", "db"):
        networks = docker.inspect("container", name)["NetworkSettings"]["Networks"]
        yield from ((name, network, facts) for network, facts in networks.items())


def numbers(place: Place) -> dict[str, tuple[int, int]]:
    """The index of each interface of a place, and of what it leads to."""
    return {
        link["ifname"]: (link["ifindex"], link.get("link_index", 0))
        for link in ip(place, "-d", "link")
    }


def test_networks_are_those_that_docker_has(docker: Docker, host: Host) -> None:
    rows = {row["network"]: row for row in shown(host, "networks")}
    assert list(rows) == ["back", "blue", "lan"]
    for name, row in rows.items():
        facts = docker.inspect("network", name)
        assert row["id"] == facts["Id"]
        assert row["subnets"] == [config["Subnet"] for config in facts["IPAM"]["Config"]]
        assert row["endpoints"] == len(facts["Containers"])
        assert row["internal"] == facts["Internal"]
        assert row["bridge"] in numbers(host)
    assert (rows["blue"]["vni"], rows["lan"]["vni"]) == (42, 0)


def test_endpoints_are_those_that_docker_has(docker: Docker, host: Host) -> None:
    rows = {(row["container"], row["network"]): row for row in shown(host, "endpoints")}
    found = list(connections(docker))
    assert {(name, network) for name, network, _ in found} == set(rows)
    for name, network, facts in found:
        row = rows[name, network]
        assert (row["id"], row["mac"]) == (facts["EndpointID"], facts["MacAddress"])
        addresses = [f"{facts['IPAddress']}/{facts['IPPrefixLen']}"]
        if facts["GlobalIPv6Address"]:
            addresses.append(f"{facts['GlobalIPv6Address']}/{facts['GlobalIPv6PrefixLen']}")
        assert row["addresses"] == addresses


def test_ports_are_those_of_the_firewalls_maps(host: Host) -> None:
    rows = shown(host, "ports", "lan")
    for version, anywhere in ((4, "0.0.0.0"), (6, "::")):
        everywhere = {
            f"{row['protocol']} {row['host_port']}": f"{row['address']} {row['port']}"
            for row in rows
            if row["host"] == anywhere
        }
        assert everywhere == published(host, version)
        assert len(everywhere) == 4
    assert published_on_one(host) == {"tcp 127.0.0.1 8081": f"{_address(host, 'web')} 81"}
    (row,) = (row for row in rows if row["host"] == "127.0.0.1")
    assert (row["host_port"], row["address"], row["port"]) == (8081, _address(host, "web"), 81)
    assert {row["container"] for row in rows} == {"web"}
    assert shown(host, "ports", "blue") == []


def test_pools_and_peers_are_counted(host: Host) -> None:
    pools = {row["pool"]: row["used"] for row in shown(host, "pools")}
    assert pools == {"10.30.0.0/24": 3, "fd30::/64": 3}  # the gateway and two containers
    (peer,) = shown(host, "peers")
    assert (peer["network"], peer["vtep"], peer["heard"]) == ("blue", "192.0.2.12", True)


@pytest.mark.parametrize("command", TABLES)
def test_a_table_in_a_pipe_has_a_line_for_each_row_and_no_colour(command: str, host: Host) -> None:
    text = host.run("pyflat", command, check=True).stdout
    heading, *lines = text.splitlines()
    assert heading == heading.upper()
    assert "\x1b" not in text
    expected = len(shown(host, command))
    assert len(lines) == (expected - 4 if command == "ports" else expected)  # two ranges of three


def test_the_status_of_a_host_that_is_well_is_0(host: Host) -> None:
    done = host.run("pyflat", "status")
    assert (done.returncode, done.stderr) == (0, "")
    assert "all is well" in done.stdout
    found = shown(host, "status")
    assert (found["networks"], found["overlays"], found["endpoints"]) == (3, 1, 3)
    assert found["cluster"]["leased"]
    assert found["ports"] == 9


def test_the_picture_has_what_the_kernel_has(docker: Docker, host: Host) -> None:
    picture = shown(host, "graph")
    here, inside = numbers(host), numbers(Inside(host))
    switches = {switch["network"]: switch for switch in picture["switches"]}
    assert set(switches) == {"back", "blue", "lan"}
    assert [plug["name"] for plug in picture["uplinks"]] == ["eth0"]
    assert picture["uplinks"][0]["index"] == here["eth0"][0]
    apart = {"back", "lan"} if Docker.apart else set()
    assert {name for name in switches if switches[name]["inside"]} == {"blue", *apart}
    for switch in switches.values():
        place = inside if switch["inside"] else here
        assert switch["bridge"]["index"] == place[switch["bridge"]["name"]][0]
    blue = switches["blue"]
    assert inside[blue["tunnel"]["name"]][0] == blue["tunnel"]["index"]
    assert inside[blue["inner"]["name"]] == (blue["inner"]["index"], blue["gateway"]["index"])
    assert here[blue["gateway"]["name"]] == (blue["gateway"]["index"], blue["inner"]["index"])
    seen = [each for room in picture["rooms"] for each in room["connections"]]
    assert len(seen) == len(list(connections(docker)))
    for each in seen:
        port, end = each["port"], each["end"]
        place = inside if switches[each["network"]]["inside"] else here
        own = numbers(Container(docker, each["container"]))
        assert place[port["name"]] == (port["index"], end["index"])
        assert own[end["name"]] == (end["index"], port["index"])


def test_every_form_of_the_picture_has_every_interface(host: Host, tmp_path: Path) -> None:
    picture = shown(host, "graph")
    plugs = [each[end] for room in picture["rooms"] for each in room["connections"]
             for end in ("port", "end")]  # fmt: skip
    for form in ("svg", "dot", "md", "mmd"):
        file = tmp_path / f"host.{form}"
        assert host.run("pyflat", "graph", "-o", str(file), check=True).stderr == ""
        text = unescape(file.read_text()).replace("#35;", "#")
        assert [p["name"] for p in plugs if p["name"] not in text] == []
        assert [p["index"] for p in plugs if f"#{p['index']}" not in text] == []
    host.run("pyflat", "graph", "-o", str(tmp_path / "host.png"), check=True)
    assert (tmp_path / "host.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["host.pdf", "no/such/folder/host.dot"])
def test_what_cannot_be_drawn_into_is_refused_in_one_line(
    name: str, host: Host, tmp_path: Path
) -> None:
    done = host.run("pyflat", "graph", "-o", str(tmp_path / name))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1


def test_who_may_enter_no_namespace_is_told_so(host: Host) -> None:
    done = host.run("setpriv", "--bounding-set", "-sys_admin", "pyflat", "graph")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("pyflat: namespaces can be entered by root only")


def test_without_graphviz_its_package_is_named(host: Host, tmp_path: Path) -> None:
    program = host.run("which", "pyflat", check=True).stdout.strip()
    bare = ("env", f"PATH={tmp_path}", program)
    done = host.run(*bare, "graph", "-o", str(tmp_path / "host.svg"))
    assert (done.returncode, "apt install graphviz" in done.stderr) == (1, True)
    assert host.run(*bare, "graph", "-o", str(tmp_path / "host.dot")).returncode == 0


def test_without_docker_containers_have_their_ids_or_what_pyflat_has_learned(host: Host) -> None:
    done = host.run(
        "pyflat", "endpoints", "--json", env={"DOCKER_HOST": "unix:///run/none.sock"}, check=True
    )
    rows = json.loads(done.stdout)
    assert sorted(row["container"] == row["id"][:12] for row in rows) == [False, True, True]
    assert {row["container"] for row in rows if row["names"]} == {"db"}


def test_a_cluster_that_is_away_makes_the_status_2(host: Host, lab: Lab) -> None:
    assert lab.etcd is not None
    lab.etcd.stop()
    assert wait_until(lambda: host.run("pyflat", "status").returncode == 2, 30)
    found = json.loads(host.run("pyflat", "status", "--json").stdout)
    assert (found["amiss"], found["cluster"]["well"], found["well"]) == (0, False, False)
    lab.etcd.start()
    assert wait_until(lambda: host.run("pyflat", "status").returncode == 0, 30)


def test_what_is_amiss_makes_the_status_2(docker: Docker, host: Host) -> None:
    Container(docker, "web").run("ip", "link", "delete", "eth0")
    assert wait_until(lambda: host.run("pyflat", "status").returncode == 2, 5)
    done = host.run("pyflat", "graph", "lan")
    assert (done.returncode, " gone " in done.stdout) == (0, True)


def test_where_no_plugin_runs_every_command_but_one_ends_with_1(host: Host) -> None:
    host.pyflat.stop()
    for command in ASKING:
        done = host.run("pyflat", command)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("pyflat: no pyflat runs here")
    assert host.run("pyflat", "options").returncode == 0
    host.pyflat.start()


def _address(host: Host, container: str) -> str:
    return Container(Docker(host), container).address("lan")
