"""Imports go one way."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "plugin" / "pyflat"
MODULES = {
    ".".join(("pyflat", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(
        ".__init__"
    ): path
    for path in PACKAGE.rglob("*.py")
}

#: Anybody may import these; they import each other downwards only.
BOTTOM = [
    *("pyflat.counts", "pyflat.logs"),
    *(
        "pyflat.errors",
        "pyflat.wants",
        "pyflat.naming",
        "pyflat.addressing",
        "pyflat.peers",
        "pyflat.model",
    ),
    "pyflat.state",
]
#: What else each part may import of pyflat, apart from itself.
ALLOWED: dict[str, set[str]] = {
    "pyflat": set(),
    "pyflat.api": {"pyflat.driver", "pyflat.ipam"},
    "pyflat.driver": {"pyflat.ipam"},
    "pyflat.ipam": set(),
    "pyflat.dataplane": set(),
    "pyflat.overlay": {
        *("pyflat.dataplane.counters", "pyflat.dataplane.path", "pyflat.docker_api"),
        *("pyflat.driver", "pyflat.ipam"),
    },
    "pyflat.store": set(),
    "pyflat.engine": {
        *("pyflat.store", "pyflat.dataplane", "pyflat.driver.endpoints", "pyflat.site"),
    },
    "pyflat.site": {"pyflat.dataplane", "pyflat.overlay.roster"},
    "pyflat.report": {"pyflat.dataplane", "pyflat.docker_api", "pyflat.driver.options"},
    "pyflat.settings": {"pyflat.ipam.pools"},
    "pyflat.deadline": set(),
    "pyflat.app": {
        *("pyflat", "pyflat.api", "pyflat.dataplane", "pyflat.deadline", "pyflat.docker_api"),
        *("pyflat.engine", "pyflat.folder", "pyflat.names", "pyflat.overlay", "pyflat.rebuild"),
        "pyflat.report",
        *("pyflat.settings", "pyflat.site", "pyflat.store"),
    },
    "pyflat.docker_api": set(),
    "pyflat.names": {
        *("pyflat.dataplane.nobody", "pyflat.docker_api", "pyflat.driver.endpoints"),
    },
    "pyflat.folder": set(),
    "pyflat.rebuild": {"pyflat.dataplane", "pyflat.driver", "pyflat.ipam"},
    "pyflat.serve": {
        *("pyflat", "pyflat.app", "pyflat.deadline", "pyflat.folder", "pyflat.settings"),
        "pyflat.support",
    },
    "pyflat.support": set(),
    "pyflat.cli": {
        *("pyflat", "pyflat.app", "pyflat.docker_api", "pyflat.ipam.pools", "pyflat.report"),
        *("pyflat.serve", "pyflat.settings"),
    },
}
#: Libraries that only these modules know of.
LIBRARIES = {
    "pyroute2": {
        *(f"pyflat.dataplane.{part}" for part in ("namespace", "netlink", "reaper")),
    },
    "dns": {"pyflat.report.why.resolving"},
    "flask": {"pyflat.api.http", "pyflat.app", "pyflat.report.http", "pyflat.serve"},
    "gunicorn": {"pyflat.deadline", "pyflat.serve"},
    "prometheus_client": {"pyflat.report.metrics"},
    "sqlite3": {"pyflat.store.sqlite"},
    "click": {
        *(f"pyflat.cli.{part}" for part in ("asking", "doctor", "forget", "graph", "listing")),
        *(f"pyflat.cli.{part}" for part in ("plan", "rebuild", "service", "status", "tables")),
        "pyflat.cli.why",
        "pyflat.cli",
    },
    "graphviz": {"pyflat.report.dot"},
    "rich": {"pyflat.cli.tables"},
    "subprocess": {
        *("pyflat.cli.service", "pyflat.dataplane.docker_user", "pyflat.dataplane.relay"),
        *("pyflat.names.dnsmasq", "pyflat.report.doctor.facts", "pyflat.report.doctor.plugin"),
        *("pyflat.report.doctor.table", "pyflat.report.why.counters"),
    },
    "ctypes": {
        *("pyflat.dataplane.libnftables", "pyflat.dataplane.namespace"),
        *("pyflat.dataplane.nobody", "pyflat.serve"),
    },
}


def imports(module: str) -> Iterator[str]:
    """Name what a module imports, wherever in it."""
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=str(source), names=names, level=0):
                full = [f"{source}.{name.name}" for name in names]
                yield from (name if name in MODULES else source for name in full)
            case ast.ImportFrom():
                pytest.fail(f"{module} has a relative import")


def is_within(module: str, part: str) -> bool:
    return module == part or (part != "pyflat" and module.startswith(f"{part}."))


def part_of(module: str) -> str:
    (part,) = (part for part in ALLOWED if is_within(module, part))
    return part


@pytest.mark.parametrize("module", sorted(set(MODULES) - set(BOTTOM)))
def test_a_module_imports_only_what_its_part_may(module: str) -> None:
    part = part_of(module)
    allowed = {part, *ALLOWED[part], *BOTTOM}
    ours = {name for name in imports(module) if name.split(".")[0] == "pyflat"}
    assert {name for name in ours if not any(is_within(name, a) for a in allowed)} == set()


def test_the_modules_at_the_bottom_import_downwards_only() -> None:
    for height, module in enumerate(BOTTOM):
        ours = {name for name in imports(module) if name.startswith("pyflat.")}
        assert ours <= set(BOTTOM[:height])


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_is_known_to_few(library: str) -> None:
    users = {m for m in MODULES if any(is_within(name, library) for name in imports(m))}
    assert users == LIBRARIES[library]


def test_every_module_belongs_to_a_part() -> None:
    for module in set(MODULES) - set(BOTTOM):
        assert part_of(module)
