"""``-o key=value``: good values become fields, bad ones are refused with all that helps."""

import pytest
from netaddr import IPAddress

from pyflat.driver.options import DOCKER_OWN, OPTIONS, parse_options
from pyflat.errors import InvalidRequest
from pyflat.model import NetworkOptions

PREFIX = "com.docker.network."
GOOD = {
    "bridge.name": {"br-lan": "br-lan", "a" * 15: "a" * 15, "eth0.1": "eth0.1"},
    "driver.mtu": {"68": 68, "1400": 1400, "65535": 65535, "0": 1500},
    "bridge.enable_ip_masquerade": {
        **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
        **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
    },
    "container_iface_prefix": {"eth": "eth", "lan0x": "lan0x", "a" * 12: "a" * 12},
    "bridge.host_binding_ipv4": {
        "127.0.0.1": IPAddress("127.0.0.1"),
        "0.0.0.0": IPAddress("0.0.0.0"),
    },
}
BAD = {
    "bridge.name": ["", ".", "..", "a" * 16, "a/b", "a b", "../x", 'a"', "a\0"],
    "driver.mtu": ["", "67", "65536", "-1", "1.5", "0x500", " 1500", "1500 ", "9" * 5000, "many"],
    "bridge.enable_ip_masquerade": ["", "yes", "on", "tRUE", " true", "2"],
    "container_iface_prefix": ["", "a" * 13, "a/", "a b"],
    "bridge.host_binding_ipv4": ["", "::1", "localhost", "127.1", "1", "10.0.0.0/8", "10.0.0.1\0"],
}


def test_every_option_is_tried_here() -> None:
    assert {f"{PREFIX}{key}" for key in GOOD} == {f"{PREFIX}{key}" for key in BAD} == set(OPTIONS)


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [(key, text, value) for key, values in GOOD.items() for text, value in values.items()],
)
def test_a_good_value_becomes_the_field(key: str, text: str, value: object) -> None:
    options = parse_options({f"{PREFIX}{key}": text})
    field = OPTIONS[f"{PREFIX}{key}"].field
    assert getattr(options, field) == value
    assert options == NetworkOptions(**{field: value})


@pytest.mark.parametrize(
    ("key", "text"), [(key, text) for key, texts in BAD.items() for text in texts]
)
def test_a_bad_value_is_refused_with_the_option_the_value_and_what_is_allowed(
    key: str, text: str
) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        parse_options({f"{PREFIX}{key}": text})
    message = str(refusal.value)
    assert f"{PREFIX}{key}={text!r}" in message
    assert OPTIONS[f"{PREFIX}{key}"].allowed in message


@pytest.mark.parametrize("key", ["parent", "vni", "com.docker.network.bridge.enable_icc", ""])
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
