"""What no overlay can be made of: how that is said, and that nothing is left of it."""

import pytest
from tests.docker.client import Docker
from tests.docker.traces import assert_same, traces

pytestmark = pytest.mark.engine("28.5")

MTU = "com.docker.network.driver.mtu"
PEERS = "peers=192.0.2.11,192.0.2.12"
PEERS6 = "peers=2001:db8:1::11,2001:db8:1::12"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("vni=0", PEERS), ("option vni='0'", "a number from 1 to 16777215, or auto")),
        (("vni=16777216", PEERS), ("option vni='16777216'", "a number from 1 to 16777215")),
        (("vni=42", "peers=192.0.2.12,2001:db8:1::12"), ("option peers=", "of one family")),
        (("vni=42", "peers=h2"), ("option peers='h2'", "addresses of one family")),
        (("vni=42", "peers=@relative"), ("option peers='@relative'", "the path of a file")),
        (("vni=42", "group=192.0.2.12"), ("option group='192.0.2.12'", "a multicast address")),
        (("vni=42", PEERS, "dstport=65536"), ("option dstport='65536'", "from 1 to 65535")),
        (("vni=42", PEERS, "direct=perhaps"), ("option direct='perhaps'", "true or false")),
        (("vni=42", PEERS, "direct=true"), ("option direct", "only a cluster")),
        (("vni=42", PEERS, "group=239.1.1.1"), ("option group", "peers or a group, not both")),
        ((PEERS,), ("option peers", "only an overlay has it; say vni=NUMBER too")),
        (("group=239.1.1.1",), ("option group", "say vni=NUMBER too")),
        (("vni=auto", PEERS), ("option vni='auto'", "only a cluster draws it; say a number")),
        (("vni=42",), ("option vni=42", "peers=ADDRESS,…", "group=ADDRESS", "PYFLAT_CLUSTER")),
        (("vni=42", PEERS, "underlay=eth9"), ("option underlay='eth9'", "no such interface")),
        (("vni=42", PEERS6, "underlay=docker0"), ("underlay docker0", "it has no address")),
        (("vni=42", PEERS, f"{MTU}=1451"), (f"option {MTU}=1451", "over eth0", "at most 1450")),
        (("vni=42", PEERS6, f"{MTU}=1431"), (f"{MTU}=1431", "at most 1430")),
    ],
)
def test_wrong_options_are_refused_by_name(
    docker: Docker, options: tuple[str, ...], words: tuple[str, ...]
) -> None:
    before = traces(docker.host)
    given = [word for option in options for word in ("-o", option)]
    subnet = ("--subnet", "10.42.0.0/16")
    error = docker.refused("network", "create", "-d", "pyflat", *given, *subnet, "blue")
    assert [word for word in words if word not in error] == [], error
    assert docker("network", "ls", "-q", "--filter", "type=custom") == ""
    assert_same(docker.host, before)


def test_a_vni_is_that_of_one_network_of_a_host(docker: Docker) -> None:
    given = ("-o", "vni=42", "-o", PEERS)
    docker.network("blue", *given, "--subnet", "10.42.0.0/16")
    before = traces(docker.host)
    other = ("--subnet", "10.43.0.0/16", "green")
    error = docker.refused("network", "create", "-d", "pyflat", *given, *other)
    assert "vni 42 is already that of network" in error
    assert_same(docker.host, before)
