"""An overlay's tunnel: a link that reaches from one namespace into another."""

from typing import Any

from pyflat.dataplane.netlink import GROUP, Links, require
from pyflat.dataplane.overlay_objects import Vxlan


def make_vxlan(links: Links, item: Vxlan, namespace: int | None) -> None:
    """Make a VXLAN device in the namespace of a descriptor, None for that of ``links``.

    Its packets leave from the namespace of ``links`` all the same: that is where its socket is.
    Raises BackendError.
    """
    values: dict[str, Any] = {
        "ifname": item.name,
        "mtu": item.mtu,
        "group": GROUP,
        "vxlan_id": item.vni,
        "vxlan_port": item.port,
        "vxlan_link": require(item.underlay),
        "vxlan_learning": int(item.learning),
        f"vxlan_local{'6' if item.local.version == 6 else ''}": str(item.local),
    }
    if item.group is not None:
        values[f"vxlan_group{'6' if item.group.version == 6 else ''}"] = str(item.group)
    if namespace is not None:
        values["net_ns_fd"] = namespace
    links.request("link", "add", kind="vxlan", **values)


def attach_vxlan(links: Links, item: Vxlan) -> None:
    """Make a VXLAN device a port of its bridge. Raises BackendError."""
    links.request(
        "link",
        "set",
        ifname=item.name,
        master=require(item.bridge),
        ifalias=f"pyflat:network:{item.owner}",
        state="up",
    )
    learning = int(item.learning)
    index = require(item.name)
    links.request("brport", "set", index=index, learning=learning, neigh_suppress=1 - learning)
