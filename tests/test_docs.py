"""Pages that describe the code, held against the code."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
PAGES = sorted([*DOCS.glob("*.md"), *DOCS.parent.glob("*.md")])


def test_the_cli_page_is_what_the_verbs_say() -> None:
    # In a process of its own: a command keeps the help option of its first call, and other tests
    # call verbs without the group that names it.
    command = [sys.executable, "-m", "quern.cli.reference"]
    said = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True)
    page = (DOCS / "cli.md").read_text(encoding="utf-8")
    assert page == said.stdout, "run `make docs` and commit docs/cli.md"


def documented(table: str) -> dict[str, str]:
    """The keys of a table of settings with their defaults; empty where a row has none."""
    found: dict[str, str] = {}
    for row in table.splitlines():
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        keys = re.findall(r"`(\w+)`", cells[0])
        if len(cells) == 3 and keys:
            values = re.split(r", (?![^\[]*\])", cells[1]) if len(keys) > 1 else [cells[1]]
            values = values if len(values) == len(keys) else [""] * len(keys)
            found |= dict(zip(keys, values, strict=True))
    return found


def test_every_setting_is_documented_with_its_default() -> None:
    pytest.importorskip("torch")
    from quern.train.entity_training import EntityPlan
    from quern.train.link_training import LinkPlan
    from quern.train.linker_training import LinkerPlan
    from quern.train.rank_training import RankPlan
    from quern.train.sentence_training import SentencePlan
    from quern.train.settings import listed
    from quern.train.title_training import TitlePlan

    page = (DOCS / "training.md").read_text(encoding="utf-8")
    shared = documented(page[page.index("| key | default") : page.index("## From Python")])
    page = (DOCS / "links.md").read_text(encoding="utf-8")
    own = documented(page[page.index("| key | default") : page.index("## The baseline")])
    choice = documented(page[page.index("## The choice of the entity") : page.index("## Answers")])
    wanted, of_links = dict(listed()), dict(listed(LinkPlan()))
    of_choice = dict(listed(EntityPlan()))
    assert set(shared) == set(wanted)
    assert set(own) <= set(of_links) <= set(own | shared)
    assert set(choice) <= set(of_choice) <= set(choice | shared)
    page = (DOCS / "sentences.md").read_text(encoding="utf-8")
    of_pages = documented(page[page.index("| key | default") : page.index("## Evaluation")])
    of_sentences = dict(listed(SentencePlan()))
    assert set(of_pages) <= set(of_sentences) <= set(of_pages | shared)
    page = (DOCS / "ranks.md").read_text(encoding="utf-8")
    of_page = documented(page[page.index("| key | default") : page.index("## Evaluation")])
    of_ranks = dict(listed(RankPlan()))
    assert set(of_page) <= set(of_ranks) <= set(of_page | shared)
    page = (DOCS / "titles.md").read_text(encoding="utf-8")
    of_writing = documented(page[page.index("| key | default") : page.index("## Limits")])
    of_titles = dict(listed(TitlePlan()))
    assert set(of_writing) <= set(of_titles) <= set(of_writing | shared)
    both = dict(listed(LinkerPlan()))
    assert set(both) == set(of_links) | set(of_choice)
    assert {key for key in both if both[key] not in (of_links.get(key), of_choice.get(key))} == {
        "frozen"
    }, 'which docs/links.md says under "Both together"'
    for said, settings in (
        (shared, wanted),
        (shared | own, of_links),
        (shared | choice, of_choice),
        (shared | of_pages, of_sentences),
        (shared | of_page, of_ranks),
        (shared | of_writing, of_titles),
    ):
        for key, value in settings.items():
            if said[key]:
                assert _number(said[key]) == _number(value.strip('"')), key


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text.replace(" ", "")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_readmes_python_runs() -> None:
    text = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.S)
    found: dict[str, object] = {}
    exec(code, found)
    assert found["triples"]
