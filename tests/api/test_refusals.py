"""Bad requests: always a JSON error that names what is wrong, and nothing changes."""

import json
import logging
import re

import pytest
from tests.support import dockerd
from tests.support.dockerd import Call, call, docker_id
from tests.support.host import ROUTES
from tests.support.plugin import Plugin

LAN, WEB = docker_id("lan"), docker_id("web")
RUNNING = (
    dockerd.create_network(LAN, "172.30.0.0/24"),
    *dockerd.run(LAN, WEB, "172.30.0.2/24", "8080:80"),
)
NEEDING_ARGUMENTS = sorted(p for p, m in ROUTES.items() if m.request.__struct_fields__)
NOTHING_REQUIRED = {
    f"/NetworkDriver.{m}" for m in ("GwAllocCheck", "DiscoverNew", "DiscoverDelete")
}
WITH_ID = [path for path in NEEDING_ARGUMENTS if path not in NOTHING_REQUIRED]


@pytest.fixture(scope="module")
def running() -> Plugin:
    return Plugin(*RUNNING)


def network(**fields: object) -> Call:
    base = {"NetworkID": docker_id("new"), "Options": {}, "IPv4Data": [], "IPv6Data": []}
    return call("NetworkDriver.CreateNetwork", **(base | fields))


def endpoint(**interface: object) -> Call:
    return call(
        "NetworkDriver.CreateEndpoint",
        NetworkID=LAN,
        EndpointID=docker_id("new"),
        Interface=interface,
    )


def ports(*bindings: object) -> Call:
    return call(
        "NetworkDriver.ProgramExternalConnectivity",
        NetworkID=LAN,
        EndpointID=WEB,
        Options={"com.docker.network.portmap": bindings},
    )


def pool(**fields: object) -> Call:
    return network(IPv4Data=[{"Pool": "172.31.0.0/24"} | fields])


@pytest.mark.parametrize("path", NEEDING_ARGUMENTS)
@pytest.mark.parametrize("body", [b"", b"\n", b"  "])
def test_an_empty_body_is_a_request_that_was_cut_off(
    running: Plugin, path: str, body: bytes
) -> None:
    assert "empty body" in running.error(Call(path, body))


@pytest.mark.parametrize("path", NEEDING_ARGUMENTS)
@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"{}{}",
        b'{"NetworkID": }',
        b'\xff\xfe{"NetworkID": "a"}',
        b"[" * 100_000,
        b'{"Options":' * 100_000,
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_not_json_is_refused(running: Plugin, path: str, body: bytes) -> None:
    assert len(running.error(Call(path, body))) < 1000


@pytest.mark.parametrize("path", WITH_ID)
@pytest.mark.parametrize("value", [b'"\xff"', b'"\\ud800"', b"1e999", b"5", b"null", b"{}", b"[]"])
def test_an_id_that_is_not_a_text_is_refused(running: Plugin, path: str, value: bytes) -> None:
    field = ROUTES[path].request.__struct_fields__[0].encode()
    running.error(Call(path, b'{"%s": %s}' % (field, value)))


