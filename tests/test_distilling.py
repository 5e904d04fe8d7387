"""Distilling: soft targets on disk and in batches, and students that learn from a teacher."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

import quern
from corpus import corpus
from nasty import texts as nasty_texts
from quern.alignment import Label, UnitSpan, align, in_window
from quern.errors import DataError, FolderError, TrainingError
from quern.folder import ModelFolder, write_json
from quern.records import LabelledTriple, TripleExample
from quern.text import CodecRules, Encoding, TextCodec, Vocabulary, Window
from quern.train import soft
from quern.train.distilling import Distilling, DistillingPlan, Texts
from quern.train.fit import Start, fit
from quern.train.loop import Schedule
from quern.train.soft_items import SoftItems
from quern.train.triple_items import TripleItems
from quern.train.triple_training import Plan
from quern.train.word_vectors import WordVectors
from quern.triples import (
    SPAN,
    Scores,
    Thresholds,
    TripleFitting,
    TripleModel,
    TripleSettings,
    decode_subjects,
    object_targets,
    span_targets,
    sparse,
    sparse_spans,
    subject_targets,
)

TRAIN, DEV, MORE = corpus(300), corpus(40, seed=1), corpus(300, seed=2)
RULES = CodecRules(min_count=1, buckets=512, window=40, overlap=20)
CODEC = TextCodec.fit((example.text for example in TRAIN), RULES)
LABELS = sorted({Label.of(t) for e in TRAIN for t in e.triples}, key=lambda k: k.sort_key)


def plan(**schedule: object) -> DistillingPlan:
    """A plan that trains in seconds."""
    given = {"epochs": 2, "batch_size": 32, "rate": 4e-3, "precision": "fp32", "threads": 1}
    return DistillingPlan(
        settings=TripleSettings(dim=24, gram_dim=8, dilations=(1, 2), heads=2, head_dim=8),
        fitting=TripleFitting(augment=0.3),
        schedule=Schedule(**(given | schedule)),  # type: ignore[arg-type]
        rules=RULES,
    )


class Told(TripleModel):
    """A teacher that says of every window what it is told to say."""

    chunk = 3

    def __init__(self, codec: TextCodec, reading: int | None = None, spans: bool = False) -> None:
        self.codec, self.labels, self.reading = codec, tuple(LABELS), reading
        self.thresholds = Thresholds(span=SPAN) if spans else Thresholds()
        self.read = 0

    def of(self, encoding: Encoding, window: Window) -> Scores:
        """What to say."""
        raise NotImplementedError

    def scores(
        self, encodings: Sequence[Encoding], candidates: Sequence[Thresholds]
    ) -> Iterable[tuple[int, Window, Scores]]:
        """As a model does, in an order of its own."""
        for i, encoding in reversed(list(enumerate(encodings))):
            self.read += 1
            for window in self.windows(encoding):
                yield i, window, self.of(encoding, window)


class Gold(Told):
    """A teacher that knows the labels and doubts nothing."""

    def of(self, encoding: Encoding, window: Window) -> Scores:
        """The labels, as certain probabilities."""
        example = next(e for e in [*TRAIN, *MORE] if e.text == encoding.text)
        triples = in_window(align(example, encoding, self.codec)[0], window)
        length, index = window.stop - window.first, {label: k for k, label in enumerate(LABELS)}
        marks, spans = subject_targets(triples, length), {}
        if self.thresholds.span is not UNSET:
            spans = sparse_spans(span_targets(triples, length), self.thresholds)
        asked = {}
        for subject in decode_subjects(marks, self.thresholds, spans):
            objects = object_targets(triples, subject, index, length)
            asked[subject] = sparse(objects, self.thresholds)
        return Scores(marks, asked, spans)


def items_of(
    path: Path,
    teacher: TripleModel,
    examples: Sequence[TripleExample],
    raw: Sequence[str] = (),
    trust: float = 0.5,
) -> SoftItems:
    """Items with everything that a teacher says of them."""
    spans = teacher.thresholds.span is not UNSET
    items = SoftItems(
        examples, CODEC, teacher.labels, teacher.reading, TripleFitting(), trust, spans
    )
    texts = [*(example.text for example in examples), *raw]
    items.listen(soft.build(path, "test", texts, teacher, lambda texts: None))
    return items


def likely_pairs(length: int) -> Iterator[UnitSpan]:
    return ((a, b) for a, b in product(range(length), repeat=2) if a <= b < a + 4)


# -- the laws of targets -------------------------------------------------------------


@pytest.mark.parametrize(("trust", "spans"), [(0.0, False), (0.3, True), (1.0, False)])
def test_soft_targets_of_a_hard_teacher_are_the_hard_targets(
    tmp_path: Path, trust: float, spans: bool
) -> None:
    examples = TRAIN[:30]
    gold = Gold(CODEC, spans=spans)
    hard = TripleItems(examples, CODEC, LABELS, TripleFitting(), spans)
    labelled = items_of(tmp_path / "a", gold, examples, trust=trust)
    raw = items_of(tmp_path / "b", gold, [], [e.text for e in examples], trust=trust)
    assert len(hard) == len(labelled) == len(raw) > 30  # some have two windows
    for i, item in enumerate(hard.items):
        length = item.window.stop - item.window.first
        arrays = hard.codec.arrays([(item.encoding, item.window)], 40)
        for items in (labelled, raw):
            mine = items._item(i)
            for name, array in items.codec.arrays([(mine.encoding, mine.window)], 40).items():
                assert (array == arrays[name]).all()
            for subject in likely_pairs(length):
                wanted = hard._targets(item, subject, 40)
                found = items._targets(mine, subject, 40)
                assert found.keys() == wanted.keys()
                assert all(np.array_equal(found[name], wanted[name]) for name in wanted)
    assert ("spans" in wanted) == spans


def test_a_hard_teachers_subjects_are_drawn_as_labelled_ones(tmp_path: Path) -> None:
    example = next(e for e in TRAIN if len({t.subject for t in e.triples}) == 2)
    hard = TripleItems([example], CODEC, LABELS, TripleFitting())
    raw = items_of(tmp_path / "soft", Gold(CODEC), [], [example.text])
    draws = [
        Counter(items._subject(items._item(0), np.random.default_rng(n)) for n in range(2000))
        for items in (hard, raw)
    ]
    assert draws[0].keys() == draws[1].keys()
    assert len(draws[0]) == 3  # both subjects, and a pair of two ends that do not belong together
    for pair, count in draws[0].items():
        assert abs(count - draws[1][pair]) < 150


class Doubtful(Told):
    """A teacher that says the same of every window: two subjects, one of them asked about."""

    def of(self, encoding: Encoding, window: Window) -> Scores:
        """Two starts, one end, one object."""
        marks = np.zeros((8, 2), dtype=np.float32)
        marks[[0, 1, 2], [0, 0, 1]] = 0.6, 0.2, 0.8
        return Scores(marks, {(0, 2): ([(3, 1, 0.7)], [(3, 1, 0.9)])})


def test_labels_and_teacher_are_mixed_by_how_complete_the_labels_are(tmp_path: Path) -> None:
    replace = msgspec.structs.replace
    first = LabelledTriple("王伟", LABELS[0].predicate, "云州")
    whole = TripleExample("王伟是云州人。", (first,), line=1)
    partly = replace(whole, complete=False, line=2)
    asked = replace(whole, predicates=(first.predicate,), line=3)
    items = items_of(tmp_path, Doubtful(CODEC), [whole, partly, asked], ["云州多雨。"], trust=0.25)
    marks = {}
    for i, name in enumerate(["whole", "partly", "asked", "raw"]):
        item = items._item(i)
        targets = items._targets(item, (0, 1), 8)  # labelled; the teacher was not asked
        marks[name] = targets["subjects"]
        assert targets["absent"] == 1
        assert targets["objects"][3, 0, 0] == (name != "raw")
        if name == "asked":
            assert targets["absent_objects"][1:].sum() == 0  # nobody looked, nobody was asked
        targets = items._targets(item, (0, 2), 8)  # not labelled; the teacher was asked
        assert (targets["absent_objects"] == 1).all()
        weight = 0.75 if name == "whole" else 1.0
        assert targets["objects"][3, 1].tolist() == pytest.approx(
            [0.7 * weight, 0.9 * weight], 1e-3
        )
    told = np.zeros((8, 2))
    told[[0, 1, 2], [0, 0, 1]] = 0.6, 0.2, 0.8
    np.testing.assert_allclose(marks["raw"], told, atol=1e-3)
    told[[0, 1], [0, 1]] = 1  # what is labelled is so
    np.testing.assert_allclose(marks["partly"], told, atol=1e-3)
    assert np.array_equal(marks["partly"], marks["asked"])
    wanted = [0.25 + 0.75 * 0.6, 0.75 * 0.2, 0.25, 0.75 * 0.8]
    found = marks["whole"][[0, 1, 1, 2], [0, 0, 1, 1]]
    np.testing.assert_allclose(found, wanted, atol=1e-3)
    assert items.lines([0, 1, 2, 3]) == [1, 2, 3, 4]
    assert items.raw == (1, 0)


def test_subjects_are_drawn_in_proportion(tmp_path: Path) -> None:
    items = items_of(tmp_path, Doubtful(CODEC), [], ["云州多雨。"])
    item = items._item(0)
    drawn = Counter(items._subject(item, np.random.default_rng(n)) for n in range(2000))
    assert drawn.keys() == {(0, 2), (1, 2)}
    assert abs(drawn[0, 2] - 1500) < 80


def test_where_the_teacher_sees_nothing_any_span_is_drawn(tmp_path: Path) -> None:
    class Silent(Told):
        def of(self, encoding: Encoding, window: Window) -> Scores:
            marks = np.zeros((window.stop - window.first, 2), dtype=np.float32)
            marks[3, 0], marks[1, 1] = 0.9, 0.9  # no end after the start
            return Scores(marks, {})

    items = items_of(tmp_path, Silent(CODEC), [], ["云州多雨。"])
    batches = [items.collate([0], [0, 0, n]) for n in range(50)]
    assert len({(int(b["start"]), int(b["end"])) for b in batches}) > 5
    assert not any(b["objects"].any() for b in batches)
    assert all((b["absent_objects"] == 1).all() for b in batches)
    assert items.raw == (0, 1)


# -- the store -----------------------------------------------------------------------

_P = st.floats(0, 1, width=16).filter(lambda p: p >= soft.FLOOR or p == 0)


@st.composite
def scores(draw: st.DrawFn, length: int) -> Scores:
    """Anything that a teacher could say of a window."""
    marks = draw(st.lists(st.tuples(_P, _P), min_size=length, max_size=length))
    unit = st.integers(0, length - 1)
    hit = st.tuples(unit, st.integers(0, 60), _P)
    spans = st.dictionaries(st.tuples(unit, unit), st.tuples(*2 * [st.lists(hit, max_size=3)]))
    objects = draw(spans) if length else {}
    told = draw(st.dictionaries(st.tuples(unit, unit), _P)) if length else {}
    return Scores(np.array(marks, dtype=np.float32).reshape(length, 2), objects, told)


class Stopped(Exception):
    """Stands for Ctrl-C."""


class StopAfter:
    """Bears so many calls."""

    def __init__(self, left: int) -> None:
        self.left = left

    def __call__(self, _: object) -> None:
        self.left -= 1
        if self.left < 0:
            raise Stopped


@settings(max_examples=20, deadline=None)
@given(data=st.data(), given_texts=st.lists(nasty_texts(), min_size=1, max_size=7))
def test_what_is_written_is_read_again_also_by_a_reader_that_was_stopped(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, given_texts: list[str]
) -> None:
    path = tmp_path_factory.mktemp("soft")
    said: dict[tuple[str, Window], Scores] = {}

    class Anything(Told):
        def of(self, encoding: Encoding, window: Window) -> Scores:
            key = encoding.text, window
            if key not in said:
                said[key] = data.draw(scores(window.stop - window.first))
            return said[key]

    codec = TextCodec(Vocabulary(()), CodecRules(window=4, overlap=1))
    teacher = Anything(codec, reading=3)
    stop_after = data.draw(st.integers(0, len(given_texts)))

    def until_stopped() -> Iterator[str]:
        yield from given_texts[:stop_after]
        raise Stopped

    with pytest.raises(Stopped):
        soft.build(path / "s", "same", until_stopped(), teacher, lambda texts: None)
    with pytest.raises(TrainingError, match="has not read all texts yet"):
        soft.SoftTargets(path / "s")
    teacher.read, counts = 0, []
    stored = soft.build(path / "s", "same", given_texts, teacher, counts.append)
    assert teacher.read == len(given_texts) - stop_after // teacher.chunk * teacher.chunk
    assert sum(counts) == len(given_texts)
    wanted = [
        (i, encoding, window)
        for i, encoding in enumerate(map(codec.encode, given_texts))
        for window in teacher.windows(encoding)
    ]
    assert len(stored) == len(wanted)
    assert stored.texts.tolist() == [i for i, _, _ in wanted]
    assert stored.lengths.tolist() == [w.stop - w.first for _, _, w in wanted]
    told = {i for i, encoding, window in wanted if said[encoding.text, window].objects}
    for first in (0, 1):
        every = {i for i, _, _ in wanted if i >= first}
        for block in (1, 2, 100):  # windows of a text may fall into two blocks
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(soft, "_BLOCK", block)
                assert stored.told(first) == (len(told & every), len(every - told))
    for found, (_, encoding, window) in zip(stored, wanted, strict=True):
        told = said[encoding.text, window]
        one = soft.soften(encoding, window, told)
        assert found[:3] == one[:3]
        assert found.marks.tolist() == one.marks.tolist()
        assert found.spans.tolist() == one.spans.tolist()
        assert {k: v.tolist() for k, v in found.objects.items()} == {
            k: v.tolist() for k, v in one.objects.items()
        }
        assert np.array_equal(soft.dense(found.marks, len(told.subjects), 2), told.subjects)
        # A window's own slice is cut and numbered as the window is.
        again = codec.encode(found.text)
        assert again.length == found.before + found.units
        whole = encoding.features[window.first : window.stop]
        assert np.array_equal(again.features[found.before :], whole)


def test_a_span_is_no_more_probable_than_that_its_ends_begin_and_end_something() -> None:
    encoding = CODEC.encode("Ada owns the mill and the lake.")
    marks = np.zeros((encoding.length, 2), dtype=np.float32)
    marks[0] = 0.75, 0.5
    objects = {(0, 0): ([(3, 1, 0.25)], [(4, 1, 0.875)])}
    told = {(0, 0): 0.875, (0, 4): 0.5, (3, 4): 0.5, (3, 3): 0.125, (5, 6): 1.0, (0, 6): 1.0}
    scores = Scores(marks, objects, told)
    found = soft.soften(encoding, Window(0, encoding.length), scores).spans
    # (0, 0) as sure as its end; units 3 and 4 begin and end an object of it, 5 and 6 nothing.
    assert {(a, b): p for a, b, p in found.tolist()} == {(0, 0): 0.5, (0, 4): 0.5, (3, 4): 0.25}


def test_another_source_is_read_anew_and_a_whole_one_is_not(tmp_path: Path) -> None:
    teacher = Doubtful(CODEC)
    for source, read in (("a", 2), ("a", 2), ("b", 4)):
        soft.build(tmp_path / "s", source, ["云州多雨。", "今天雨。"], teacher, lambda texts: None)
        assert teacher.read == read


# -- a teacher and its student -------------------------------------------------------


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has learned the made-up corpus."""
    out = tmp_path_factory.mktemp("teacher") / "model"
    made = plan(epochs=14, fine_epochs=1)
    fit(TRAIN, out, DEV, Plan(**{k: getattr(made, k) for k in Plan.__struct_fields__}))
    return out


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts without labels; some of them are dev texts."""
    path = tmp_path_factory.mktemp("raw") / "more.txt"
    texts = [example.text for example in [*MORE, *DEV]]
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return path


def hashes(folder: Path) -> dict[str, bytes]:
    """All that a training decides."""
    names = ["quern.json", "codec.json", "encoder.onnx", "objects.onnx", "weights.safetensors"]
    return {name: (folder / name).read_bytes() for name in names}


def test_a_student_learns_from_texts_without_labels(
    teacher: Path, raw: Path, tmp_path: Path
) -> None:
    distilling = Distilling(teacher, Texts(raw=[raw], dev=DEV), plan(epochs=14, fine_epochs=1))
    count = sum(example.text not in {dev.text for dev in DEV} for example in MORE)
    assert (distilling.raw.count, distilling.raw.left_out) == (count, 340 - count)
    metrics = distilling.run(tmp_path / "student")
    told, untold = distilling.items.raw
    assert told + untold == count
    assert 0 < untold < told
    assert metrics["dev"]["f1"] > 0.75
    assert metrics["teacher"] == quern_score(teacher)
    folder = ModelFolder(tmp_path / "student")
    assert folder.manifest.taught is not None
    assert (folder.manifest.taught.labelled, folder.manifest.taught.raw) == (0, count)
    assert folder.manifest.data is None
    assert folder.manifest.labels == ModelFolder(teacher).manifest.labels
    assert folder.manifest.reading == ModelFolder(teacher).manifest.reading
    assert folder.codec.fingerprint != ModelFolder(teacher).codec.fingerprint
    card = (tmp_path / "student/README.md").read_text(encoding="utf-8")
    assert (
        f"Distilled: it learned from what a teacher (SHA-256 `{folder.manifest.taught.teacher}`) "
        f"says of 0 labelled lines and {count} texts without labels."
    ) in card
    assert "| teacher | " in card
    text = "王伟出生于云州,后来加入星海公司"
    (triples,) = quern.load(tmp_path / "student")([text])
    assert ("王伟", "出生地", "云州") in {triple.key for triple in triples}
    assert not (tmp_path / "student.training").exists()


def quern_score(path: Path) -> dict[str, float]:
    """The dev figures of a folder."""
    figures: dict[str, float] = ModelFolder(path).metrics()["dev"]
    return figures


@pytest.mark.slow
def test_a_stopped_distilling_goes_on_as_if_it_had_not_been(
    teacher: Path, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TripleModel, "chunk", 128)
    texts = Texts(TRAIN[:100], [raw], DEV)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    Distilling(teacher, texts, plan(epochs=1)).run(whole)

    first = Distilling(teacher, texts, plan(epochs=1))
    with pytest.raises(Stopped):
        first.read(parts, advance=StopAfter(2))  # of 0, 128 and 256 texts
    counts: list[int] = []
    first.read(parts, advance=counts.append)
    total = 100 + first.raw.count
    assert counts == [256, total - 256]
    with pytest.raises(Stopped):
        first.run(parts, report=StopAfter(len(first.items) // 32 + 3))
    second = Distilling(teacher, texts, plan(epochs=1))
    assert second.checkpoint(parts).exists
    with pytest.raises(TrainingError, match="an unfinished training; go on with --resume"):
        second.run(parts)
    identity = second._identity
    second._identity = {**identity, "raw": "another"}
    with pytest.raises(TrainingError, match="belongs to another training: its raw is"):
        second.run(parts, resume=True)
    second._identity = identity
    second.run(parts, resume=True)
    assert hashes(parts) == hashes(whole)
    assert not (tmp_path / "parts.training").exists()


def test_labelled_and_raw_texts_are_learned_from_together(tmp_path: Path) -> None:
    items = items_of(tmp_path, Gold(CODEC), TRAIN[:20], [e.text for e in MORE[:20]])
    every = [items._item(i) for i in range(len(items))]
    lengths = items.lengths(np.arange(len(items)))
    assert lengths.tolist() == [item.window.stop - item.window.first for item in every]
    order = items.order(8, 0, 0)
    assert sorted(i for batch in order for i in batch) == list(range(len(items)))
    batch = items.collate(range(len(items)), [0, 0, 0])
    assert {name: len(array) for name, array in batch.items()} == dict.fromkeys(
        [
            *("units", "shapes", "grams", "start", "end"),
            *("subjects", "objects", "absent", "absent_objects"),
        ],
        len(items),
    )
    # An end that was replaced makes a text that no teacher has read.
    items.fitting = TripleFitting(augment=0.5)
    item = next(item for item in every if item.triples)
    new = [items._augmented(item, np.random.default_rng(n)) for n in range(50)]
    assert {(other is item, other.soft is None) for other in new} == {(True, False), (False, True)}


def test_a_student_may_read_words_and_know_facts_that_its_teacher_does_not(
    teacher: Path, raw: Path, tmp_path: Path
) -> None:
    vectors = tmp_path / "words.safetensors"
    WordVectors.of(("公司", "出生"), np.eye(2, 8, dtype=np.float32)).save(vectors)
    facts = [LabelledTriple(e.triples[0].subject, "父亲", "王伟") for e in MORE if e.triples]
    start = Start(vectors=vectors, facts=facts)
    distilling = Distilling(teacher, Texts(raw=[raw], dev=DEV), plan(), start=start)
    distilling.read(tmp_path / "m")
    assert distilling.training.priors is not None
    assert distilling.checkpoint(tmp_path / "m").identity["vectors"] == (
        WordVectors.load(vectors).identity
    )
    batch = distilling.items.collate(range(200), [0, 0, 0])
    assert set(batch["words"].unique().tolist()) == {0, 1, 2}
    assert batch["known"].shape == batch["subjects"].shape
    losses = distilling.items.loss(distilling.training.net, batch)
    assert all(torch.isfinite(loss) for loss in losses.values())


# -- what is refused -----------------------------------------------------------------


def test_what_cannot_be_distilled_is_refused(teacher: Path, raw: Path, tmp_path: Path) -> None:
    def said(texts: Texts, plan: DistillingPlan, teacher: Path = teacher) -> str:
        with pytest.raises((DataError, FolderError)) as refused:
            Distilling(teacher, texts, plan)
        return str(refused.value)

    replace = msgspec.structs.replace
    assert said(Texts(dev=DEV), plan()) == (
        "no texts to learn from: give labelled lines, raw texts, or both"
    )
    assert said(Texts(raw=[raw]), plan()) == (
        "labelled lines are needed to choose by; give dev data"
    )
    missing = tmp_path / "none.txt"
    assert said(Texts(raw=[missing], dev=DEV), plan()).startswith(f"{missing}: cannot be read: ")
    strange = TripleExample("王伟养猫", (LabelledTriple("王伟", "宠物", "猫"),))
    assert said(Texts([*TRAIN, strange], [raw], DEV), plan()) == (
        "the teacher knows nothing of 1 label(s) of the labelled lines: 宠物; train it on them "
        "first, or leave them out"
    )
    lost = TripleExample("云州下雨", (LabelledTriple("云州", "出生地", "北方"),), line=7)
    assert said(Texts([lost], [raw], DEV), plan()).endswith("--allow absent")
    other = replace(plan(), rules=CodecRules(window=64, overlap=20))
    assert said(Texts(TRAIN, [raw], DEV), other).startswith(
        "the teacher reads windows of 40 units that overlap by 20, the student windows of 64 that "
        "overlap by 20; pass --set window=40 --set overlap=20"
    )
    other = replace(plan(), fitting=TripleFitting(reading=17))
    assert "leave out reading=17" in said(Texts(TRAIN, [raw], DEV), other)
    nearest = shutil.copytree(teacher, tmp_path / "nearest")
    manifest = ModelFolder(teacher).manifest
    thresholds = {name: at for name, at in manifest.thresholds.items() if name != "span"}
    write_json(nearest / "quern.json", replace(manifest, thresholds=thresholds))
    assert said(Texts(TRAIN, [raw], DEV), plan(), nearest).startswith(
        "the teacher pairs starts with the nearest ends and tells no spans"
    )
    other = replace(plan(), settings=replace(plan().settings, priors=True))
    assert said(Texts((), [raw], DEV), other) == (
        "priors=true takes triples from labelled lines or facts; give some, or leave it out"
    )
    encoder = tmp_path / "encoder"
    shutil.copytree(teacher, encoder)
    manifest = replace(ModelFolder(teacher).manifest, task="encoder")
    write_json(encoder / "quern.json", manifest)
    assert said(Texts(TRAIN, [raw], DEV), plan(), encoder) == (
        f"{encoder}: an encoder to start trainings from (--init), not a model that reads"
    )


def test_other_units_than_the_teachers_are_refused(tmp_path: Path) -> None:
    texts = ["云州多雨。", "今天雨。"]
    items = items_of(tmp_path / "a", Doubtful(CODEC), [], texts)
    with pytest.raises(TrainingError, match="has not read the texts yet"):
        SoftItems([], CODEC, LABELS, None, TripleFitting(), 0.5).collate([0], [0])
    windows = np.memmap(tmp_path / "a/windows.bin", dtype=soft._WINDOW, mode="r+")
    windows["units"][1] += 1
    windows.flush()
    with pytest.raises(TrainingError, match="read '今天雨。' in other units or windows than"):
        items.collate([0, 1], [0])
    labelled = [TripleExample("云州多雨。今天雨。", ())]
    with pytest.raises(TrainingError, match="read the labelled texts in other units or windows"):
        items_of(tmp_path / "a", Doubtful(CODEC), labelled)


# -- from the command line -----------------------------------------------------------


def test_from_the_command_line(teacher: Path, raw: Path, tmp_path: Path) -> None:
    def lines(path: Path, examples: list[TripleExample]) -> str:
        rows = [{"text": e.text, "triples": [list(t.key) for t in e.triples]} for e in examples]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return str(path)

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "quern.cli", "distill", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    train, dev = lines(tmp_path / "train.jsonl", TRAIN[:50]), lines(tmp_path / "dev.jsonl", DEV)
    small = ["dim=16", "gram_dim=8", "dilations=[1]", "epochs=1", "fine_epochs=0", "window=40"]
    settings = [word for key in [*small, "overlap=20", "threads=1"] for word in ("--set", key)]
    words = [*("--train", train, "--raw", str(raw), "--raw", train, "--dev", dev), *settings]
    words += ["--out", str(tmp_path / "m"), "--preset", "fast"]
    done = call(str(teacher), *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    known = {example.text for example in [*TRAIN[:50], *DEV]}
    count = sum(example.text not in known for example in MORE)
    left_out = 300 + 40 + 50 - count
    assert f"{left_out} raw texts are labelled or dev texts, and are left out" in done.stderr
    assert f" of {count} raw texts; the others teach that nothing is there" in done.stderr
    assert "epoch 1 (full rate): loss subjects " in done.stderr
    assert f"wrote {tmp_path / 'm'}: dev F1 " in done.stderr
    assert "its teacher: dev F1 " in done.stderr
    manifest = ModelFolder(tmp_path / "m").manifest
    assert manifest.taught is not None
    assert (manifest.taught.labelled, manifest.taught.raw) == (50, count)
    assert manifest.data is not None
    again = call(str(teacher), *words)
    assert again.returncode == 1
    assert "exists already; choose another name or pass --overwrite" in again.stderr
    wrong = call(str(teacher), *words, "--overwrite", "--set", "trust=2")
    assert wrong.stderr == "quern: --set: trust must lie between 0 and 1\n"
