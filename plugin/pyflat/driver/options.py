"""``docker network create -o key=value``: what is understood, and what each value may be."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from netaddr import AddrFormatError, IPAddress

from pyflat import naming
from pyflat.errors import InvalidRequest
from pyflat.model import Family, NetworkOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option: its field in NetworkOptions, how its text is read, and what it allows.

    ``field`` is a path, as ``ipv4.mode``. ``parse`` raises ValueError for a text that is not
    allowed.
    """

    field: str
    parse: Callable[[str], Any]
    allowed: str
    meaning: str


def _boolean(text: str) -> bool:
    # The spellings of Go's strconv.ParseBool, which the built-in driver uses.
    if text in {"1", "t", "T", "TRUE", "true", "True"}:
        return True
    if text in {"0", "f", "F", "FALSE", "false", "False"}:
        return False
    raise ValueError(text)


def _mtu(text: str) -> int:
    mtu = int(text) if text.isdecimal() else 0
    if mtu and not 68 <= mtu <= 65535:
        raise ValueError(text)
    if not text.isdecimal():
        raise ValueError(text)
    return mtu or NetworkOptions().mtu


def _interface(text: str) -> str:
    if not naming.is_interface_name(text):
        raise ValueError(text)
    return text


def _prefix(text: str) -> str:
    # dockerd appends a number; three digits are room enough.
    if not naming.is_interface_name(f"{text}999") or not text:
        raise ValueError(text)
    return text


def _address(version: Literal[4, 6], text: str) -> IPAddress:
    try:
        return IPAddress(text, version=version)
    except AddrFormatError as error:
        raise ValueError(text) from error


def _one_of(words: tuple[str, ...], text: str) -> str:
    if text not in words:
        raise ValueError(text)
    return text


def _interfaces(text: str) -> tuple[str, ...]:
    return tuple(_interface(name) for name in text.split(":"))


#: Docker's gateway modes (moby libnetwork/drivers/bridge, gwMode).
GATEWAY_MODES = ("nat", "nat-unprotected", "routed", "isolated")
_MODES_TEXT = ", ".join(GATEWAY_MODES[:-1]) + " or, of an internal network, " + GATEWAY_MODES[-1]

#: Who publishes the ports of a network's containers.
PORTS = ("native", "docker")


#: Every option that pyflat acts on.
OPTIONS: Mapping[str, Option] = {
    "com.docker.network.bridge.name": Option(
        field="bridge",
        parse=_interface,
        allowed="an interface name of at most 15 letters, digits and any of _.+-",
        meaning="name of the bridge; pf- and 12 digits of the network's id if not given",
    ),
    "com.docker.network.driver.mtu": Option(
        field="mtu",
        parse=_mtu,
        allowed="a number from 68 to 65535, or 0 for the default",
        meaning="largest packet of the bridge and of the containers' interfaces",
    ),
    "com.docker.network.bridge.enable_ip_masquerade": Option(
        field="masquerade",
        parse=_boolean,
        allowed="true or false",
        meaning="whether containers reach the outside under the host's address",
    ),
    "com.docker.network.container_iface_prefix": Option(
        field="container_prefix",
        parse=_prefix,
        allowed="the start of an interface name, at most 12 characters",
        meaning="prefix of the interface's name in the container",
    ),
    "com.docker.network.bridge.host_binding_ipv4": Option(
        field="host_binding",
        parse=partial(_address, 4),
        allowed="an IPv4 address",
        meaning="IPv4 address of the host for published ports that name none",
    ),
    "com.docker.network.bridge.enable_icc": Option(
        field="icc",
        parse=_boolean,
        allowed="true or false",
        meaning="whether containers of the network reach each other's unpublished ports",
    ),
    "com.docker.network.bridge.trusted_host_interfaces": Option(
        field="trusted",
        parse=_interfaces,
        allowed="interface names with colons between",
        meaning="interfaces from which published ports are reached at the container's address",
    ),
    "com.docker.network.bridge.inhibit_ipv4": Option(
        field="inhibit_ipv4",
        parse=_boolean,
        allowed="true or false",
        meaning="whether the bridge stays without its IPv4 address",
    ),
    "com.docker.network.bridge.gateway_mode_ipv4": Option(
        field="ipv4.mode",
        parse=partial(_one_of, GATEWAY_MODES),
        allowed=_MODES_TEXT,
        meaning="how IPv4 reaches the outside, and is reached from there",
    ),
    "com.docker.network.bridge.gateway_mode_ipv6": Option(
        field="ipv6.mode",
        parse=partial(_one_of, GATEWAY_MODES),
        allowed=_MODES_TEXT,
        meaning="how IPv6 reaches the outside, and is reached from there",
    ),
    "antispoof": Option(
        field="antispoof",
        parse=_boolean,
        allowed="true or false",
        meaning="whether a container can send only from its own MAC and addresses",
    ),
    "ports": Option(
        field="ports",
        parse=partial(_one_of, PORTS),
        allowed="native or docker",
        meaning="native: pyflat publishes ports; docker: dockerd does, through docker_gwbridge",
    ),
    "com.docker.network.host_ipv4": Option(
        field="ipv4.source",
        parse=partial(_address, 4),
        allowed="an IPv4 address",
        meaning="IPv4 address of the host that containers appear under outside",
    ),
    "com.docker.network.host_ipv6": Option(
        field="ipv6.source",
        parse=partial(_address, 6),
        allowed="an IPv6 address",
        meaning="IPv6 address of the host that containers appear under outside",
    ),
}

#: Labels that dockerd itself acts on (moby libnetwork/netlabel); accepted and left alone.
DOCKER_OWN = frozenset(
    {
        "com.docker.network.advertise_addr_nmsgs",
        "com.docker.network.advertise_addr_ms",
        "com.docker.network.endpoint.sysctls",
        "com.docker.network.endpoint.ifname",
    }
)


def parse_options(labels: Mapping[str, str]) -> NetworkOptions:
    """Read ``-o`` options; InvalidRequest names the option, its value and what is allowed."""
    values: dict[str, Any] = {}
    for key, text in labels.items():
        if key in DOCKER_OWN:
            continue
        option = OPTIONS.get(key)
        if option is None:
            known = ", ".join(sorted(OPTIONS))
            raise InvalidRequest(f"option {key} is not known; known are {known}")
        try:
            values[option.field] = option.parse(text)
        except ValueError as error:
            raise InvalidRequest(f"option {key}={text!r}: must be {option.allowed}") from error
    for family in ("ipv4", "ipv6"):
        paths = [path for path in values if path.startswith(f"{family}.")]
        values[family] = Family(**{path.partition(".")[2]: values.pop(path) for path in paths})
    return NetworkOptions(**values)
