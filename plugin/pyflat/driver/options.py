"""``docker network create -o key=value``: what is understood, and what each value may be."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from netaddr import AddrFormatError, IPAddress

from pyflat import naming
from pyflat.errors import InvalidRequest
from pyflat.model import NetworkOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option: its field in NetworkOptions, how its text is read, and what it allows.

    ``parse`` raises ValueError for a text that is not allowed.
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


def _ipv4(text: str) -> IPAddress:
    try:
        return IPAddress(text, version=4)
    except AddrFormatError as error:
        raise ValueError(text) from error


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
        parse=_ipv4,
        allowed="an IPv4 address",
        meaning="host address of published ports that name none",
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
    return NetworkOptions(**values)
