"""How hosts of an overlay find each other, and how large its packets are."""

import sys
import time
from collections.abc import Iterator
from itertools import permutations, product
from pathlib import Path

import pytest
from tests.docker.capture import captured, sent
from tests.docker.client import Container, Docker
from tests.docker.labels import label
from tests.docker.links import link
from tests.docker.overlays import (
    ASKING,
    CLUSTER,
    VNI,
    Overlay,
    amiss,
    lab_of_three,
    over,
    own_address,
)
from tests.docker.stream import SIZE, exchanged

from dockerlab import Lab
from dockerlab.traces import Inside

FRAMES = Path(__file__).with_name("frames.py")
#: Addresses in the overlay that nobody has.
STRANGE = {4: "10.42.99.99", 6: "fd42::99:99"}
GROUPS = {4: "239.1.1.42", 6: "ff05::42"}
#: Of an underlay of 1500, by its family.
ROOM = {4: 1450, 6: 1430}


@pytest.fixture(scope="module")
def trio(engine: str) -> Iterator[Lab]:
    """Hosts that tell each other nothing but names."""
    with lab_of_three(engine, pyflat_env=CLUSTER[4]) as lab:
        yield lab


@pytest.mark.parametrize(
    ("way", "version", "port"),
    [("peers", 4, 4789), ("peers", 6, 8472), ("group", 4, 8472), ("group", 6, 4789)],
)
def test_every_pair_of_containers_talks(
    dockers: list[Docker], trio: Lab, way: str, version: int, port: int
) -> None:
    """Over an underlay of either family, as a capture of its packets shows."""
    found = over(trio, version)
    if way == "group":
        found = ("-o", f"group={GROUPS[version]}", "-o", "underlay=eth0")
    blue = Overlay(
        dockers, *found, *(() if port == 4789 else ("-o", f"dstport={port}")), run=ASKING
    )
    with captured(trio.switch, "br0", "udp", "dst", "port", str(port)) as capture:
        assert blue.silent() == []
        assert blue.wrong() == {}
        assert blue.nameless() == []
    assert amiss(trio) == {}
    assert [Inside(host).exists() for host in trio.hosts] == [True, True, False]
    own = [own_address(host, version) for host in trio.hosts]
    assert sent(capture) - set(product(own, GROUPS.values())) == set(permutations(own, 2))


@pytest.mark.parametrize("version", [4, 6])
def test_the_largest_packet_is_what_the_underlay_leaves(
    dockers: list[Docker], trio: Lab, version: int
) -> None:
    blue = Overlay(dockers, *over(trio, version))
    one, other, _ = blue.webs
    assert link(one, "eth0")["mtu"] == ROOM[version]
    _holds(blue, one, other, ROOM[version])


@pytest.mark.engine("28.5")
def test_a_smaller_packet_can_be_asked_for(dockers: list[Docker], trio: Lab) -> None:
    blue = Overlay(dockers, *over(trio), *label("driver.mtu", "1300"))
    one, other, _ = blue.webs
    assert link(one, "eth0")["mtu"] == 1300
    _holds(blue, one, other, 1300)


def _holds(blue: Overlay, one: Container, other: Container, size: int) -> None:
    """A whole packet of the size arrives, and a larger one does not leave."""
    for version, headers in ((4, 28), (6, 48)):
        whole = ("ping", "-c1", "-W2", "-M", "do", blue.address(other, version), "-s")
        assert one.run(*whole, str(size - headers)).returncode == 0
        larger = one.run(*whole, str(size - headers + 1))
        assert larger.returncode != 0
        assert "too long" in larger.stderr


@pytest.mark.engine("28.5")
@pytest.mark.parametrize("version", [4, 6])
def test_streams_pass_between_hosts_and_from_outside_by_a_published_port(
    dockers: list[Docker], trio: Lab, version: int
) -> None:
    blue = Overlay(dockers, *over(trio, version), run=("-p", "9001:9000"))
    for one, other, host in zip(blue.webs, blue.webs[1:], trio.hosts, strict=False):
        address = blue.address(one, version)
        assert exchanged(one, other, address, 9000, listen=9000) == [SIZE, SIZE]
        address = own_address(host, version)
        assert exchanged(one, trio.outside, address, 9001, listen=9000) == [SIZE, SIZE]


@pytest.mark.engine("28.5")
@pytest.mark.parametrize("version", [4, 6])
def test_what_a_stranger_sends_into_the_tunnel_is_not_heard(
    dockers: list[Docker], trio: Lab, version: int
) -> None:
    """One of the hosts that does the same is."""
    blue = Overlay(dockers, *over(trio, version))
    for web, host in zip(blue.webs, trio.hosts, strict=True):
        mac = web.on("blue")["MacAddress"]
        end = (own_address(host, version), "4789", str(VNI), mac)
        line = f"udp {STRANGE[version]} 9 {blue.address(web, version)} 9\n"
        fellow = next(other for other in trio.hosts if other is not host)
        with captured(web, "eth0", "udp", "port", "9") as capture:
            for place in (trio.outside, fellow, trio.outside):
                done = place.run(sys.executable, str(FRAMES), *end, input=line)
                assert done.returncode == 0, done.stderr
            time.sleep(0.2)
        assert len(capture.of(STRANGE[version])) == 1
