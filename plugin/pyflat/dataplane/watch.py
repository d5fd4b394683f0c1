"""Notices that the host's routes or forwarding have changed."""

import logging
import socket
import threading
import time
from collections.abc import Callable

from pyflat.errors import PyflatError

log = logging.getLogger(__name__)

_SOL_NETLINK, _ADD_MEMBERSHIP = 270, 1
#: linux/rtnetlink.h: RTNLGRP_IPV4_ROUTE, IPV6_ROUTE, IPV4_NETCONF, IPV6_NETCONF.
_GROUPS = (7, 11, 24, 25)

#: Seconds between a change and the call, and so between two calls: changes come in crowds.
DELAY = 1.0


def watch(changed: Callable[[], None]) -> None:
    """Have ``changed`` called soon after each change, by a thread that ends with the process."""
    events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    events.bind((0, 0))
    for group in _GROUPS:
        events.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
    threading.Thread(target=_run, args=(events, changed), name="watch", daemon=True).start()


def _run(events: socket.socket, changed: Callable[[], None]) -> None:
    while True:
        _wait(events)
        time.sleep(DELAY)
        _drain(events)
        try:
            changed()
        except PyflatError as error:
            log.warning("%s", error)


def _wait(events: socket.socket) -> None:
    try:
        events.recv(1 << 16)
    except OSError:
        log.debug("events were lost", exc_info=True)  # ENOBUFS: something has changed all the same


def _drain(events: socket.socket) -> None:
    try:
        while events.recv(1 << 16, socket.MSG_DONTWAIT):
            pass
    except OSError:
        return
