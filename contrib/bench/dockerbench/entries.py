"""Has the kernel know remote endpoints as pyflat does, in the namespace it is started in.

Its argument is the overlay's VNI. A line of its input is JSON, key to value: what another host has
told the cluster. For each it makes the entries of the endpoints, writes the milliseconds from
pyflat's records to the kernel's last answer, and removes the entries again.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Mapping
from typing import Any

from netaddr import IPNetwork

from pyflat.addressing import InterfaceAddress
from pyflat.dataplane.desired import desired
from pyflat.dataplane.entries import Entries
from pyflat.dataplane.netlink import Links
from pyflat.dataplane.objects import Address, Bridge
from pyflat.dataplane.overlay_objects import Vxlan
from pyflat.dataplane.plan import plan
from pyflat.dataplane.tunnels import attach_vxlan, make_vxlan
from pyflat.model import Network, NetworkOptions, Subnet
from pyflat.overlay.news import settle
from pyflat.peers import Overlay, Remote, Tunnel
from pyflat.serve import COLLECTIONS
from pyflat.state import State

UNDERLAY, OWN = "underlay", InterfaceAddress("192.0.2.1/24")


class Host:
    """The present namespace as a host that has an overlay, and knows of no other yet."""

    def __init__(self, vni: int) -> None:
        """Make its devices."""
        network = Network(
            id=f"{vni:064x}",
            bridge="overlay",
            subnets=(Subnet(cidr=IPNetwork("10.0.0.0/8")),),
            tunnel=Tunnel(device=UNDERLAY, address=OWN.ip, segment=OWN.cidr, mtu=1500),
            options=NetworkOptions(overlay=Overlay(vni=vni)),
        )
        self._state = State().put(network).settled()
        self.entries = Entries(inside=False)
        links = Links()
        links.add(Bridge(name=UNDERLAY, mac="02:74:ff:00:00:01", mtu=1500, owner=network.id))
        links.add(Address(device=UNDERLAY, address=OWN))
        made = desired(self._state, [(network.kind, network.id)], ())
        (bridge,) = (item for item in made if isinstance(item, Bridge))
        (tunnel,) = (item for item in made if isinstance(item, Vxlan))
        links.add(bridge)
        make_vxlan(links, tunnel, None)
        attach_vxlan(links, tunnel)

    def make(self, found: Mapping[str, Any]) -> float:
        """Make the entries of what others have told; give the milliseconds that it takes."""
        told, _ = settle(self._state, own="here", found=found, now=0.0)
        endpoints = [key for key in told.touched if key[0] == Remote.kind]
        start = time.perf_counter()
        before, after = (desired(each, endpoints, ()) for each in (self._state, told))
        self.entries.apply(plan(before, after))
        return (time.perf_counter() - start) * 1000

    def forget(self) -> None:
        """Remove the entries."""
        self.entries.apply(plan(self.entries.observe(), ()))


def main() -> None:
    """Answer until the input ends."""
    gc.set_threshold(*COLLECTIONS)
    host = Host(int(sys.argv[1]))
    for line in sys.stdin:
        print(host.make(json.loads(line)), flush=True)
        host.forget()


if __name__ == "__main__":
    main()
