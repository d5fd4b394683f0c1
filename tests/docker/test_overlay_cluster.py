"""An overlay whose hosts tell each other by etcd: two in one segment, and one behind a router."""

from collections.abc import Iterator
from functools import partial
from itertools import permutations, product

import pytest
from tests.docker.capture import captured, sent
from tests.docker.client import Container, Docker
from tests.docker.overlays import ASKING, CLUSTER, Overlay, amiss, lab_of_three, own_address
from tests.docker.pages import REPOSITORY, Step, chapters, failed
from tests.docker.reach import Answer, answering, ask, pings
from tests.docker.stream import SIZE, exchanged
from tests.docker.ways import astray

from dockerlab import Lab
from dockerlab.processes import wait_until

pytestmark = pytest.mark.engine("28.5")

PAGES = (("docs/overlay.md", ""),)
DIRECT = ("-o", "direct=true")
MOVER = {4: "10.42.9.9", 6: "fd42::9:9"}


@pytest.fixture(
    scope="module", params=[4, pytest.param(6, marks=pytest.mark.full)], ids=["IPv4", "IPv6"]
)
def version(request: pytest.FixtureRequest) -> int:
    """The family of the underlay."""
    return int(request.param)


@pytest.fixture(scope="module")
def trio(engine: str, version: int) -> Iterator[Lab]:
    """h1 and h2 are in one segment, h3 is further away."""
    with lab_of_three(engine, outer="h2", far=1, pyflat_env=CLUSTER[version]) as lab:
        yield lab


@pytest.fixture(params=[(), DIRECT], ids=["tunnel", "direct"])
def blue(dockers: list[Docker], request: pytest.FixtureRequest) -> Overlay:
    return Overlay(dockers, *request.param, run=ASKING)


def test_every_pair_of_containers_talks(blue: Overlay, trio: Lab) -> None:
    assert blue.silent() == []
    assert blue.wrong() == {}
    assert blue.nameless() == []
    assert amiss(trio) == {}


def test_the_command_that_the_page_begins_with_makes_one_network_of_many_hosts(
    dockers: list[Docker],
) -> None:
    for docker, (page, chapter) in product(dockers, PAGES):
        steps = chapters(REPOSITORY / page)[chapter]
        # The cluster may still know the VNI by another network, which is gone since a moment.
        assert wait_until(partial(_all_end_well, steps, docker), 10, 0.5)
    first, *others = (
        docker.run("web", "--network", "blue", "--ip", f"10.42.0.1{number}")
        for number, docker in enumerate(dockers, 1)
    )
    assert all(pings(first, other.address("blue")) for other in others)


def _all_end_well(steps: list[Step], docker: Docker) -> bool:
    return failed(steps, docker.host.popen) == {}


def test_a_host_reaches_the_containers_of_another_in_its_segment(
    blue: Overlay, trio: Lab, version: int
) -> None:
    """As itself: there is no way back to the gateway's address."""
    for one, other in permutations(blue.webs[:2]):
        host = one.docker.host
        answer = ask(host, blue.address(other, version), 80)
        assert answer == Answer(other.name, own_address(host, version))


def test_streams_pass_between_all_hosts(blue: Overlay, version: int) -> None:
    for one, other in zip(blue.webs, (*blue.webs[1:], blue.webs[0]), strict=True):
        address = blue.address(one, version)
        assert exchanged(one, other, address, 9000, listen=9000) == [SIZE, SIZE]


@pytest.mark.parametrize("options", [(), DIRECT], ids=["tunnel", "direct"])
def test_near_hosts_do_without_the_tunnel_if_they_may(
    dockers: list[Docker], trio: Lab, version: int, options: tuple[str, ...]
) -> None:
    blue = Overlay(dockers, *options)
    near, far = [own_address(host, version) for host in trio.hosts[:2]], trio.hosts[2]
    with captured(trio.switch, "br0", "udp", "dst", "port", "4789") as capture:
        assert astray(way for way in blue.ways() if way.name.endswith(f"IPv{version}")) == {}
        for one, other in permutations(blue.webs[:2]):
            with answering(other, 5353, "udp"):
                asked = ask(one, blue.address(other, version), 5353, udp=True)
            assert asked == Answer("udp", blue.address(one, version))
    found = sent(capture)
    assert (near[0], own_address(far, version)) in found
    assert bool({*permutations(near)} & found) == (not options)


def test_a_container_that_moves_is_found_on_its_new_host(blue: Overlay) -> None:
    for docker in (*blue.dockers, blue.dockers[0]):
        place = f"on-{docker.host.name}"
        own = ("--ip", MOVER[4], "--ip6", MOVER[6], "--hostname", place)
        docker.web("mover", "--network", "blue", *own)
        for web, address in product(blue.webs, MOVER.values()):
            assert wait_until(partial(_is_at, web, address, place), 3), (web.name, address, place)
        docker("rm", "-f", "mover")


def _is_at(web: Container, address: str, place: str) -> bool:
    answer = ask(web, address, 80, wait=1)
    return answer is not None and answer.server == place
