"""``-o key=value``: good values become fields, bad ones are refused with all that helps."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from netaddr import IPAddress

from pyflat.driver.options import DOCKER_OWN, OPTIONS, parse_options
from pyflat.errors import InvalidRequest
from pyflat.model import NetworkOptions

PREFIX = "com.docker.network."
SWITCH = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
MODES = {mode: mode for mode in ("nat", "nat-unprotected", "routed", "isolated")}
IPV4 = {text: IPAddress(text) for text in ("127.0.0.1", "0.0.0.0")}
IPV6 = {text: IPAddress(text) for text in ("::1", "fd00::7")}
NO_SWITCH = ["", "yes", "on", "tRUE", " true", "2"]
NO_MODE = ["", "NAT", "bridge", "routed ", "nat_unprotected"]
NO_IPV4 = ["", "::1", "localhost", "127.1", "1", "10.0.0.0/8", "10.0.0.1\0"]
NO_IPV6 = ["", "127.0.0.1", "localhost", "fd00::/8", "::1%lo", "::1\0"]
NO_NAME = [".", "..", "a" * 16, "a/b", "a b", "../x", 'a"', "a\0"]

GOOD: dict[str, Mapping[str, Any]] = {
    "bridge.name": {"br-lan": "br-lan", "a" * 15: "a" * 15, "eth0.1": "eth0.1"},
    "driver.mtu": {"68": 68, "1400": 1400, "65535": 65535, "0": 1500},
    "bridge.enable_ip_masquerade": SWITCH,
    "bridge.enable_icc": SWITCH,
    "bridge.inhibit_ipv4": SWITCH,
    "container_iface_prefix": {"eth": "eth", "lan0x": "lan0x", "a" * 12: "a" * 12},
    "bridge.host_binding_ipv4": IPV4,
    "bridge.trusted_host_interfaces": {"eth0": ("eth0",), "eth0:wg-1": ("eth0", "wg-1")},
    "bridge.gateway_mode_ipv4": MODES,
    "bridge.gateway_mode_ipv6": MODES,
    "host_ipv4": IPV4,
    "host_ipv6": IPV6,
    "antispoof": SWITCH,
    "ports": {"native": "native", "docker": "docker"},
    "namespace": {"own": "own", "host": "host"},
    "vni": {"1": 1, "42": 42, "16777215": 16777215, "auto": 0},
    "peers": {
        "192.0.2.1": (IPAddress("192.0.2.1"),),
        "fd00::1,fd00::2": (IPAddress("fd00::1"), IPAddress("fd00::2")),
        "@/etc/hosts": "/etc/hosts",
    },
    "group": {text: IPAddress(text) for text in ("239.1.1.1", "ff05::1")},
    "underlay": {"eth1": "eth1", "a" * 15: "a" * 15},
    "dstport": {"1": 1, "4789": 4789, "65535": 65535},
    "direct": SWITCH,
}
BAD = {
    "bridge.name": ["", *NO_NAME],
    "driver.mtu": ["", "67", "65536", "-1", "1.5", "0x500", " 1500", "1500 ", "9" * 5000, "many"],
    "bridge.enable_ip_masquerade": NO_SWITCH,
    "bridge.enable_icc": NO_SWITCH,
    "bridge.inhibit_ipv4": NO_SWITCH,
    "container_iface_prefix": ["", "a" * 13, "a/", "a b"],
    "bridge.host_binding_ipv4": NO_IPV4,
    "bridge.trusted_host_interfaces": ["", ":", "eth0:", "eth0,eth1", *NO_NAME],
    "bridge.gateway_mode_ipv4": NO_MODE,
    "bridge.gateway_mode_ipv6": NO_MODE,
    "host_ipv4": NO_IPV4,
    "host_ipv6": NO_IPV6,
    "antispoof": NO_SWITCH,
    "ports": ["", "Native", "dockerd", "native,docker"],
    "namespace": ["", "Own", "overlay", "own,host", "/run/netns/pyflat"],
    "vni": ["", "0", "16777216", "-1", "0x2a", "Auto", " 42", "1.5"],
    "peers": [
        "",
        ",",
        "h1",
        "192.0.2.1,fd00::1",
        "239.1.1.1",
        "0.0.0.0",
        "::",
        "@",
        "@hosts",
        "10.0.0.0/8",
    ],
    "group": ["", "192.0.2.1", "fd00::1", "all", "239.1.1.1,239.1.1.2"],
    "underlay": ["", "eth0,eth1", *NO_NAME],
    "dstport": ["", "0", "65536", "-1", "vxlan"],
    "direct": NO_SWITCH,
}

#: Options of ours, which are short, and those that only an overlay has.
OVERLAY = {"vni", "peers", "group", "underlay", "dstport", "direct"}
SHORT = {"antispoof", "ports", "namespace", *OVERLAY}


def option_key(key: str) -> str:
    """Give Docker's labels their prefix; options of our own are short."""
    return key if key in SHORT else f"{PREFIX}{key}"


