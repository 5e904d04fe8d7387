"""A model that chooses entities, from labels and a base to answers: what holds of all its parts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import msgspec
import numpy as np
from safetensors.numpy import load_file

import quern
from namesakes import corpus, entities, names
from quern.errors import DataError, FolderError, TextError
from quern.evaluation.given import choice_figures
from quern.folder import ModelFolder
from quern.kb import KnowledgeBase
from quern.links import (
    CandidateSettings,
    EntityFitting,
    EntityModel,
    EntitySettings,
    Linker,
    Options,
)
from quern.links.pair_features import SCALARS
from quern.records import Entity, LabelledMention, LinkExample, Mention
from quern.tasks import load, load_entities, load_links
from quern.text import CodecRules
from quern.train.entity_fit import EntityFit
from quern.train.entity_training import EntityPlan, EntityTraining
from quern.train.fit import Start
from quern.train.loop import Schedule

SMALL = EntitySettings(
    dim=16, gram_dim=8, dilations=(1, 2), match_dim=8, context=8, described=40, match_dropout=0.0
)
RULES = CodecRules(min_count=1, buckets=64, window=40, overlap=20)
NAMES = names(60, 1)
TRAIN, DEV = corpus(NAMES[:30], 160, 1), corpus(NAMES[30:], 40, 2)


def plan(settings: EntitySettings = SMALL, **schedule: object) -> EntityPlan:
    """A plan that trains in seconds."""
    given = {"epochs": 3, "fine_epochs": 1, "batch_size": 16, "rate": 1e-2}
    given |= {"precision": "fp32", "threads": 1}
    return EntityPlan(
        settings=settings,
        schedule=Schedule(**(given | schedule)),  # type: ignore[arg-type]
        rules=RULES,
    )


@pytest.fixture(scope="module")
def base_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base of all names."""
    path = tmp_path_factory.mktemp("base") / "names.kb"
    with KnowledgeBase.open(path, create=True) as kb:
        kb.load(entities(NAMES))
    return path


