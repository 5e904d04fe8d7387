"""A mention model from labels to answers: what it is told, what it learns, the folder it leaves."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")


import msgspec
import numpy as np

import quern
from benchmarks.sets import joined_links
from quern.errors import DataError, FolderError
from quern.evaluation.mentions import score_mentions
from quern.folder import ModelFolder
from quern.kb import KnowledgeBase
from quern.links import Dictionary, LinkFitting, LinkSettings, MentionModel
from quern.records import Entity, LabelledMention, LinkExample, Mention
from quern.runtime import Graph
from quern.tasks import load, load_links
from quern.text import CodecRules, TextCodec
from quern.train.encoders import Pretrained
from quern.train.fit import Start
from quern.train.link_fit import LinkFit
from quern.train.link_items import LinkItems
from quern.train.link_training import LinkPlan, export_mentions
from quern.train.links import MentionGraph, MentionNet
from quern.train.loop import Schedule
from quern.train.word_vectors import WordVectors

SMALL = LinkSettings(dim=16, gram_dim=8, dilations=(1, 2), heads=2, head_dim=8)
RULES = CodecRules(min_count=1, buckets=64, window=40, overlap=20)
_SIGNS = "甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉戌亥"
_FRAMES = ("我看了《{}》三遍。", "昨天{}来了,带着书。", "听说{}病了。", "下雨了,没有谁来。")


def corpus(count: int, seed: int) -> list[LinkExample]:
    """Sentences in which names of two signs are labelled where they are said to act."""
    rng = random.Random(seed)
    some = []
    for line in range(1, count + 1):
        name, frame = "".join(rng.sample(_SIGNS, 2)), rng.choice(_FRAMES)
        at = frame.find("{}")
        labels = () if at < 0 else (LabelledMention(name, at, rng.choice([None, "Q1"])),)
        some.append(LinkExample(frame.format(name), labels, line=line))
    return some


TRAIN, DEV = corpus(240, 1), corpus(60, 2)


def plan(settings: LinkSettings = SMALL, **schedule: object) -> LinkPlan:
    """A plan that trains in seconds."""
    given = {"epochs": 4, "fine_epochs": 1, "batch_size": 16, "rate": 1e-2}
    given |= {"precision": "fp32", "threads": 1}
    return LinkPlan(
        settings=settings,
        schedule=Schedule(**(given | schedule)),  # type: ignore[arg-type]
        rules=RULES,
    )


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that was trained from labels."""
    out = tmp_path_factory.mktemp("links") / "model"
    LinkFit(TRAIN, DEV, plan()).run(out)
    return out


def test_it_learns_to_find_names_that_it_never_saw(learned: Path) -> None:
    counts = score_mentions(load_links(learned), corpus(60, 3))
    assert counts.f1 > 0.9
    folder = ModelFolder(learned)
    assert folder.manifest.task == "links" and folder.metrics()["dev"]["f1"] > 0.9
    assert "quern link --model model notes.txt" in (learned / "README.md").read_text("utf-8")


def test_answers_point_into_the_callers_string(learned: Path) -> None:
    model = quern.load(learned)
    assert isinstance(model, MentionModel)
    text = "昨天甲丑来了,带着书。 "
    (mentions,) = model([text])
    assert [m.text for m in mentions] == ["甲丑"]
    assert all(text[m.start : m.end] == m.text and 0 < m.score <= 1 for m in mentions)
    assert model(["", " "]) == [[], []]
    assert model([text], min_score=1.01) == [[]]


def test_a_model_of_short_texts_reads_long_ones_bit_by_bit(learned: Path) -> None:
    codec = TextCodec.fit([e.text for e in TRAIN], RULES)
    assert LinkItems(TRAIN, codec, LinkFitting(), True, None).reading == 32
    assert LinkItems(TRAIN, codec, LinkFitting(reading=7), True, None).reading == 7
    long = [LinkExample("雨" * 50, (), line=1)]
    assert LinkItems([*TRAIN, *long * 2], codec, LinkFitting(), True, None).reading is None
    assert ModelFolder(learned).manifest.reading == 32
    score = score_mentions(load_links(learned), joined_links(DEV)).f1
    assert score > score_mentions(load_links(learned), DEV).f1 - 0.02


