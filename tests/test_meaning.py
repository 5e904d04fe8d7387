"""Candidates by meaning: what a rank model learns from, how its answers join those of names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quern.kb import KnowledgeBase
from quern.links.candidates import Candidates, CandidateSettings
from quern.links.entity_counts import EntityCounts
from quern.links.found import Found, ordered
from quern.links.meaning import called, items_of, spoken
from quern.records import Entity, LabelledMention, LinkExample, Ranked

COUGH = Entity("E1", "harbour cough", ("fog cough",), popularity=3.0)
AGUE = Entity("E2", "salt-water ague", ("harbour cough",))
FEVER = Entity("E3", "slow tidal fever")


@pytest.fixture
def kb(tmp_path: Path) -> Iterator[KnowledgeBase]:
    """A base of three ailments."""
    with KnowledgeBase.open(tmp_path / "ailments.kb", create=True) as base:
        base.load([COUGH, AGUE, FEVER])
        yield base


class Near:
    """Finds the same items for whatever is asked, and keeps what that was."""

    def __init__(self, *ids: str) -> None:
        self.ids = ids
        self.asked: list[str] = []

    def search(self, texts: Sequence[str], k: int = 10) -> list[list[Ranked]]:
        """The first ``k`` of them for each text."""
        self.asked += texts
        return [[Ranked(id_, 0.5) for id_ in self.ids[:k]] for _ in texts]


def offered(kb: KnowledgeBase, text: str, mention: str, near: Near, **settings: int) -> list[str]:
    """The ids of the candidates of a mention."""
    chosen = CandidateSettings(similar=1.0, **settings)
    candidates = Candidates(kb, EntityCounts({}), chosen, meaning=near)
    start = text.index(mention)
    ((found,),) = candidates.of_texts([text], [[(start, start + len(mention))]])
    return [proposal.entity.id for proposal in found]


def test_every_name_of_an_entity_is_learned_with_it() -> None:
    assert [(e.text, e.items) for e in called([COUGH, AGUE])] == [
        ("harbour cough", ("E1",)),
        ("fog cough", ("E1",)),
        ("salt-water ague", ("E2",)),
        ("harbour cough", ("E2",)),
    ]
    (item,) = items_of([COUGH])
    assert (item.id, item.text, item.popularity) == ("E1", "harbour cough", 3.0)


def test_mentions_are_learned_with_what_they_are_short_for() -> None:
    text = "Slow tidal fever (STF) and GHV; STF again."
    mentions = (
        LabelledMention("STF", 18, "E3"),
        LabelledMention("GHV", 27, "E1|E9"),
        LabelledMention("STF", 32, None),
        LabelledMention("again", 36, "E9"),
    )
    examples = spoken([LinkExample(text, mentions, line=4)], frozenset({"E1", "E3"}))
    assert [(e.text, e.items, e.line) for e in examples] == [
        ("Slow tidal fever", ("E3",), 4),
        ("GHV", ("E1",), 4),
    ]


def test_what_is_near_comes_after_what_is_named(kb: KnowledgeBase) -> None:
    near = Near("E3", "E1", "gone")
    assert offered(kb, "a fog cough", "fog cough", near) == ["E1", "E3"]
    assert near.asked == ["fog cough"]
    assert offered(kb, "a wheeze", "wheeze", near) == ["E3", "E1"]
    assert offered(kb, "a wheeze", "wheeze", near, meanings=1) == ["E3"]
    assert offered(kb, "a wheeze", "wheeze", near, meanings=0) == []
    assert offered(kb, "a fog cough", "fog cough", near, candidates=1) == ["E1"]


def test_a_short_form_is_looked_up_by_its_long_form(kb: KnowledgeBase) -> None:
    near = Near("E2")
    assert offered(kb, "grey heron virus (GHV)", "GHV", near) == ["E2"]
    assert near.asked == ["grey heron virus"]


FOUND = st.builds(
    Found,
    st.sampled_from(["", "name"]),
    st.sampled_from([0.0, 0.6, 0.95, 1.0]),
    st.integers(0, 2),
    st.integers(0, 2),
    st.sampled_from([-1.0, 2.0]),
    st.integers(0, 5),
)


@given(st.dictionaries(st.text("abcd", min_size=1, max_size=2), FOUND))
def test_nothing_is_lost_and_what_is_sure_comes_first(found: dict[str, Found]) -> None:
    order = ordered(found)
    assert sorted(order) == sorted(found)
    sure = [found[id_].sure for id_ in order]
    assert sure == sorted(sure, reverse=True)


def test_the_better_place_counts() -> None:
    found = {
        "spelt-1": Found("a", 0.8, 0, 0, -1.0),
        "spelt-2": Found("b", 0.7, 0, 0, -1.0),
        "both": Found("c", 0.6, 0, 0, -1.0, 0),
        "near-1": Found.near(1),
        "near-3": Found.near(3),
    }
    assert ordered(found) == ["both", "spelt-1", "near-1", "spelt-2", "near-3"]


# -- trained --------------------------------------------------------------------------------------


def test_a_linker_takes_its_rank_model_along(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from click.testing import CliRunner

    from quern.cli import cli
    from quern.folder import ModelFolder
    from quern.tasks import load_entities
    from test_cli_entities import WORDS as SMALL
    from test_cli_entities import write

    def run(*words: str | Path) -> str:
        result = CliRunner().invoke(cli, [str(word) for word in words])
        assert result.exit_code == 0, result.output
        return result.stdout

    with KnowledgeBase.open(tmp_path / "ailments.kb", create=True) as base:
        base.load([COUGH, AGUE, FEVER])
    says = {"ague of the sea": "E2", "fog cough": "E1", "tidal fever": "E3"}
    lines = [
        LinkExample(f"Day {day}: {name}.", (LabelledMention(name, len(f"Day {day}: "), id_),))
        for day in range(12)
        for name, id_ in says.items()
    ]
    write(tmp_path / "train.jsonl", lines)
    files = [tmp_path / "train.jsonl", "--dev", tmp_path / "train.jsonl"]
    files += ["--kb", tmp_path / "ailments.kb"]
    words = ["--set", "vector_dim=8", "--set", "phrase_dim=8", "--set", "phrases=64"]
    words += ["--set", "epochs=8", "--set", "threads=1", "--set", "rate=0.05"]
    run("train", "ranks", *files, "--out", tmp_path / "near", "--preset", "fast", *words)
    figures = run("evaluate", tmp_path / "near", *files[:1], *files[3:], "--format", "json")
    assert json.loads(figures)["recall"]["1"] > 0.9
    given = [*files, "--out", tmp_path / "linker", "--preset", "fast", *SMALL]
    run("train", "entities", *given, "--meaning", tmp_path / "near")
    model = load_entities(tmp_path / "linker")
    with KnowledgeBase.open(tmp_path / "ailments.kb") as base:
        text = "the sea's ague"
        ((found,),) = model.candidates(base).of_texts([text], [[(0, len(text))]])
    assert {proposal.entity.id for proposal in found} == {"E1", "E2", "E3"}
    # It is a part of the folder, and counts.
    inner = ModelFolder(tmp_path / "linker").inner("meaning")
    assert inner is not None
    whole, alone = ModelFolder(tmp_path / "linker").size(), inner.size()
    assert whole > alone > 0
    int8 = tmp_path / "linker-int8"
    run("export", tmp_path / "linker", int8, "--int8", "--data", files[0], *files[3:])
    assert load_entities(int8).background.meaning is not None


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from quern.errors import DataError, FolderError
    from quern.folder import ModelFolder
    from quern.records import Item, RankExample
    from quern.train.entity_training import EntityPlan, EntityTraining
    from quern.train.rank_fit import RankFit
    from quern.train.settings import rank_plan

    small = ["vector_dim=8", "phrase_dim=8", "phrases=64", "epochs=1", "fine_epochs=0"]
    texts = [
        RankExample(f"a {what} {n}", (what[0],)) for n in range(8) for what in ("tram", "boat")
    ]
    items = [Item("t", "trams"), Item("b", "boats")]
    plan = rank_plan("fast", [*small, "threads=1"])
    RankFit(texts, texts, items, plan).run(tmp_path / "trams")
    fog = LinkExample("A fog cough.", (LabelledMention("fog cough", 2, "E1"),))
    with KnowledgeBase.open(tmp_path / "ailments.kb", create=True) as base:
        base.load([COUGH, AGUE, FEVER])
        with pytest.raises(DataError, match=r"no entities of .*ailments\.kb; train one with"):
            EntityTraining([fog], [fog], EntityPlan(), base, meaning=tmp_path / "trams")
    assert ModelFolder(tmp_path / "trams").inner("meaning") is None
    with pytest.raises(FolderError, match="does the task 'ranks'"):
        from quern.tasks import load_entities

        load_entities(tmp_path / "trams")