def test_every_option_is_tried_here() -> None:
    assert set(map(option_key, GOOD)) == set(map(option_key, BAD)) == set(OPTIONS)


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [(key, text, value) for key, values in GOOD.items() for text, value in values.items()],
)
def test_a_good_value_becomes_the_field(key: str, text: str, value: Any) -> None:
    bare = parse_options({"vni": "7"} if key in OVERLAY else {})
    options = parse_options({**({"vni": "7"} if key in OVERLAY else {}), option_key(key): text})
    field, _, part = OPTIONS[option_key(key)].field.partition(".")
    if text.startswith("@"):
        part = "roster"
    expected: Any = replace(getattr(bare, field), **{part: value}) if part else value
    assert options == replace(bare, **{field: expected})


@pytest.mark.parametrize(
    ("key", "text"), [(key, text) for key, texts in BAD.items() for text in texts]
)
def test_a_bad_value_is_refused_with_the_option_the_value_and_what_is_allowed(
    key: str, text: str
) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        parse_options({option_key(key): text})
    message = str(refusal.value)
    assert f"{option_key(key)}={text!r}" in message
    assert OPTIONS[option_key(key)].allowed in message


@pytest.mark.parametrize("key", ["parent", "vlan", "com.docker.network.bridge.icc", ""])
def test_an_unknown_option_is_refused_with_those_that_are_known(key: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        parse_options({key: "x"})
    assert f"option {key} " in str(refusal.value)
    assert all(known in str(refusal.value) for known in OPTIONS)


def test_labels_that_dockerd_acts_on_are_taken_and_left_alone() -> None:
    assert parse_options(dict.fromkeys(DOCKER_OWN, "anything")) == NetworkOptions()


def test_several_options_are_taken_together() -> None:
    labels = {f"{PREFIX}driver.mtu": "1400", f"{PREFIX}bridge.name": "br-lan"}
    assert parse_options(labels) == NetworkOptions(mtu=1400, bridge="br-lan")
    assert parse_options({}) == NetworkOptions()


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        ({"peers": "192.0.2.1"}, "option peers: only an overlay has it; say vni=NUMBER too"),
        ({"direct": "true"}, "option direct: only an overlay has it"),
        ({"vni": "1", "peers": "192.0.2.1", "group": "239.1.1.1"}, "option group: "),
        ({"vni": "1", "peers": "@/hosts", "group": "239.1.1.1"}, "option group: "),
        ({"vni": "1", "peers": "192.0.2.1", "direct": "true"}, "option direct: only a cluster"),
        ({"vni": "auto", "peers": "192.0.2.1"}, "option vni='auto': only a cluster"),
    ],
)
def test_options_of_overlays_that_contradict_each_other_are_refused(
    labels: Mapping[str, str], problem: str
) -> None:
    with pytest.raises(InvalidRequest, match=problem):
        parse_options(labels)
