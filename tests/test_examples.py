"""The small world in ``examples/``: a base of namesakes, and texts that speak of it."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

import quern
from quern.data import read_links, scan_links
from quern.doctor import examine_links
from quern.kb import KnowledgeBase
from quern.records import Entity
from quern.text.keys import key_of

EXAMPLES = Path(__file__).parent.parent / "examples"
PARTS = {part: EXAMPLES / f"links-{part}.jsonl" for part in ("train", "dev")}
# Predicates whose objects are things with a name, all of them in the base.
BETWEEN = {"导演", "主演", "作者", "歌手", "改编自", "所在城市", "总部地点", "出生地", "毕业院校"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Entity]:
    path = tmp_path_factory.mktemp("world") / "world.kb"
    with KnowledgeBase.open(path, create=True) as base:
        base.import_files([EXAMPLES / "kb.jsonl"])
        return {entity.id: entity for entity in base}


@pytest.fixture(scope="module")
def named(world: dict[str, Entity]) -> dict[str, set[str]]:
    """The ids of each key."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for entity in world.values():
        for name in entity.names:
            found[key_of(name)].add(entity.id)
    return dict(found)


def test_the_base_has_namesakes_that_can_be_told_apart(
    world: dict[str, Entity], named: dict[str, set[str]]
) -> None:
    shared = {key: ids for key, ids in named.items() if len(ids) > 1}
    assert len(set().union(*shared.values())) >= 70
    for ids in shared.values():
        assert len({world[id_].description for id_ in ids}) == len(ids)
        assert "" not in {world[id_].description for id_ in ids}


def test_facts_lead_from_entity_to_entity(
    world: dict[str, Entity], named: dict[str, set[str]]
) -> None:
    facts = [fact for entity in world.values() for fact in entity.facts]
    lost = [fact for fact in facts if fact[0] in BETWEEN and key_of(fact[1]) not in named]
    assert {predicate for predicate, _ in facts} >= BETWEEN
    assert not lost


def test_the_labels_are_sound_and_no_text_is_in_both_files() -> None:
    report = examine_links(scan_links(PARTS["train"]), scan_links(PARTS["dev"]))
    assert report.accepted and report.findings == ()


@pytest.mark.parametrize("part", PARTS)
def test_a_mention_is_a_name_of_its_entity(part: str, named: dict[str, set[str]]) -> None:
    mentions = [m for example in read_links(PARTS[part]) for m in example.mentions]
    assert mentions
    for mention in mentions:
        if mention.kb_id is not None:
            assert mention.kb_id in named[key_of(mention.mention)], mention
    assert 0.1 < sum(m.kb_id is None for m in mentions) / len(mentions) < 0.15


def test_dev_asks_for_entities_that_train_never_mentions() -> None:
    meant = {
        part: {m.kb_id for example in read_links(path) for m in example.mentions}
        for part, path in PARTS.items()
    }
    assert len(meant["dev"] - meant["train"]) >= 20


def test_triples_are_found_whose_ends_are_names_of_several_entities(
    named: dict[str, set[str]],
) -> None:
    texts = EXAMPLES.joinpath("zh-links.txt").read_text(encoding="utf-8").splitlines()
    of_several = 0
    for text, triples in zip(texts, quern.load("zh-triples")(texts), strict=True):
        subjects = [named.get(key_of(triple.subject.text), set()) for triple in triples]
        assert subjects and all(subjects), text
        of_several += len(max(subjects, key=len)) > 1
    assert of_several >= len(texts) / 2
