"""Ports of the host that are really held, so that nobody else can take them.

A held socket listens only for what is relayed (see ``relay``): all else is translated before it
would reach it. It keeps no SO_REUSEADDR (with it a stranger could bind and listen too), but is
bound with it: else the last connections of a server that has just ended would keep its port for
a minute.
"""

import errno
import logging
import resource
import socket

from netaddr import IPAddress

from pyflat.dataplane.objects import HostPort
from pyflat.dataplane.relay import PROGRAM, Relays
from pyflat.errors import BackendError, Conflict
from pyflat.model import ANY, LOOPBACK6

log = logging.getLogger(__name__)

_TYPES = {
    "tcp": (socket.SOCK_STREAM, socket.IPPROTO_TCP),
    "udp": (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
    "sctp": (socket.SOCK_STREAM, socket.IPPROTO_SCTP),
}

# linux/in.h and linux/in6.h: take an address that the host does not have yet.
_FREEBIND = {socket.AF_INET: (socket.IPPROTO_IP, 15), socket.AF_INET6: (socket.IPPROTO_IPV6, 78)}


class Ports:
    """The held sockets of this process; raises its limit of open files to the hard limit."""

    def __init__(self) -> None:
        self._held: dict[object, tuple[HostPort, socket.socket | None]] = {}
        self._relays = Relays()
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def add(self, item: HostPort) -> None:
        """Hold a port; one that is held already is success.

        An address that the host does not have yet will do. Raises Conflict if somebody else has
        the port, BackendError if it cannot be had at all.
        """
        if item.host == LOOPBACK6 and not self._relays.possible():
            raise BackendError(f"{_subject(item)} needs {PROGRAM} (Debian, Ubuntu: systemd)")
        present, held = self._held.get(item.key, (None, None))
        if present == item:
            return
        if present is None:
            held = _bind(item)
            if item.host not in ANY.values() and _is_missing(item.host):
                log.warning("%s: the host has no such address yet", _subject(item))
        self._held[item.key] = (item, held)
        if held is not None:
            self._relays.end(held)
            if item.relay is not None and self._relays.possible():
                self._serve(item, held, *item.relay)

    def delete(self, item: HostPort) -> None:
        """Let go of a port; one that is not held is success."""
        _, held = self._held.pop(item.key, (None, None))
        if held is not None:
            self._relays.end(held)
            held.close()

    def observe(self) -> set[HostPort]:
        """Give the ports that are held."""
        return {item for item, _ in self._held.values()}

    def free(self, protocol: str, host: IPAddress, port: int) -> bool:
        """Say whether a port could be held now."""
        try:
            probe = _bind(HostPort(protocol=protocol, host=host, port=port))
        except (Conflict, BackendError):
            return False
        if probe is not None:
            probe.close()
        return True

    def _serve(self, item: HostPort, held: socket.socket, target: IPAddress, port: int) -> None:
        try:
            self._relays.serve(held, target, port)
        except OSError as error:
            # Somebody who had bound the port before listens there since a moment ago.
            self.delete(item)
            raise Conflict(f"{_subject(item)} is already in use on this host") from error

    def close(self) -> None:
        """Let go of all."""
        for item in self.observe():
            self.delete(item)


def _subject(item: HostPort) -> str:
    return f"port {item.port}/{item.protocol} of {item.host}"


def _bind(item: HostPort) -> socket.socket | None:
    family = _family(item.host)
    try:
        held = socket.socket(family, *_TYPES[item.protocol])
    except OSError as error:
        if item.protocol == "sctp" and error.errno == errno.EPROTONOSUPPORT:
            return None  # then nobody on this host can have such a port either
        raise BackendError(f"{_subject(item)}: {error.strerror}") from error
    try:
        if family == socket.AF_INET6:
            held.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        held.setsockopt(*_FREEBIND[family], 1)
        _reuse(held, True)
        held.bind((str(item.host), item.port))
        _reuse(held, False)
    except OSError as error:
        held.close()
        if error.errno == errno.EADDRINUSE:
            raise Conflict(f"{_subject(item)} is already in use on this host") from error
        raise BackendError(f"{_subject(item)}: {error.strerror}") from error
    return held


def _is_missing(host: IPAddress) -> bool:
    """Say whether the host does not have an address."""
    with socket.socket(_family(host), socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(host), 0))
        except OSError:
            return True
    return False


def _family(host: IPAddress) -> socket.AddressFamily:
    return socket.AF_INET if host.version == 4 else socket.AF_INET6


def _reuse(held: socket.socket, on: bool) -> None:
    # Among datagram sockets it would mean to share the port with somebody who lives.
    if held.type == socket.SOCK_STREAM:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, on)
