"""``docker network create -o key=value``: what is understood, and what each value may be."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from pyflat.driver import values
from pyflat.errors import InvalidRequest
from pyflat.model import Family, NetworkOptions
from pyflat.peers import Overlay


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

    @property
    def default(self) -> str:
        """Write what holds where the option is not given; "" if that is nothing at all."""
        value: Any = NetworkOptions(overlay=Overlay())
        for name in self.field.split("."):
            value = getattr(value, name)
        return str(value).lower() if isinstance(value, bool) else str(value or "")


#: Docker's gateway modes (moby libnetwork/drivers/bridge, gwMode).
GATEWAY_MODES = ("nat", "nat-unprotected", "routed", "isolated")
_MODES_TEXT = ", ".join(GATEWAY_MODES[:-1]) + " or, of an internal network, " + GATEWAY_MODES[-1]

#: Who publishes the ports of a network's containers.
PORTS = ("native", "docker")

#: Where a network's bridge lies.
PLACES = ("own", "host")


#: Every option that pyflat acts on.
OPTIONS: Mapping[str, Option] = {
    "com.docker.network.bridge.name": Option(
        field="bridge",
        parse=values.interface,
        allowed="an interface name of at most 15 letters, digits and any of _.+-",
        meaning="name of the bridge; pf- and 12 digits of the network's id if not given",
    ),
    "com.docker.network.driver.mtu": Option(
        field="mtu",
        parse=values.mtu,
        allowed="a number from 68 to 65535, or 0 for the default",
        meaning="largest packet of the bridge and of the containers' interfaces",
    ),
    "com.docker.network.bridge.enable_ip_masquerade": Option(
        field="masquerade",
        parse=values.boolean,
        allowed="true or false",
        meaning="whether containers reach the outside under the host's address",
    ),
    "com.docker.network.container_iface_prefix": Option(
        field="container_prefix",
        parse=values.prefix,
        allowed="the start of an interface name, at most 12 characters",
        meaning="prefix of the interface's name in the container",
    ),
    "com.docker.network.bridge.host_binding_ipv4": Option(
        field="host_binding",
        parse=partial(values.address, 4),
        allowed="an IPv4 address",
        meaning="IPv4 address of the host for published ports that name none",
    ),
    "com.docker.network.bridge.enable_icc": Option(
        field="icc",
        parse=values.boolean,
        allowed="true or false",
        meaning="whether containers of the network reach each other's unpublished ports",
    ),
    "com.docker.network.bridge.trusted_host_interfaces": Option(
        field="trusted",
        parse=values.interfaces,
        allowed="interface names with colons between",
        meaning="interfaces from which published ports are reached at the container's address",
    ),
    "com.docker.network.bridge.inhibit_ipv4": Option(
        field="inhibit_ipv4",
        parse=values.boolean,
        allowed="true or false",
        meaning="whether the bridge stays without its IPv4 address",
    ),
    "com.docker.network.bridge.gateway_mode_ipv4": Option(
        field="ipv4.mode",
        parse=partial(values.one_of, GATEWAY_MODES),
        allowed=_MODES_TEXT,
        meaning="how IPv4 reaches the outside, and is reached from there",
    ),
    "com.docker.network.bridge.gateway_mode_ipv6": Option(
        field="ipv6.mode",
        parse=partial(values.one_of, GATEWAY_MODES),
        allowed=_MODES_TEXT,
        meaning="how IPv6 reaches the outside, and is reached from there",
    ),
    "antispoof": Option(
        field="antispoof",
        parse=values.boolean,
        allowed="true or false",
        meaning="whether a container can send only from its own MAC and addresses",
    ),
    "ports": Option(
        field="ports",
        parse=partial(values.one_of, PORTS),
        allowed="native or docker",
        meaning="native: pyflat publishes ports; docker: dockerd does, through docker_gwbridge",
    ),
    "namespace": Option(
        field="namespace",
        parse=partial(values.one_of, PLACES),
        allowed="own or host",
        meaning="own: the bridge lies in pyflat's namespace, past the host's firewalls; host: with "
        "the host; own for overlays, where that can be, and host for others if not given",
    ),
    "vni": Option(
        field="overlay.vni",
        parse=values.vni,
        allowed="a number from 1 to 16777215, or auto",
        meaning="makes the network one of many hosts, by VXLAN; auto: drawn once by the cluster",
    ),
    "peers": Option(
        field="overlay.peers",
        parse=values.peers,
        allowed="addresses of one family with commas between, or @ and the path of a file of them",
        meaning="hosts that have the overlay, where no cluster tells",
    ),
    "group": Option(
        field="overlay.group",
        parse=values.group,
        allowed="a multicast address",
        meaning="multicast group that the overlay's hosts find each other by",
    ),
    "underlay": Option(
        field="overlay.underlay",
        parse=values.interface,
        allowed="an interface name of at most 15 letters, digits and any of _.+-",
        meaning="interface that the overlay's packets leave by; that of the route to the others "
        "if not given",
    ),
    "dstport": Option(
        field="overlay.port",
        parse=partial(values.number, 1, 65535),
        allowed="a number from 1 to 65535",
        meaning="UDP port of the overlay's packets; 4789 if not given",
    ),
    "direct": Option(
        field="overlay.direct",
        parse=values.boolean,
        allowed="true or false",
        meaning="whether hosts of one segment route to each other's containers without the tunnel",
    ),
    "com.docker.network.host_ipv4": Option(
        field="ipv4.source",
        parse=partial(values.address, 4),
        allowed="an IPv4 address",
        meaning="IPv4 address of the host that containers appear under outside",
    ),
    "com.docker.network.host_ipv6": Option(
        field="ipv6.source",
        parse=partial(values.address, 6),
        allowed="an IPv6 address",
        meaning="IPv6 address of the host that containers appear under outside",
    ),
}

DIRECT_NEEDS = "option direct: only a cluster knows which host has which addresses"

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
    found: dict[str, Any] = {}
    for key, text in labels.items():
        if key in DOCKER_OWN:
            continue
        option = OPTIONS.get(key)
        if option is None:
            known = ", ".join(sorted(OPTIONS))
            raise InvalidRequest(f"option {key} is not known; known are {known}")
        try:
            found[option.field] = option.parse(text)
        except ValueError as error:
            raise InvalidRequest(f"option {key}={text!r}: must be {option.allowed}") from error
    for family in ("ipv4", "ipv6"):
        found[family] = Family(**_split_off(found, family))
    if overlay := _split_off(found, "overlay"):
        found["overlay"] = _overlay(overlay)
    return NetworkOptions(**found)


def _split_off(found: dict[str, Any], part: str) -> dict[str, Any]:
    """Take the values of a part out, under their names in it."""
    paths = [path for path in found if path.startswith(f"{part}.")]
    return {path.partition(".")[2]: found.pop(path) for path in paths}


def _overlay(found: dict[str, Any]) -> Overlay:
    if "vni" not in found:
        given = next(
            key for key, option in OPTIONS.items() if option.field.removeprefix("overlay.") in found
        )
        raise InvalidRequest(f"option {given}: only an overlay has it; say vni=NUMBER too")
    if isinstance(found.get("peers"), str):
        found["roster"] = found.pop("peers")
    overlay = Overlay(**found)
    if overlay.group and (overlay.peers or overlay.roster):
        raise InvalidRequest("option group: an overlay has peers or a group, not both")
    if overlay.direct and not overlay.clustered:
        raise InvalidRequest(DIRECT_NEEDS)
    if not overlay.vni and not overlay.clustered:
        raise InvalidRequest("option vni='auto': only a cluster draws it; say a number")
    return overlay
