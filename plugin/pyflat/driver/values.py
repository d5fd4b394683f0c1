"""Texts of options to values; each raises ValueError for a text that is not allowed."""

from typing import Literal

from netaddr import AddrFormatError, IPAddress

from pyflat import naming
from pyflat.model import NetworkOptions
from pyflat.peers import MAX_VNI

_BROADCAST = IPAddress("255.255.255.255")


def boolean(text: str) -> bool:
    """Read a switch, in the spellings of Go's strconv.ParseBool: the built-in driver's."""
    if text in {"1", "t", "T", "TRUE", "true", "True"}:
        return True
    if text in {"0", "f", "F", "FALSE", "false", "False"}:
        return False
    raise ValueError(text)


def number(first: int, last: int, text: str) -> int:
    """Read a number of a range."""
    if not text.isdecimal() or not first <= int(text) <= last:
        raise ValueError(text)
    return int(text)


def mtu(text: str) -> int:
    """Read the size of a packet; 0 is the default's."""
    return NetworkOptions().mtu if text == "0" else number(68, 65535, text)


def vni(text: str) -> int:
    """Read a VNI; "auto" is 0."""
    return 0 if text == "auto" else number(1, MAX_VNI, text)


def one_of(words: tuple[str, ...], text: str) -> str:
    """Read one of some words."""
    if text not in words:
        raise ValueError(text)
    return text


def interface(text: str) -> str:
    """Read the name of an interface."""
    if not naming.is_interface_name(text):
        raise ValueError(text)
    return text


def interfaces(text: str) -> tuple[str, ...]:
    """Read names of interfaces with colons between them."""
    return tuple(interface(name) for name in text.split(":"))


def prefix(text: str) -> str:
    """Read the start of interfaces' names: dockerd appends up to three digits."""
    if not text or not naming.is_interface_name(f"{text}999"):
        raise ValueError(text)
    return text


def address(version: Literal[4, 6] | None, text: str) -> IPAddress:
    """Read a plain address, of a family if that is given."""
    try:
        return IPAddress(text, version=version)
    except AddrFormatError as error:
        raise ValueError(text) from error


def group(text: str) -> IPAddress:
    """Read a multicast address."""
    found = address(None, text)
    if not found.is_multicast():
        raise ValueError(text)
    return found


def peers(text: str) -> tuple[IPAddress, ...] | str:
    """Read addresses of hosts, all of one family, or "@" and the path of a file of such."""
    if text.startswith("@/"):
        return text.removeprefix("@")
    found = tuple(host(word) for word in text.split(","))
    if len({each.version for each in found}) > 1:
        raise ValueError(text)
    return found


def host(text: str) -> IPAddress:
    """Read the address of one host."""
    found = address(None, text)
    if found.is_multicast() or found == _BROADCAST or not int(found):
        raise ValueError(text)
    return found
