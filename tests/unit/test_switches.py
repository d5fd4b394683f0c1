"""Switches below /proc/sys/net, on a folder that looks like one."""

from pathlib import Path

import pytest

from pyflat.dataplane.objects import Forwarding, Sysctl
from pyflat.dataplane.switches import Switches
from pyflat.errors import BackendError


class Tree:
    """Switches as files; ``written`` tells which were changed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.put("ipv4/ip_forward", "0")

    def put(self, path: str, value: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{value}\n")

    def device(
        self, name: str, *, accept_ra: str = "0", force: bool = True, v6: bool = True
    ) -> None:
        switches = {"ipv4": ["forwarding", "route_localnet"], "ipv6": []}
        if v6:
            switches["ipv6"] = ["disable_ipv6", "forwarding", *(["force_forwarding"] * force)]
            self.put(f"ipv6/conf/{name}/accept_ra", accept_ra)
        for family, names in switches.items():
            for switch in names:
                self.put(f"{family}/conf/{name}/{switch}", "0")

    def all(self) -> dict[str, str]:
        files = (path for path in self.root.rglob("*") if path.is_file())
        return {str(f.relative_to(self.root)): f.read_text().strip() for f in files}


def tree(root: Path, *, force: bool = True, v6: bool = True) -> Tree:
    made = Tree(root)
    for name in ("all", "default", "br0"):
        made.device(name, force=force, v6=v6)
    made.device("eth0", accept_ra="1", force=force, v6=v6)
    made.device("eth1", accept_ra="2", force=force, v6=v6)
    return made


def changes(made: Tree, *items: Sysctl | Forwarding) -> dict[str, str]:
    """Set switches, and give what that has changed."""
    before, switches = made.all(), Switches(made.root)
    for item in items:
        switches.add(item)
    assert switches.observe(items) == set(items)
    return {path: value for path, value in made.all().items() if before.get(path) != value}


def sysctl(path: str, value: str) -> Sysctl:
    family, device, name = path.split("/")
    return Sysctl(path=f"{family}/conf/{device}/{name}", value=value, device=device)


V4, V6 = Forwarding(device="br0", version=4), Forwarding(device="br0", version=6)


def test_a_switch_is_set_and_nothing_else(tmp_path: Path) -> None:
    item = sysctl("ipv4/br0/route_localnet", "1")
    assert changes(tree(tmp_path), item) == {"ipv4/conf/br0/route_localnet": "1"}


def test_forwarding_is_switched_by_interface(tmp_path: Path) -> None:
    assert changes(tree(tmp_path), V4, V6) == {
        "ipv4/conf/br0/forwarding": "1",
        "ipv6/conf/br0/force_forwarding": "1",
    }


def test_without_a_switch_by_interface_all_forward_ipv6_and_keep_listening_to_routers(
    tmp_path: Path,
) -> None:
    assert changes(tree(tmp_path, force=False), V6) == {
        "ipv6/conf/all/forwarding": "1",
        "ipv6/conf/eth0/accept_ra": "2",
    }


def test_an_interface_that_is_gone_does_not_open_the_whole_host(tmp_path: Path) -> None:
    made = tree(tmp_path)
    before = made.all()
    with pytest.raises(BackendError, match="gone0"):
        Switches(tmp_path).add(Forwarding(device="gone0", version=6))
    assert made.all() == before


@pytest.mark.parametrize("v6", [True, False])
def test_the_switch_of_the_whole_host_is_never_written(tmp_path: Path, v6: bool) -> None:
    made = tree(tmp_path, force=False, v6=v6)
    assert "ipv4/ip_forward" not in changes(made, V4, V6)


def test_a_host_without_ipv6_needs_no_switches_of_it(tmp_path: Path) -> None:
    off = sysctl("ipv6/br0/disable_ipv6", "1"), sysctl("ipv6/br0/accept_ra", "0")
    made = tree(tmp_path, v6=False)
    assert changes(made, *off, V6) == {}
    assert changes(made, V4) == {"ipv4/conf/br0/forwarding": "1"}


def test_ipv6_that_is_needed_but_not_there_is_an_error(tmp_path: Path) -> None:
    tree(tmp_path, v6=False)
    on = sysctl("ipv6/br0/disable_ipv6", "0")
    with pytest.raises(BackendError, match="disable_ipv6 = 0"):
        Switches(tmp_path).add(on)
    assert Switches(tmp_path).observe([on]) == set()


def test_an_interface_without_ipv6_needs_no_switches_of_it(tmp_path: Path) -> None:
    made = tree(tmp_path)
    made.device("small0", v6=False)
    items = (sysctl("ipv6/small0/accept_ra", "0"), Forwarding(device="small0", version=6))
    assert changes(made, *items) == {}


def test_switches_of_an_interface_that_is_not_there_yet_do_not_stand(tmp_path: Path) -> None:
    tree(tmp_path)
    items: list[Sysctl | Forwarding] = [
        sysctl("ipv6/br1/accept_ra", "0"),
        sysctl("ipv6/br1/disable_ipv6", "1"),
        sysctl("ipv4/br1/route_localnet", "1"),
        Forwarding(device="br1", version=4),
        Forwarding(device="br1", version=6),
    ]
    assert Switches(tmp_path).observe(items) == set()
    for item in items:
        with pytest.raises(BackendError, match="br1"):
            Switches(tmp_path).add(item)


def test_switches_are_left_as_they_are_when_nobody_wants_them(tmp_path: Path) -> None:
    made = tree(tmp_path)
    changes(made, V4, V6)
    before = made.all()
    Switches(tmp_path).delete(V4)
    Switches(tmp_path).delete(sysctl("ipv6/br0/accept_ra", "0"))
    assert made.all() == before


@pytest.mark.parametrize(
    ("on", "routed"),
    [
        ((), set()),
        (("ipv4/ip_forward",), {4}),
        (("ipv6/conf/all/forwarding",), {6}),
        (("ipv4/ip_forward", "ipv6/conf/all/forwarding"), {4, 6}),
    ],
)
def test_families_that_the_host_forwards(
    tmp_path: Path, on: tuple[str, ...], routed: set[int]
) -> None:
    made = tree(tmp_path)
    for path in on:
        made.put(path, "1")
    assert Switches(tmp_path).routed() == routed


def test_a_switch_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "ipv4/conf/br0/forwarding").mkdir(parents=True)
    with pytest.raises(BackendError, match="br0/forwarding = 1: Is a directory"):
        Switches(tmp_path).add(V4)
