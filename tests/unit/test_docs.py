import json
import re
from itertools import chain
from pathlib import Path

import pytest

from pyflat.driver.options import DOCKER_OWN, OPTIONS
from pyflat.settings import MEANINGS

ROOT = Path(__file__).parents[2]
OPTIONS_PAGE = (ROOT / "docs/options.md").read_text()
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


@pytest.mark.parametrize("key", sorted(OPTIONS))
def test_every_option_has_its_line_in_the_docs(key: str) -> None:
    option = OPTIONS[key]
    assert f"| `{key}` | {option.allowed} | {option.meaning} |" in OPTIONS_PAGE


@pytest.mark.parametrize("key", sorted(DOCKER_OWN))
def test_every_label_left_to_docker_is_named_in_the_docs(key: str) -> None:
    assert f"`{key}`" in OPTIONS_PAGE


@pytest.mark.parametrize("name", MEANINGS)
def test_every_setting_of_a_user_is_one_of_the_managed_plugin(name: str) -> None:
    variable = f"PYFLAT_{name.upper()}"
    assert SETTABLE.get(variable, False) == (variable not in FIXED)


@pytest.mark.parametrize("variable", [name for name, settable in SETTABLE.items() if settable])
def test_every_setting_of_the_managed_plugin_has_its_line_in_the_docs(variable: str) -> None:
    (line,) = (line for line in PLUGIN_PAGE.splitlines() if line.startswith(f"| `{variable}` |"))
    assert MEANINGS.get(variable.removeprefix("PYFLAT_").lower(), "") in line


@pytest.mark.parametrize("page", [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")], ids=str)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    text = page.read_text()
    targets = [part.split(")")[0] for part in text.split("](")[1:]]
    files = [target for target in targets if not target.startswith("http")]
    assert [target for target in files if not (page.parent / target).exists()] == []


def test_the_listings_of_the_firewalls_page_are_what_the_kernel_has() -> None:
    found = [path for path, excerpt in EXCERPTS if excerpt in (ROOT / path).read_text()]
    assert found == re.findall(r"<!-- (\S+)", FIREWALL_PAGE) != []


def test_every_set_has_its_line_in_the_firewalls_page() -> None:
    cells = [line.split("|")[1] for line in FIREWALL_PAGE.splitlines() if line.startswith("| ")]
    listed = re.findall(r"`(\w+)`", " ".join(cells))
    assert sorted(listed) == SETS
