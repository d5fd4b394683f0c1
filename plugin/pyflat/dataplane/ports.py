"""Ports of the host that are really held, so that nobody else can take them.

A held socket never listens: packets for the port are translated before they would reach it.
It keeps no SO_REUSEADDR (with it a stranger could bind and listen too), but is bound with it:
else the last connections of a server that has just ended would keep its port for a minute.
"""

import errno
import resource
import socket

from netaddr import IPAddress

from pyflat.dataplane.objects import HostPort
from pyflat.errors import BackendError, Conflict

_TYPES = {
    "tcp": (socket.SOCK_STREAM, socket.IPPROTO_TCP),
    "udp": (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
    "sctp": (socket.SOCK_STREAM, socket.IPPROTO_SCTP),
}


class Ports:
    """The held sockets of this process; raises its limit of open files to the hard limit."""

    def __init__(self) -> None:
        self._held: dict[HostPort, socket.socket | None] = {}
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def add(self, item: HostPort) -> None:
        """Hold a port; one that is held already is success.

        Raises Conflict if somebody else has it, BackendError if it cannot be had at all.
        """
        if item not in self._held:
            self._held[item] = _bind(item)

    def delete(self, item: HostPort) -> None:
        """Let go of a port; one that is not held is success."""
        held = self._held.pop(item, None)
        if held is not None:
            held.close()

    def observe(self) -> set[HostPort]:
        """Give the ports that are held."""
        return set(self._held)

    def free(self, protocol: str, host: IPAddress, port: int) -> bool:
        """Say whether a port could be held now."""
        try:
            probe = _bind(HostPort(protocol=protocol, host=host, port=port))
        except (Conflict, BackendError):
            return False
        if probe is not None:
            probe.close()
        return True

    def close(self) -> None:
        """Let go of all."""
        for item in list(self._held):
            self.delete(item)


def _bind(item: HostPort) -> socket.socket | None:
    family = socket.AF_INET if item.host.version == 4 else socket.AF_INET6
    subject = f"port {item.port}/{item.protocol} of {item.host}"
    try:
        held = socket.socket(family, *_TYPES[item.protocol])
    except OSError as error:
        if item.protocol == "sctp" and error.errno == errno.EPROTONOSUPPORT:
            return None  # then nobody on this host can have such a port either
        raise BackendError(f"{subject}: {error.strerror}") from error
    try:
        if family == socket.AF_INET6:
            held.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        _reuse(held, True)
        held.bind((str(item.host), item.port))
        _reuse(held, False)
    except OSError as error:
        held.close()
        if error.errno == errno.EADDRINUSE:
            raise Conflict(f"{subject} is already in use on this host") from error
        if error.errno == errno.EADDRNOTAVAIL:
            raise Conflict(f"{subject}: the host has no such address") from error
        raise BackendError(f"{subject}: {error.strerror}") from error
    return held


def _reuse(held: socket.socket, on: bool) -> None:
    # Among datagram sockets it would mean to share the port with somebody who lives.
    if held.type == socket.SOCK_STREAM:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, on)
