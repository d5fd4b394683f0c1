"""Whatever comes in: status 200 or 400, a JSON object, and a host whose kernel fits its State."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import dockerd
from tests.support.dockerd import Call, docker_id
from tests.support.host import ROUTES
from tests.support.plugin import Plugin
from tests.support.small_world import Pair, World, places_of

LAN, WEB = docker_id("lan"), docker_id("web")
PATHS = st.sampled_from(sorted(ROUTES))
FIELDS = sorted({field for method in ROUTES.values() for field in method.request.__struct_fields__})
WORDS = (
    *("", "0", "a", "null", "\0", "..", "é", "\ud7ff", "😀", "-1", "%s", "${mark}", "a" * 64),
    *(
        "172.30.0.3/24",
        "172.30.0.0/24",
        "172.30.0.4",
        "0.0.0.0/0",
        "::/0",
        "fd00::/64",
        "fd00::2/64",
    ),
    *("224.0.0.1/4", "127.0.0.1/8", "169.254.0.1/16", "255.255.255.255/32", "::ffff:1.2.3.4/96"),
    *("PyflatLocal", "PyflatLocal|172.30.0.0/24", "02:42:ac:1e:00:02", "ff:ff:ff:ff:ff:ff"),
    *(LAN, WEB, docker_id("new"), docker_id("newer"), dockerd.swarm_id("new")),
)
LABELS = (
    *("com.docker.network.generic", "com.docker.network.internal", "com.docker.network.portmap"),
    *("com.docker.network.bridge.name", "com.docker.network.driver.mtu", "Pool", "Gateway"),
    *("Proto", "Port", "HostIP", "HostPort", "HostPortEnd", "Address", "AddressIPv6", "MacAddress"),
)
NUMBERS = st.sampled_from((0, 1, 6, 17, 80, 132, 65535, 65536, -1, 2**63, 10**40, 0.5, 1e300))
LEAVES = st.none() | st.booleans() | NUMBERS | st.sampled_from(WORDS) | st.text(max_size=5)
KEYS = st.sampled_from((*FIELDS, *LABELS)) | st.text(max_size=5)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4)
)
BODIES = st.dictionaries(KEYS, VALUES, max_size=8)
SOUND = World("fuzz", 30)


def check(plugin: Plugin, path: str, body: bytes) -> None:
    before = plugin.host.picture()
    status, answer = plugin.post(Call(path, body))
    assert status in {200, 400}, answer
    if status == 400:
        assert answer["Err"] == answer["Error"] != ""
        assert plugin.host.picture() == before
    assert plugin.host.present() == plugin.host.wanted()


@pytest.fixture(scope="module")
def plugin() -> Plugin:
    return Plugin(
        dockerd.create_network(LAN, "172.30.0.0/24"),
        *dockerd.run(LAN, WEB, "172.30.0.2/24", "8080:80"),
    )


@given(st.lists(st.tuples(PATHS, BODIES), min_size=1, max_size=3))
def test_any_json_on_any_path(plugin: Plugin, requests: list[tuple[str, dict[str, Any]]]) -> None:
    for path, body in requests:
        check(plugin, path, json.dumps(body).encode())


@given(PATHS, st.binary(max_size=200))
def test_any_bytes_on_any_path(plugin: Plugin, path: str, body: bytes) -> None:
    check(plugin, path, body)


@given(st.data(), SOUND.sequences(3))
def test_sound_requests_with_one_value_changed(data: st.DataObject, pairs: list[Pair]) -> None:
    plugin = Plugin()
    for call in (pair.do for pair in pairs if isinstance(pair.do, Call)):
        body = json.loads(call.body)
        container, key = data.draw(st.sampled_from(list(places_of(body))))
        container[key] = data.draw(VALUES)
        check(plugin, call.path, json.dumps(body).encode())
        plugin.host.refusal(call)