def test_alone_is_as_in_a_batch(learned: Path) -> None:
    model = load_links(learned)
    texts = [e.text for e in DEV[:20]] + ["。".join(e.text for e in DEV[:9])]
    together: list[list[Mention]] = model(texts)
    assert [model([text])[0] for text in texts] == together
    assert len(together[-1]) >= 4, "windows of a long text are all read"


@pytest.mark.parametrize("pairing", ["nearest", "spans"])
@pytest.mark.parametrize("only", [False, True])
def test_the_graph_says_what_torch_says_and_nothing_in_the_padding(
    pairing: str, only: bool
) -> None:
    settings = msgspec.structs.replace(SMALL, pairing=pairing, names_gate=only)
    codec = TextCodec.fit([e.text for e in TRAIN], RULES)
    torch.manual_seed(0)
    net = MentionNet(settings, codec)
    graph = export_mentions(net, codec)  # parity is checked there
    weights = {f"net.{name}": p.detach().numpy() for name, p in net.named_parameters()}
    items = LinkItems(TRAIN[:4], codec, LinkFitting(), pairing == "spans", Dictionary.learn(TRAIN))
    batch = items.collate(range(4), [0])
    names = {"units", "shapes", "grams", "names"}
    inputs = {name: array.numpy() for name, array in batch.items() if name in names}
    outputs = Graph(graph.refill(weights))(inputs)
    assert set(outputs) == ({"mentions", "spans"} if pairing == "spans" else {"mentions"})
    padding = inputs["units"] == 0
    assert (outputs["mentions"][padding] == 0).all()
    if only:
        ends = inputs["names"][..., 5:7]
        assert (outputs["mentions"][ends == 0] < 1e-6).all()
    with torch.no_grad():
        told = MentionGraph(net.eval())({name: batch[name] for name in inputs})
    first = told[0] if isinstance(told, tuple) else told
    np.testing.assert_allclose(first.numpy(), outputs["mentions"], atol=2e-4)


def test_in_training_a_text_is_not_told_its_own_label() -> None:
    codec = TextCodec.fit([e.text for e in TRAIN], RULES)
    once = LinkExample("听说甲乙病了。", (LabelledMention("甲乙", 2, None),))
    names = Dictionary.learn([once, LinkExample("丙丁。", (LabelledMention("丙丁", 0, "Q1"),))])
    items = LinkItems([once], codec, LinkFitting(), True, names)
    assert not items.collate([0], [0])["names"].any()
    again = Dictionary.learn([once, msgspec.structs.replace(once, text="听说甲乙好了。")])
    told = LinkItems([once], codec, LinkFitting(), True, again).collate([0], [0])["names"]
    assert told[0, 2:4, 0].tolist() == [1, 1]
    assert told[0, 2, 3] == pytest.approx(0.75)  # one of one, besides half a place for luck


def test_a_training_goes_on_as_if_never_stopped(tmp_path: Path) -> None:
    some = plan(epochs=2, fine_epochs=0)
    whole = LinkFit(TRAIN[:60], DEV[:20], some).run(tmp_path / "whole")
    journey = LinkFit(TRAIN[:60], DEV[:20], some)
    checkpoint = journey.checkpoint(tmp_path / "parts")
    for fact in journey.training.run(checkpoint):
        if fact.epoch == 1:
            break  # the first epoch is saved once the second has begun
    rest = LinkFit(TRAIN[:60], DEV[:20], some)
    metrics = rest.run(tmp_path / "parts", resume=True)
    assert checkpoint.exists is False and len(metrics["epochs"]) == 2
    weights = [(tmp_path / of / "weights.safetensors").read_bytes() for of in ("whole", "parts")]
    assert weights[0] == weights[1] and metrics["dev"] == whole["dev"]


