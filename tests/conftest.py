"""Which Docker Engines the tests run on."""

from pathlib import Path

import pytest

pytest.register_assert_rewrite(
    *(
        f"tests.docker.{name}"
        for name in ("client", "labels", "overlays", "pools", "reach", "site", "traces", "ways")
    )
)

NEWEST, OLDEST = "28.5", "20.10"
ALL = (NEWEST, "26.1", OLDEST)


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


def _engines(metafunc: pytest.Metafunc) -> list[object]:
    only = metafunc.config.getoption("--engines")
    if only:
        return list(only.split(","))
    marker = metafunc.definition.get_closest_marker("engine")
    chosen = marker.args if marker else (NEWEST, OLDEST)
    full = pytest.mark.full
    return [pytest.param(name, marks=() if name in chosen else full) for name in ALL]


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A quick run is about the newest engine and the service; a lab belongs to one process."""
    for item in items:
        callspec = getattr(item, "callspec", None)
        engine = callspec.params.get("engine", NEWEST) if callspec else NEWEST
        if engine != NEWEST or item.path.name.startswith("test_plugin_"):
            item.own_markers = [mark for mark in item.own_markers if mark.name != "quick"]
        item.add_marker(pytest.mark.xdist_group(f"{item.path}, {engine}"))
