from pathlib import Path

import pytest

from pyflat.driver.options import DOCKER_OWN, OPTIONS

ROOT = Path(__file__).parents[2]
OPTIONS_PAGE = (ROOT / "docs/options.md").read_text()


@pytest.mark.parametrize("key", sorted(OPTIONS))
def test_every_option_has_its_line_in_the_docs(key: str) -> None:
    option = OPTIONS[key]
    assert f"| `{key}` | {option.allowed} | {option.meaning} |" in OPTIONS_PAGE


@pytest.mark.parametrize("key", sorted(DOCKER_OWN))
def test_every_label_left_to_docker_is_named_in_the_docs(key: str) -> None:
    assert f"`{key}`" in OPTIONS_PAGE


@pytest.mark.parametrize("page", [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")], ids=str)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    text = page.read_text()
    targets = [part.split(")")[0] for part in text.split("](")[1:]]
    files = [target for target in targets if not target.startswith("http")]
    assert [target for target in files if not (page.parent / target).exists()] == []
