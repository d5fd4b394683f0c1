"""What the options of networks mean for an overlay, and what is refused."""

from collections.abc import Sequence
from functools import partial
from itertools import permutations, product

import pytest
from tests.docker.client import Container, Docker
from tests.docker.labels import label, leaks, modes, reached, ways_in
from tests.docker.links import default_routes, device_with, interfaces, link
from tests.docker.overlays import GATEWAY, PORT, SUBNET, SUBNET6, Overlay, over, own_address
from tests.docker.reach import INTERNET, Answer, Place, answering, ask, closed, pings, server_of

from dockerlab import Lab, parallel
from dockerlab.processes import wait_until
from dockerlab.underlay import OUTSIDE

pytestmark = pytest.mark.engine("28.5")

FAMILIES = (4, 6)
#: Seconds that IPv6 of a new container may take; on older engines it is there after one only.
PATIENCE = 15.0


@pytest.mark.parametrize("direct", [False, True])
def test_with_icc_off_containers_of_all_hosts_reach_what_is_published_and_nothing_else(
    dockers: list[Docker], trio: Lab, direct: bool
) -> None:
    found = ("-o", "direct=true") if direct else over(trio)
    blue = Overlay(dockers, *found, *label("bridge.enable_icc", "false"))
    twin = dockers[0].web("twin", "--network", "blue")
    unpublished = {web.name: (web, blue.others(web)) for web in blue.webs}
    assert leaks({**unpublished, "twin": (twin, blue.inside())}) == []
    for web, host, version in product((*blue.webs, twin), trio.hosts, FAMILIES):
        answers = partial(_answers, web, own_address(host, version), PORT, host.name)
        assert wait_until(answers, PATIENCE)
    assert all(pings(web, INTERNET[4]) for web in blue.webs)


def test_an_internal_overlay_is_for_its_containers_only(dockers: list[Docker], trio: Lab) -> None:
    blue = Overlay(dockers, *over(trio), "--internal")
    assert blue.wrong() == {}
    assert leaks({web.name: (web, INTERNET.values()) for web in blue.webs}) == []
    for web in blue.webs:
        assert default_routes(web) == []
        assert server_of(trio.outside, web.docker.host.address4, PORT) is None
        with ways_in(trio, SUBNET, SUBNET6, by=web.name):
            assert reached(trio.outside, *blue.inside()) == []


def test_an_overlay_lies_with_the_host_where_it_is_asked_to(
    dockers: list[Docker], trio: Lab
) -> None:
    blue = Overlay(dockers, *over(trio), "-o", "namespace=host")
    assert blue.wrong() == {}
    for docker in dockers:
        gateway = link(docker.host, device_with(docker.host, GATEWAY[4]))
        assert gateway["linkinfo"]["info_kind"] == "bridge"


@pytest.mark.parametrize("options", [(), ("-o", "vni=43", "-o", "peers=192.0.2.99")])
def test_a_namespace_that_a_host_may_not_have_is_refused_with_what_it_takes(
    dockers: list[Docker], options: tuple[str, ...]
) -> None:
    create = ("network", "create", "-d", "pyflat", "-o", "namespace=own", *options, "green")
    error = dockers[2].refused(*create)
    assert "option namespace='own'" in error
    assert "PYFLAT_NAMESPACE and CAP_SYS_ADMIN" in error
    assert "green" not in dockers[2]("network", "ls")


@pytest.mark.parametrize(("options", "heard"), [(("-o", "antispoof=true"), False), ((), True)])
def test_who_takes_another_address_is_heard_on_another_host_only_without_antispoof(
    dockers: list[Docker], trio: Lab, options: Sequence[str], heard: bool
) -> None:
    blue = Overlay(dockers, *over(trio), *options)
    assert blue.wrong() == {}
    for one, other in ((0, 2), (2, 0)):
        web, target = blue.webs[one], blue.address(blue.webs[other], 4)
        web.run("ip", "address", "add", "10.42.9.9/16", "dev", "eth0")
        done = web.run("ping", "-c1", "-W1", "-I", "10.42.9.9", target)
        assert (done.returncode == 0) == heard
        assert pings(web, target)
        web.run("ip", "address", "delete", "10.42.9.9/16", "dev", "eth0")


