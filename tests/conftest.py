"""Which Docker Engines the tests run on."""

import re
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped] # has no types

pytest.register_assert_rewrite(
    *(
        f"tests.docker.{name}"
        for name in ("client", "labels", "overlays", "pools", "reach", "site", "traces", "ways")
    )
)

pytest_plugins = ("tests.support.tally",)

NEWEST, OLDEST = "28.5", "20.10"
ALL = (NEWEST, "26.1", OLDEST)
_ENGINE = re.compile(rf"[\[-]({'|'.join(map(re.escape, ALL))})[\]-]")
#: Where the bridges of networks lie: with the host, or in the namespace of pyflat's own.
PLACEMENTS = ("host", "own")
#: What there is not: Docker's own driver has one place only.
DOCKERS_OWN_APART = {"driver": "bridge", "placement": "own"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--engines",
        help=f"run on these Docker Engines only, with commas between them; without it, on "
        f"{NEWEST} and {OLDEST} or the one a test is about, and the others of "
        f"{', '.join(ALL)} are marked as full",
    )
    parser.addoption(
        "--outage-report",
        type=Path,
        help="write to this file what traffic has lost in the tests that measure it",
    )
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write the files of tests/golden as the kernel has it, instead of comparing",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames:
        metafunc.parametrize("engine", list(_engines(metafunc)), scope="module")
    # The second, so that a lab serves for both.
    marker = metafunc.definition.get_closest_marker("placements")
    if marker and "placement" in metafunc.fixturenames:
        metafunc.parametrize("placement", PLACEMENTS, indirect=True, scope="module")


def _params(item: pytest.Item) -> dict[str, object]:
    callspec = getattr(item, "callspec", None)
    return callspec.params if callspec else {}


def _is_usual(item: pytest.Item, engine: object) -> bool:
    """Say whether a test runs with an engine in the namespace of pyflat's own, too, each time."""
    marker = item.get_closest_marker("placements")
    return marker is not None and engine in marker.args


def _engines(metafunc: pytest.Metafunc) -> list[object]:
    only = metafunc.config.getoption("--engines")
    if only:
        return list(only.split(","))
    marker = metafunc.definition.get_closest_marker("engine")
    chosen = marker.args if marker else (NEWEST, OLDEST)
    full = pytest.mark.full
    return [pytest.param(name, marks=() if name in chosen else full) for name in ALL]


class _ByLab(LoadScopeScheduling):  # type: ignore[misc] # has no types
    """Gives all tests of a file that run on one engine to one process: a lab serves for them.

    xdist's own groups are names in the ids of tests, which pytest 9.2 does not let it change.
    """

    def _split_scope(self, nodeid: str) -> str:
        file, _, name = nodeid.partition("::")
        engine = _ENGINE.search(name)
        return f"{file}, {engine[1] if engine else NEWEST}"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    return _ByLab(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A quick run is about the newest engine and the service."""
    items[:] = [item for item in items if not _params(item).items() >= DOCKERS_OWN_APART.items()]
    for item in items:
        params = _params(item)
        engine, apart = params.get("engine", NEWEST), params.get("placement") == "own"
        if apart and not _is_usual(item, engine):
            item.add_marker(pytest.mark.full)
        if engine != NEWEST or apart or item.path.name.startswith("test_plugin_"):
            item.own_markers = [mark for mark in item.own_markers if mark.name != "quick"]