@pytest.fixture(scope="module")
def learned(base_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that was trained on half of the names."""
    out = tmp_path_factory.mktemp("entities") / "model"
    with KnowledgeBase.open(base_file) as kb:
        EntityFit(TRAIN, DEV, kb, plan()).run(out)
    return out


@pytest.fixture
def kb(base_file: Path, tmp_path: Path) -> Iterator[KnowledgeBase]:
    """A copy of the base, to be changed."""
    shutil.copyfile(base_file, tmp_path / "names.kb")
    with KnowledgeBase.open(tmp_path / "names.kb") as opened:
        yield opened


def given(examples: list[LinkExample]) -> tuple[list[str], list[list[Mention]]]:
    """Texts and their labelled mentions."""
    mentions = [[Mention(*m.place, m.mention, 1.0) for m in e.mentions] for e in examples]
    return [e.text for e in examples], mentions


LONG = "。".join(e.text for e in DEV[:9])


def long_mentions() -> list[Mention]:
    """Those of a text of many windows, one at its beginning and one at its end."""
    first, last = DEV[0].mentions[0], DEV[8].mentions[0]
    at = len(LONG) - len(DEV[8].text) + last.start
    return [
        Mention(*first.place, first.mention, 1.0),
        Mention(at, at + len(last.mention), last.mention, 1.0),
    ]


def test_it_learns_which_namesake_is_meant(learned: Path, kb: KnowledgeBase) -> None:
    figures = choice_figures(load_entities(learned), kb, corpus(NAMES[30:], 60, 3))
    assert figures["first"] < 0.75 and figures["accuracy"] > 0.9
    folder = ModelFolder(learned)
    assert folder.manifest.task == "entities" and folder.metrics()["dev"]["accuracy"] > 0.9
    card = (learned / "README.md").read_text("utf-8")
    assert "--entities model --kb BASE" in card and "| dev | 40 |" in card


def test_answers_say_what_was_chosen_and_what_else(learned: Path, kb: KnowledgeBase) -> None:
    model = quern.load(learned)
    assert isinstance(model, EntityModel)
    name = NAMES[40]
    text = f"昨天{name}今年涨水了。"
    ((link, nil),) = model.link(
        [text], [[Mention(2, 4, name, 0.7), Mention(0, 2, "昨天", 0.6)]], kb
    )
    assert (link.id, link.text, link.score) == (f"r-{name}", name, 0.7)
    assert {choice.id for choice in link.choices} == {f"r-{name}", f"p-{name}"}
    assert link.choices[0].score == link.link_score > link.choices[1].score
    assert nil.id is None and nil.choices == ()
    assert model.link([], [], kb) == [] and model.link([""], [[]], kb) == [[]]
    with pytest.raises(TextError, match="one string was given"):
        model.link(text, [[]], kb)
    with pytest.raises(TextError, match="does not stand at 1–3"):
        model.link([text], [[Mention(1, 3, name, 1.0)]], kb)


def test_alone_is_as_in_a_batch(learned: Path, kb: KnowledgeBase) -> None:
    model = load_entities(learned)
    texts, mentions = given(DEV)
    texts, mentions = [*texts, LONG], [*mentions, long_mentions()]
    together = model.link(texts, mentions, kb)
    alone = [model.link([t], [m], kb)[0] for t, m in zip(texts, mentions, strict=True)]
    assert alone == together, "to the last bit"
    assert model.link(texts[::-1], mentions[::-1], kb) == together[::-1]
    singly = [model.link([LONG], [[m]], kb)[0][0].id for m in long_mentions()]
    assert singly == [link.id for link in together[-1]] and None not in singly


def test_the_order_of_candidates_does_not_matter(learned: Path, kb: KnowledgeBase) -> None:
    model = load_entities(learned)
    texts, mentions = given(DEV)
    places = [[(m.start, m.end) for m in of_text] for of_text in mentions]
    options = model.background.options(model.candidates(kb), texts, places)
    turned = [[Options(o.proposals[::-1], o.scalars[::-1]) for o in each] for each in options]
    some = list(model.weigh(texts, places, kb, options))
    assert some == list(model.weigh(texts, places, kb, turned))
    assert all(0 <= sum(c.score for c in choices) <= 1 + 1e-9 for (choices,) in some)


def test_what_is_kept_in_the_base_changes_no_answer(learned: Path, kb: KnowledgeBase) -> None:
    model = load_entities(learned)
    texts, mentions = given(DEV)
    assert model.identity is not None
    once = model.link(texts, mentions, kb)
    wanted = {e.id: e for e in kb}
    assert model.keep(kb, wanted) == len(wanted)
    assert model.link(texts, mentions, kb) == once, "read from the base"
    model.identity = None
    assert model.link(texts, mentions, kb) == once, "made anew"


def test_an_edit_counts_at_once(learned: Path, kb: KnowledgeBase) -> None:
    model, name = load_entities(learned), NAMES[41]
    text, mentions = f"{name}今年涨水了。", [Mention(0, 2, name, 1.0)]
    ((before,),) = model.link([text], [mentions], kb)
    assert before.id == f"r-{name}"
    painter, river = (kb.entities([id_])[id_] for id_ in (f"p-{name}", f"r-{name}"))
    for one, other in ((painter, river), (river, painter)):
        changed = msgspec.structs.replace(one, description=other.description, types=other.types)
        kb.replace(changed)
    ((after,),) = model.link([text], [mentions], kb)
    assert after.id == f"p-{name}"
    kb.add(Entity("new", "某新人", (), river.description, river.types))
    ((found,),) = model.link(["某新人今年涨水了。"], [[Mention(0, 3, "某新人", 1.0)]], kb)
    assert found.choices[0].id == "new"
    kb.remove("new")
    ((gone,),) = model.link(["某新人今年涨水了。"], [[Mention(0, 3, "某新人", 1.0)]], kb)
    assert "new" not in {choice.id for choice in gone.choices}


def test_a_base_that_cannot_be_written_to_will_do(learned: Path, kb: KnowledgeBase) -> None:
    class Closed:
        """A base in which nothing is kept."""

        def __getattr__(self, name: str) -> object:
            return getattr(kb, name)

        def encodings(self, model: str, wanted: object) -> dict[str, bytes]:
            return {}

        def keep_encodings(self, model: str, rows: object) -> None:
            return None

    model = load_entities(learned)
    texts, mentions = given(DEV[:8])
    assert model.link(texts, mentions, Closed()) == model.link(texts, mentions, kb)  # type: ignore[arg-type]
    assert model.keep(Closed(), {"p": next(iter(kb))}) == 0  # type: ignore[arg-type]


def test_a_linker_links_what_it_finds(learned: Path, kb: KnowledgeBase) -> None:
    class Finds:
        """Finds names of two signs at the beginning."""

        def __call__(self, texts: list[str], min_score: float = 0.0) -> list[list[Mention]]:
            return [[Mention(0, 2, text[:2], 0.5)] for text in texts]

    name = NAMES[42]
    linker = Linker(Finds(), load_entities(learned), kb)
    ((link,),) = linker([f"{name}在城里办了画展。"])
    assert link.id == f"p-{name}" and link.score == 0.5


def test_a_training_goes_on_as_if_never_stopped(base_file: Path, tmp_path: Path) -> None:
    some = plan(epochs=2, fine_epochs=0)
    with KnowledgeBase.open(base_file) as kb:
        whole = EntityFit(TRAIN[:60], DEV[:20], kb, some).run(tmp_path / "whole")
        journey = EntityFit(TRAIN[:60], DEV[:20], kb, some)
        checkpoint = journey.checkpoint(tmp_path / "parts")
        for fact in journey.training.run(checkpoint):
            if fact.epoch == 1:
                break  # the first epoch is saved once the second has begun
        rest = EntityFit(TRAIN[:60], DEV[:20], kb, some)
        metrics = rest.run(tmp_path / "parts", resume=True)
    assert checkpoint.exists is False and len(metrics["epochs"]) == 2
    weights = [(tmp_path / of / "weights.safetensors").read_bytes() for of in ("whole", "parts")]
    assert weights[0] == weights[1] and metrics["dev"] == whole["dev"]


def test_an_encoder_to_start_from_stays_as_it_is(
    learned: Path, base_file: Path, tmp_path: Path
) -> None:
    of_grams = "net.encoder.embedding.gram.weight"
    before = load_file(learned / "weights.safetensors")
    few = plan(epochs=1, fine_epochs=0)
    with KnowledgeBase.open(base_file) as kb:
        EntityFit(TRAIN[:30], DEV[:10], kb, few, start=Start(learned)).run(tmp_path / "more")
        after = load_file(tmp_path / "more" / "weights.safetensors")
        assert (before[of_grams] == after[of_grams]).all()
        assert (before["net.states.weight"] != after["net.states.weight"]).any()
        moves = msgspec.structs.replace(few, fitting=EntityFitting(frozen=False))
        fit = EntityFit(TRAIN[:30], DEV[:10], kb, moves, start=Start(learned))
    assert all(p.requires_grad for p in fit.training.trainer.net.parameters())


def test_wrong_candidates_are_drawn_and_the_right_one_stays(base_file: Path) -> None:
    many = [Entity(f"x-{n}", "甲乙", (), f"第{n}个。") for n in range(9)]
    example = LinkExample("甲乙来了。", (LabelledMention("甲乙", 0, "x-7"),), line=1)
    with KnowledgeBase.open(base_file.with_name("many.kb"), create=True) as kb:
        kb.load(many)
        few = EntityPlan(
            settings=SMALL, fitting=EntityFitting(wrong=3), rules=RULES, schedule=plan().schedule
        )
        items = EntityFit([example], [example], kb, few).training.items
    assert [len(q.entities) for q in items.questions] == [9]  # type: ignore[attr-defined]
    batches = [items.collate([0], [seed]) for seed in range(9)]  # type: ignore[attr-defined]
    for batch in batches:
        assert len(batch["row"]) == 4 and batch["scalars"].shape == (4, SCALARS)
        target = int(batch["target"][0])
        assert 1 <= target <= 4 and batch["odds"][target - 1] == 0
        assert np.allclose(np.delete(batch["odds"].numpy(), target - 1), np.log(8 / 3))
    drawn = {tuple(batch["described.units"].flatten().tolist()) for batch in batches}
    assert len(drawn) > 1, "others at each step"


def test_what_cannot_be_trained_is_said(base_file: Path, tmp_path: Path) -> None:
    with KnowledgeBase.open(base_file) as kb:
        lost = LinkExample("甲乙来了。", (LabelledMention("丙丁", 0, "p"),), line=7)
        with pytest.raises(DataError, match=r"line 7: '丙丁' .* does not stand"):
            EntityFit([*TRAIN, lost], DEV, kb, plan())
        with pytest.raises(DataError, match="needs mentions in both"):
            EntityFit(TRAIN, [LinkExample("雨。", ())], kb, plan())
    unknown = pytest.raises(DataError, match="has no candidate for any labelled mention")
    with KnowledgeBase.open(tmp_path / "empty.kb", create=True) as empty, unknown:
        EntityFit(TRAIN, DEV, empty, plan())


def test_a_mixed_folder_is_refused(learned: Path, tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="one of 'triples' is wanted; it chooses entities"):
        load(learned)
    with pytest.raises(FolderError, match="one of 'links' is wanted; it chooses entities"):
        load_links(learned)
    mixed = tmp_path / "mixed"
    shutil.copytree(learned, mixed)
    (mixed / "frequencies.bin").write_bytes(b"0" * 10)
    with pytest.raises(FolderError, match=r"frequencies\.bin: has SHA-256"):
        load_entities(mixed)
    (mixed / "frequencies.bin").unlink()
    with pytest.raises(FolderError, match="cannot be read"):
        load_entities(mixed)


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="must be at least 1"):
        EntitySettings(described=0)
    with pytest.raises(ValueError, match="at least 1 candidate"):
        EntityFitting(wrong=0)
    assert CandidateSettings().candidates == 16


def test_training_says_where_the_articles_prior_leaves_out_candidates(kb: KnowledgeBase) -> None:
    told = "prior_share leaves out candidates of"
    prior = CandidateSettings(prior_share=0.5, prior_count=1)
    for settings, said in ((CandidateSettings(), False), (prior, True)):
        narrow = msgspec.structs.replace(plan(), candidates=settings)
        notes = EntityTraining(TRAIN, DEV, narrow, kb).notes
        assert any(note.startswith(told) for note in notes) == said
