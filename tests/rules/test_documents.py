"""The pages below docs/rules are what the rules say now."""

from __future__ import annotations

from pathlib import Path

import pytest

from buildhush.rules import documents
from buildhush.rules.registry import all_rules

PAGES = Path(__file__).parents[2] / "server" / "docs" / "rules"


@pytest.mark.parametrize("id", list(all_rules()))
def test_the_page_is_fresh(id: str) -> None:
    written = (PAGES / f"{id}.md").read_text(encoding="utf-8")
    assert written == documents.render(all_rules()[id]), "run: python -m buildhush.rules.documents server/docs/rules"


def test_there_is_no_page_without_a_rule() -> None:
    assert {path.stem for path in PAGES.glob("*.md") if path.name != "README.md"} == set(all_rules())


def test_the_command_writes_all_pages(tmp_path: Path) -> None:
    assert documents.main([str(tmp_path)]) == 0
    assert {path.stem for path in tmp_path.iterdir()} == set(all_rules())
    assert documents.main([]) == 2


def test_a_page_shows_the_example_and_its_fix() -> None:
    page = documents.render(all_rules()["secret-in-arg"])
    assert page.startswith("# secret-in-arg\n")
    assert "Quick fix: yes" in page
    assert "--mount=type=secret,id=npm_token,env=NPM_TOKEN" in page