def test_a_knowledge_base_names_what_is_looked_up(tmp_path: Path) -> None:
    names = sorted({m.mention for e in [*TRAIN, *DEV[::2]] for m in e.mentions})
    with KnowledgeBase.open(tmp_path / "kb.sqlite", create=True) as kb:
        kb.load(Entity(f"Q{i}", name) for i, name in enumerate(names))
        out = tmp_path / "model"
        few = plan(msgspec.structs.replace(SMALL, names_gate=True), fine_epochs=0)
        LinkFit(TRAIN, DEV, few, kb=kb).run(out)
        assert ModelFolder(out).manifest.settings["names"] == "base"
        with pytest.raises(FolderError, match="looks up the names of a knowledge base; give one"):
            quern.load(out)
        model = quern.load(out, kb=kb)
        text = "听说甲丑病了。"
        assert "甲丑" not in names and model([text]) == [[]], "the gate keeps other names out"
        kb.add(Entity("Q999", "甲丑"))
        assert [m.text for m in model([text])[0]] == ["甲丑"], "until the base has them"


def test_an_encoder_can_be_started_from(learned: Path, tmp_path: Path) -> None:
    few = plan(epochs=1, fine_epochs=0)
    journey = LinkFit(TRAIN[:60], DEV[:20], few, start=Start(learned))
    journey.run(tmp_path / "model")
    started = ModelFolder(tmp_path / "model").manifest.started
    assert started is not None and started == Pretrained(learned).started
    codec = ModelFolder(learned).codec
    assert set(codec.vocabulary) <= set(journey.training.codec.vocabulary)  # type: ignore[attr-defined]


def test_word_vectors_are_read_and_kept(tmp_path: Path) -> None:
    drawn = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    WordVectors.of(("昨天", "听说", "甲丑"), drawn).save(tmp_path / "words")
    vectors = WordVectors.load(tmp_path / "words")
    out = tmp_path / "model"
    few = plan(epochs=1, fine_epochs=0)
    LinkFit(TRAIN[:60], DEV[:20], few, start=Start(vectors=tmp_path / "words")).run(out)
    folder = ModelFolder(out)
    assert folder.manifest.vectors == vectors.identity
    assert len(folder.codec.words) == 3 and len(load_links(out)([e.text for e in DEV])) == 60


def test_what_cannot_be_trained_is_refused(learned: Path, tmp_path: Path) -> None:
    bare = [LinkExample("雨。", ())]
    with pytest.raises(DataError, match="training needs mentions in both"):
        LinkFit(TRAIN, bare, plan())
    lost = LinkExample("雨雪。", (LabelledMention("雪", 0, None),), line=3)
    with pytest.raises(DataError) as error:
        LinkFit([*TRAIN, lost], DEV, plan())
    assert "line 3: '雪' (NIL) does not stand in the text at character 0" in str(error.value)
    assert "Mend them (quern check links names every one)" in str(error.value)
    with pytest.raises(DataError, match="facts are known triples; a training of links has no use"):
        LinkFit(TRAIN, DEV, plan(), start=Start(facts=[]))
    with pytest.raises(DataError, match="names=base wants a knowledge base"):
        LinkFit(TRAIN, DEV, plan(msgspec.structs.replace(SMALL, names="base")))


def test_folders_are_not_mixed_up(learned: Path, tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="does the task 'links', and one of 'triples' is wanted"):
        load(learned)
    with pytest.raises(FolderError, match="'links' is wanted; it reads facts: quern extract"):
        load_links(quern.shipped.find("zh-triples"))  # type: ignore[attr-defined]
    broken = tmp_path / "broken"
    shutil.copytree(learned, broken)
    (broken / "names.json").write_bytes(b"{}")
    with pytest.raises(FolderError, match=r"names\.json: has SHA-256"):
        load_links(broken)
