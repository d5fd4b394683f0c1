"""JSON to typed requests and back: lenient with what dockerd is odd in, strict otherwise."""

from typing import Any, Literal, TypeVar

import msgspec
from netaddr import EUI, AddrFormatError, IPAddress, mac_unix_expanded

from pyflat.addressing import InterfaceAddress
from pyflat.api.messages import Request
from pyflat.errors import InvalidRequest

T = TypeVar("T")
R = TypeVar("R", bound=Request)

encode = msgspec.json.encode


def decode(body: bytes, kind: type[R]) -> R:
    """Read a request. Raises InvalidRequest, which names the field that is wrong.

    dockerd sends no body at all where no argument is needed. Elsewhere an empty body is a
    request that was cut off: dockerd's retries send the rest of a body they already read (moby
    ``pkg/plugins/client.go``).
    """
    if not body.strip():
        if kind.__struct_fields__:
            raise InvalidRequest("the request has an empty body")
        body = b"{}"
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"the request cannot be read: {error}") from error


def option(options: dict[str, Any] | None, key: str, kind: type[T], default: T) -> T:
    """Read one of dockerd's options; absent or null gives the default."""
    value = (options or {}).get(key)
    if value is None:
        return default
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"option {key}: {error}") from error


def subnet_address(
    field: str, text: str, *, version: Literal[4, 6] | None = None
) -> InterfaceAddress:
    """Read an address with its prefix length, as 10.0.0.1/24. Raises InvalidRequest."""
    address, slash, length = text.partition("/")
    if slash and length.isdecimal():
        try:
            return InterfaceAddress(f"{IPAddress(address, version)}/{length}")
        except (AddrFormatError, ValueError):
            pass
    family = f"IPv{version} address" if version else "address"
    raise InvalidRequest(f"{field} {text!r} is not an {family} with a prefix length")


def plain_address(field: str, text: str) -> IPAddress:
    """Read an address without a prefix length. Raises InvalidRequest."""
    try:
        return IPAddress(text)
    except (AddrFormatError, ValueError) as error:
        raise InvalidRequest(f"{field} {text!r} is not an address") from error


def mac_address(field: str, text: str) -> str:
    """Read a MAC and write it as 02:42:0a:00:00:02; "" stays "". Raises InvalidRequest."""
    if not text:
        return ""
    try:
        mac = EUI(text, version=48, dialect=mac_unix_expanded)
    except (AddrFormatError, ValueError) as error:
        raise InvalidRequest(f"{field} {text!r} is not a MAC address") from error
    if not int(mac) or mac.words[0] & 1:
        raise InvalidRequest(f"{field} {text!r} is not the address of one interface")
    return str(mac)