@pytest.mark.parametrize(("mode", "open_"), [("routed", False), ("nat-unprotected", True)])
def test_gateway_modes_open_each_hosts_own_containers(
    dockers: list[Docker], trio: Lab, mode: str, open_: bool
) -> None:
    blue = Overlay(dockers, *over(trio), *modes(mode), run=("-p", "9001:9000"))
    assert blue.wrong() == {}
    for web, version in product(blue.webs, FAMILIES):
        own = blue.address(web, version)
        with ways_in(trio, SUBNET6 if version == 6 else SUBNET, by=web.name):
            assert wait_until(partial(_answers, trio.outside, own, 80, web.name), PATIENCE)
            assert ask(trio.outside, own, 80) == Answer(web.name, OUTSIDE[version == 6])
            assert pings(trio.outside, own)
            with answering(web, 9002, "unpublished"):
                assert closed(trio.outside, own, 9002) != open_


def _answers(place: Place, address: str, port: int, name: str) -> bool:
    return server_of(place, address, port) == name


def test_the_address_managers_of_docker_share_a_subnet_by_their_ranges(
    dockers: list[Docker], trio: Lab
) -> None:
    """Without a gateway that is asked for, each host has another one."""
    for docker in dockers:
        part = f"10.42.{docker.host.name.removeprefix('h')}.0"
        ranges = ("--subnet", SUBNET, "--ip-range", f"{part}/24")
        docker.network("blue", "-o", "vni=42", *over(trio), *ranges)
        web = docker.web(docker.host.name, "--network", "blue")
        assert default_routes(web) == [part]
        assert pings(web, INTERNET[4])
    webs = [Container(docker, docker.host.name) for docker in dockers]
    for one, other in permutations(webs, 2):
        answer = ask(one, other.address("blue"), 80)
        assert answer == Answer(other.name, one.address("blue"))


def test_a_running_container_joins_and_leaves_beside_a_network_of_its_host(
    dockers: list[Docker], trio: Lab
) -> None:
    blue = Overlay(dockers, *over(trio))
    parallel.each(_add_local, dockers)
    locals_ = [Container(docker, "local") for docker in dockers]
    for one, other in permutations(locals_, 2):
        assert pings(one, other.address("blue"))
        assert pings(other, one.address("blue", 6))
    left = [one.address("blue", version) for one, version in product(locals_, FAMILIES)]
    for one, web in zip(locals_, blue.webs, strict=True):
        assert server_of(one, blue.address(web, 4), 80) == web.name
        assert server_of(trio.outside, web.docker.host.address4, 82) == "local"
        assert pings(one, INTERNET[4])
        one.docker("network", "disconnect", "blue", "local")
        assert interfaces(one) == ["eth0"]
    gone = {f"local of {one.docker.host.name}": (one, blue.inside()) for one in locals_}
    assert leaks({**gone, **{web.name: (web, left) for web in blue.webs}}) == []
    assert blue.wrong() == {}


def _add_local(docker: Docker) -> None:
    docker.network("lan", driver="bridge")
    docker.web("local", "--network", "lan", "-p", "82:80")
    docker("network", "connect", "blue", "local")


def test_ports_may_be_left_to_docker(dockers: list[Docker], trio: Lab) -> None:
    blue = Overlay(dockers, *over(trio), "-o", "ports=docker")
    assert blue.wrong() == {}
    for web in blue.webs:
        host = web.docker.host
        (gateway,) = default_routes(web)
        assert device_with(host, gateway) == "docker_gwbridge"
        assert ask(trio.outside, host.address4, PORT) == Answer(web.name, OUTSIDE[0])
        assert f"80/tcp -> 0.0.0.0:{PORT}" in web.docker("port", web.name).splitlines()
        assert pings(web, INTERNET[4])
