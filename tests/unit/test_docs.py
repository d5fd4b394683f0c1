import json
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import chain
from pathlib import Path
from types import ModuleType

import pytest
from tests.docker.pages import blocks
from tests.support import reference

import marked
from pyflat.driver.options import DOCKER_OWN
from pyflat.settings import MEANINGS

ROOT = Path(__file__).parents[2]
PAGES = sorted(chain(ROOT.glob("*.md"), ROOT.glob("docs/*.md"), ROOT.glob("contrib/**/*.md")))
LINK = re.compile(r"(?:\]\(|src=\"|srcset=\")([^)\"\s]+)")
OPTIONS_PAGE = ROOT / "docs/options.md"
FIREWALL_PAGE = (ROOT / "docs/firewall.md").read_text()
EXCERPTS = re.findall(r"<!-- (\S+) -->\n```\n(.*?)```", FIREWALL_PAGE, re.DOTALL)
TABLES = [path.read_text() for path in (ROOT / "plugin/pyflat/dataplane").glob("*.nft")]
PLUGIN_PAGE = (ROOT / "docs/plugin.md").read_text()
SETTABLE = {
    env["name"]: bool(env.get("settable"))
    for env in json.loads((ROOT / "config.json").read_text())["env"]
}
#: What the files and mounts of the managed plugin decide.
FIXED = {"PYFLAT_SOCKET", "PYFLAT_STATE_DIR", "PYFLAT_SYSCTL_ROOT"}
SETS = sorted(chain(*(re.findall(r"^\t(?:set|map) (\w+)", text, re.MULTILINE) for text in TABLES)))


@pytest.mark.parametrize("write", [reference.options, reference.settings])
def test_a_table_of_the_options_page_is_what_the_program_goes_by(
    write: Callable[[], str], request: pytest.FixtureRequest
) -> None:
    if request.config.getoption("--update-golden"):
        marked.write(OPTIONS_PAGE, write.__name__, write())
    assert marked.read(OPTIONS_PAGE, write.__name__) == write()


@pytest.mark.parametrize("key", sorted(DOCKER_OWN))
def test_every_label_left_to_docker_is_named_in_the_docs(key: str) -> None:
    assert f"`{key}`" in OPTIONS_PAGE.read_text()


@pytest.mark.parametrize("name", MEANINGS)
def test_every_setting_of_a_user_is_one_of_the_managed_plugin(name: str) -> None:
    variable = f"PYFLAT_{name.upper()}"
    assert SETTABLE.get(variable, False) == (variable not in FIXED)


@pytest.mark.parametrize("variable", [name for name, settable in SETTABLE.items() if settable])
def test_every_setting_of_the_managed_plugin_has_its_line_in_the_docs(variable: str) -> None:
    (line,) = (line for line in PLUGIN_PAGE.splitlines() if line.startswith(f"| `{variable}` |"))
    assert MEANINGS.get(variable.removeprefix("PYFLAT_").lower(), "") in line


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_leads_to_a_file_and_to_a_heading_of_it(page: Path) -> None:
    links = [link for link in LINK.findall(page.read_text()) if not link.startswith("http")]
    assert [link for link in links if not _leads_somewhere(page, link)] == []


def test_every_command_of_every_page_is_typed_by_a_test() -> None:
    shown = {(page, block.chapter) for page in PAGES for block in blocks(page) if block.commands}
    typed = {(ROOT / page, chapter) for module in _followers() for page, chapter in module.PAGES}
    assert shown == typed


def _followers() -> Iterator[ModuleType]:
    for path in ROOT.glob("tests/*/test_*.py"):
        if re.search("^PAGES.*=", path.read_text(), re.MULTILINE) and path != Path(__file__):
            yield import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))


def _leads_somewhere(page: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    return target.exists() and (not anchor or anchor in _anchors(target.read_text()))


def _anchors(text: str) -> set[str]:
    """Give what GitHub calls the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_listings_of_the_firewalls_page_are_what_the_kernel_has() -> None:
    found = [path for path, excerpt in EXCERPTS if excerpt in (ROOT / path).read_text()]
    assert found == re.findall(r"<!-- (\S+)", FIREWALL_PAGE) != []


def test_every_set_has_its_line_in_the_firewalls_page() -> None:
    cells = [line.split("|")[1] for line in FIREWALL_PAGE.splitlines() if line.startswith("| ")]
    listed = re.findall(r"`(\w+)`", " ".join(cells))
    assert sorted(listed) == SETS
