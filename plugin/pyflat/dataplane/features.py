"""What pyflat needs of the kernel, tried out where nobody is harmed."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from pyflat.dataplane.namespace import visit_fresh
from pyflat.dataplane.netlink import Links
from pyflat.dataplane.nftables import Nftables
from pyflat.dataplane.objects import Table
from pyflat.dataplane.plan import Step
from pyflat.dataplane.ruleset import TABLES
from pyflat.errors import PyflatError

_KINDS: Mapping[str, Mapping[str, Any]] = {
    "bridge": {},
    "veth": {"peer": {"ifname": "peer"}},
    "vxlan": {"vxlan_id": 1, "vxlan_port": 4789},
}
_MARK = 0x20000000


def lacking() -> dict[str, str]:
    """Give what cannot be made in a new namespace, and the kernel's words for each.

    Raises OSError if this process may make no namespace.
    """
    return visit_fresh(lambda: dict(_failures()))


def _failures() -> Iterator[tuple[str, str]]:
    links = Links()
    for kind, values in _KINDS.items():
        yield from _try(kind, partial(_add, links, kind, values))
    links.close()
    for family in TABLES:
        yield from _try(f"nf_tables, family {family}", partial(_install, family))


def _add(links: Links, kind: str, values: Mapping[str, Any]) -> None:
    links.request("link", "add", kind=kind, ifname=f"try-{kind}", **values)


def _install(family: str) -> None:
    tables = Nftables(_MARK, (family,))
    try:
        tables.apply([Step(verb="add", object=Table(family=family))])
    finally:
        tables.close()


def _try(what: str, how: Callable[[], None]) -> Iterator[tuple[str, str]]:
    try:
        how()
    except PyflatError as error:
        yield what, str(error)