@pytest.mark.parametrize("path", WITH_ID)
def test_a_missing_field_is_named(running: Plugin, path: str) -> None:
    message = running.error(Call(path, b"{}"))
    assert f"`{ROUTES[path].request.__struct_fields__[0]}`" in message


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (network(NetworkID=5), "NetworkID"),
        (network(NetworkID=None), "NetworkID"),
        (network(NetworkID=""), "network ''"),
        (network(NetworkID="../../etc/passwd"), "../../etc/passwd"),
        (network(NetworkID="a" * 63), "64 hexadecimal"),
        (network(NetworkID="A" * 64), "64 hexadecimal"),
        (network(NetworkID="a" * 63 + "\n"), "64 hexadecimal"),
        (network(NetworkID="a" * 64 + "\n"), "64 hexadecimal"),
        (network(NetworkID="a" * 63 + "\0"), "64 hexadecimal"),
        (network(NetworkID="é" * 64), "64 hexadecimal"),
        (network(NetworkID="٣" * 64), "64 hexadecimal"),
        (network(NetworkID="a" * 100_000), "64 hexadecimal"),
        (network(Options=[]), "Options"),
        (network(Options={dockerd.GENERIC: []}), dockerd.GENERIC),
        (network(Options={dockerd.GENERIC: {"com.docker.network.driver.mtu": 5}}), "generic"),
        (network(Options={"com.docker.network.internal": "yes"}), "internal"),
        (network(IPv4Data={}), "IPv4Data"),
        (network(IPv4Data=[None]), "IPv4Data"),
        (network(IPv4Data=[{}]), "Pool"),
        (pool(Pool="172.31.0.0"), "Pool '172.31.0.0'"),
        (pool(Pool="172.31.0.0/24/8"), "Pool"),
        (pool(Pool="172.31.0.0/255.255.0.0"), "Pool"),
        (pool(Pool="172.31/16"), "Pool"),
        (pool(Pool="0x7f.1/16"), "Pool"),
        (pool(Pool="172.31.0.0/-1"), "Pool"),
        (pool(Pool="172.31.0.0/" + "9" * 5000), "Pool"),
        (pool(Pool="fe80::1%eth0/64"), "Pool"),
        (pool(Pool="evil.example.org/24"), "Pool"),
        (pool(Pool="172.31.0.0\0/24"), "Pool"),
        (pool(Pool="172.31.0.0/24\n"), "Pool"),
        (pool(Pool=" 172.31.0.0/24"), "Pool"),
        (pool(Gateway="172.31.0.1"), "Gateway '172.31.0.1'"),
        (pool(Gateway="172.32.0.1/24"), "172.32.0.1"),
        (pool(Gateway="fd00::1/64"), "fd00::1"),
        (pool(Pool="172.30.0.0/16"), "172.30.0.0/24"),
        (network(IPv4Data=[{"Pool": p} for p in ("10.0.0.0/8", "10.1.0.0/16")]), "10.1.0.0/16"),
        (network(IPv4Data=[{"Pool": "10.0.0.0/8"}] * 2), "overlap"),
        (endpoint(Address=5), "Address"),
        (endpoint(Address="172.30.0.3"), "Address '172.30.0.3'"),
        (endpoint(Address="172.31.0.3/24"), "172.31.0.3"),
        (endpoint(Address="172.30.0.1/24"), "gateway"),
        (endpoint(Address="fd00::2/64"), "Address"),
        (endpoint(AddressIPv6="172.30.0.3/24"), "AddressIPv6"),
        (endpoint(Address="172.30.0.3/24", AddressIPv6="172.30.0.3/24"), "AddressIPv6"),
        (endpoint(MacAddress="02:42"), "MacAddress '02:42'"),
        (endpoint(MacAddress="02:42:00:00:00:0g"), "MacAddress"),
        (endpoint(MacAddress="01:00:5e:00:00:01"), "MacAddress"),
        (endpoint(MacAddress="00:00:00:00:00:00"), "MacAddress"),
        (endpoint(MacAddress="02:42:00:00:00:01\0"), "MacAddress"),
        (dockerd.create_endpoint(docker_id("unknown"), WEB), docker_id("unknown")),
        (dockerd.create_endpoint(LAN, "web"), "endpoint 'web'"),
        (dockerd.create_endpoint(LAN, WEB, "172.30.0.9/24"), "another description"),
        (dockerd.join(LAN, docker_id("unknown")), docker_id("unknown")),
        (dockerd.program(LAN, docker_id("unknown")), docker_id("unknown")),
        (dockerd.create_network(LAN, "172.31.0.0/24"), "another description"),
        (ports(5), "portmap"),
        (ports({"Proto": "tcp", "Port": 80}), "Proto"),
        (ports({"Proto": 1, "Port": 80}), "protocol 1"),
        (ports({"Proto": 6, "Port": 0}), "out of range"),
        (ports({"Proto": 6, "Port": 65536}), "out of range"),
        (ports({"Proto": 6, "Port": -1}), "out of range"),
        (ports({"Proto": 6, "Port": 10**30}), "out of range"),
        (ports({"Proto": 6, "Port": 80, "HostPort": 70000}), "out of range"),
        (ports({"Proto": 6, "Port": 80, "HostPort": 9, "HostPortEnd": 8}), "out of range"),
        (ports({"Proto": 6, "Port": 80, "HostIP": "localhost"}), "HostIP 'localhost'"),
        (ports({"Proto": 6, "Port": 80, "HostIP": "10.0.0.1/8"}), "HostIP"),
        (ports({"Proto": 6, "Port": 80, "HostIP": "10.0.0.1 } ; flush ruleset"}), "HostIP"),
        (ports({"Proto": 6, "Port": 80, "HostIP": "fe80::1%eth0"}), "HostIP"),
        *(
            (
                ports({"Proto": 6, "Port": 80, "HostIP": host}),
                f"HostIP {host} is not an address that",
            )
            for host in ("224.0.0.1", "255.255.255.255", "ff02::1", "fe80::1")
        ),
        (ports({"Proto": 6, "Port": 80, "HostIP": "2001:db8::1"}), "no IPv6 address"),
        (ports({"Proto": 17, "Port": 53, "HostIP": "::1"}), "on ::1: udp cannot be published"),
        (ports(*[dockerd.port("80:80")] * 2), "asked for twice"),
    ],
    ids=repr,
)
def test_bad_values_are_refused_by_name(running: Plugin, request_: Call, words: str) -> None:
    assert words in running.error(request_)


def test_a_path_that_is_not_known_is_404_with_both_keys() -> None:
    for path in ("/NetworkDriver.Unknown", "/", "/NetworkDriver.Join/", "/../etc/passwd"):
        status, body = Plugin().post(Call(path, b"{}"))
        assert status == 404
        assert set(body) == {"Err", "Error"}


@pytest.mark.parametrize("verb", ["get", "put", "delete", "patch"])
def test_another_verb_than_post_is_405_with_both_keys(verb: str) -> None:
    answer = getattr(Plugin().client, verb)("/Plugin.Activate")
    assert answer.status_code == 405
    assert set(json.loads(answer.data)) == {"Err", "Error"}


def test_a_kernel_that_refuses_is_500_and_undone() -> None:
    plugin = Plugin()
    before = plugin.host.picture()
    plugin.host.kernel.fail(3)
    status, body = plugin.post(RUNNING[0])
    assert (status, body["Err"], body["Error"]) == (500, "step 3 fails", "step 3 fails")
    assert plugin.host.picture() == before


def test_an_unexpected_exception_is_told_by_number_and_explained_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    plugin = Plugin()
    before = plugin.host.picture()
    plugin.host.kernel.fail(3, RuntimeError("the secret cause"))
    with caplog.at_level(logging.ERROR):
        status, body = plugin.post(RUNNING[0])
    assert status == 500
    assert body["Err"] == body["Error"]
    assert "secret" not in body["Err"]
    (number,) = re.findall(r"request ([0-9a-f]{8})", body["Err"])
    assert number in caplog.text
    assert "RuntimeError: the secret cause" in caplog.text
    assert plugin.host.picture() == before


def test_refusals_are_logged_without_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    plugin = Plugin(*RUNNING)
    caplog.clear()
    plugin.error(network(NetworkID="short"))
    assert "short" in caplog.text
    assert "Traceback" not in caplog.text
