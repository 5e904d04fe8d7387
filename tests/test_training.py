"""Training: exact resumption, same seed same bytes, loud stops, folders that work."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import msgspec
import numpy as np

import quern
from corpus import corpus
from quern.errors import DataError, FolderError, TrainingError
from quern.records import LabelledSpan, LabelledTriple, TripleExample
from quern.text import CodecRules
from quern.train.fit import Fit, fit, split_by_hash
from quern.train.int8 import write_int8
from quern.train.loop import Epoch, Schedule
from quern.train.triple_training import Plan, TripleTraining
from quern.triples import TripleFitting, TripleSettings

TRAIN, DEV = corpus(300), corpus(40, seed=1)


def plan(**schedule: object) -> Plan:
    """A plan that trains in seconds."""
    given = {"epochs": 2, "batch_size": 32, "rate": 4e-3, "precision": "fp32", "threads": 1}
    return Plan(
        settings=TripleSettings(dim=24, gram_dim=8, dilations=(1, 2), heads=2, head_dim=8),
        fitting=TripleFitting(augment=0.3),
        schedule=Schedule(**(given | schedule)),  # type: ignore[arg-type]
        rules=CodecRules(min_count=1, buckets=512, window=40, overlap=20),
    )


def hashes(folder: Path) -> dict[str, str]:
    """Hashes of all that a training decides (``metrics.json`` holds seconds, too)."""
    names = ["quern.json", "codec.json", "encoder.onnx", "objects.onnx", "weights.safetensors"]
    return {n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in names}


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has learned the made-up corpus well."""
    out = tmp_path_factory.mktemp("learned") / "model"
    fit(TRAIN, out, DEV, plan(epochs=14))
    return out


def test_a_model_learns_and_its_folder_reads_texts(learned: Path) -> None:
    metrics = msgspec.json.decode((learned / "metrics.json").read_bytes())
    assert metrics["dev"]["f1"] > 0.8
    text = "王伟出生于云州,后来加入星海公司"
    (triples,) = quern.load(learned)([text])
    assert {t.key for t in triples} == {("王伟", "出生地", "云州"), ("王伟", "任职", "星海公司")}
    for triple in triples:
        for span in (triple.subject, triple.object):
            assert text[span.start : span.end] == span.text
        assert 0 < triple.score <= 1
    for graph in learned.glob("*.onnx"):
        assert str(Path(__file__).parent.parent).encode() not in graph.read_bytes()
    assert {p.name for p in learned.iterdir()} == {
        "quern.json", "codec.json", "encoder.onnx", "objects.onnx", "weights.safetensors",
        "metrics.json", "README.md", "curves.png",
    }  # fmt: skip


def test_alone_in_a_batch_and_shuffled_are_the_same(learned: Path) -> None:
    model = quern.load(learned)
    texts = [example.text for example in DEV] + ["", " ", "x", "王伟" * 400]
    together = model(texts)
    assert [model([text])[0] for text in texts] == together
    assert model(texts[::-1]) == together[::-1]


def test_a_long_text_is_read_to_its_end(learned: Path) -> None:
    fact = "王伟的父亲是李芳。"
    filler = "昨天北陵下了一场大雨。" * 60
    (triples,) = quern.load(learned)([filler + fact])
    assert ("王伟", "父亲", "李芳") in {t.key for t in triples}
    assert all(t.subject.start >= len(filler) for t in triples if t.predicate == "父亲")


def test_int8_reads_the_same_and_alone_as_in_a_batch(learned: Path, tmp_path: Path) -> None:
    metrics = write_int8(learned, tmp_path / "int8", DEV)
    assert abs(metrics["dev"]["f1"] - metrics["fp32"]["f1"]) < 0.05
    model = quern.load(tmp_path / "int8")
    texts = [example.text for example in DEV]
    assert [model([text])[0] for text in texts] == model(texts)
    assert (tmp_path / "int8/encoder.onnx").stat().st_size < (
        learned / "encoder.onnx"
    ).stat().st_size
    with pytest.raises(FolderError, match="is in int8; export the fp32 folder"):
        write_int8(tmp_path / "int8", tmp_path / "again", DEV)


def test_same_seed_same_bytes_other_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        fit(TRAIN, tmp_path / name, DEV, plan(seed=seed))
    a, b, c = (hashes(tmp_path / name) for name in "abc")
    assert a == b
    assert a["weights.safetensors"] != c["weights.safetensors"]


@pytest.mark.parametrize("facts", [3, 9, 18])
def test_a_stopped_training_goes_on_as_if_it_had_not_been(tmp_path: Path, facts: int) -> None:
    class Stopped(Exception):
        pass

    def stop(_: object) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise Stopped

    whole, parts = tmp_path / "whole", tmp_path / "parts"
    fit(TRAIN, whole, DEV, plan())
    left = facts
    with pytest.raises(Stopped):
        Fit(TRAIN, DEV, plan()).run(parts, report=stop)
    assert not parts.exists()
    if Fit(TRAIN, DEV, plan()).checkpoint(parts).exists:
        with pytest.raises(TrainingError, match="an unfinished training; go on with --resume"):
            fit(TRAIN, parts, DEV, plan())
    fit(TRAIN, parts, DEV, plan(), resume=True)
    assert hashes(parts) == hashes(whole)
    assert not (tmp_path / "parts.training").exists()


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    journey = Fit(TRAIN, DEV, plan())
    run = journey.training.run(journey.checkpoint(tmp_path / "m"))
    while not isinstance(next(run), Epoch):
        pass
    next(run)
    with pytest.raises(TrainingError, match="belongs to another training: its plan is"):
        fit(TRAIN, tmp_path / "m", DEV, plan(rate=1e-3), resume=True)


def test_what_is_not_finite_stops_with_names_and_lines(tmp_path: Path) -> None:
    training = TripleTraining(TRAIN, DEV, plan())
    with torch.no_grad():
        training.net.encoder.embedding.unit.weight.fill_(float("nan"))
    with pytest.raises(TrainingError) as stopped:
        list(training.run())
    message = str(stopped.value)
    assert message.startswith(
        "not finite in epoch 0: loss 'subjects', loss 'objects', loss 'spans', gradient of"
    )
    assert "; first in the output of 'encoder.embedding.unit'; the batch holds lines " in message


def test_lost_labels_are_refused_unless_allowed(tmp_path: Path) -> None:
    lost = TripleExample("云州下雨", (LabelledTriple("云州", "位于", "北方"),), line=7)
    with pytest.raises(DataError) as refused:
        Fit([*TRAIN, lost], DEV, plan())
    assert str(refused.value) == (
        "1 label(s) would be lost:\n"
        "  line 7: '北方' (位于) does not stand in the text\n"
        "  in all: 1 absent\n"
        "Mend them (quern check triples names every one), or go on without them: --allow absent"
    )
    assert Fit([*TRAIN, lost], DEV, plan(), allow=["absent"]).training.problems


def test_nothing_to_learn_is_an_error() -> None:
    with pytest.raises(DataError, match="training needs triples in both"):
        TripleTraining([TripleExample("x", ())], DEV, plan())


def test_held_out_texts_stay_together() -> None:
    train, held = split_by_hash(TRAIN * 2)
    assert not {e.text for e in train} & {e.text for e in held}
    assert 0 < len(held) < len(train)
    assert split_by_hash(TRAIN)[1] == held[: len(held) // 2]


def test_what_was_not_looked_for_weighs_nothing() -> None:
    replace = msgspec.structs.replace
    first, second, third = TRAIN[:3]
    examples = [
        replace(first, complete=False),
        replace(second, triples=(), predicates=("父亲", "任职")),
        third,
        *TRAIN[3:],
    ]
    training = TripleTraining(examples, DEV, plan())
    labels = [label.predicate for label in training.labels]
    batch = training.items.collate([0, 1, 2], [0, 0, 0])
    assert batch["absent"].tolist() == pytest.approx([0.3, 0.3, 1.0])
    sought = [1.0 if name in ("父亲", "任职") else 0.0 for name in labels]
    assert batch["absent_objects"].tolist() == [
        pytest.approx([0.3] * len(labels)),
        pytest.approx(sought),
        pytest.approx([1.0] * len(labels)),
    ]
    unsought = sought.index(0.0)
    batch["objects"].zero_()
    training.net.eval()
    training.items.loss(training.net, batch)["objects"].backward()
    before = training.net.objects.out.weight.grad.clone()
    assert before[:, 2 * unsought].any()  # the other lines still teach it
    alone = {name: tensor[1:2] for name, tensor in batch.items()}
    training.net.zero_grad()
    training.items.loss(training.net, alone)["objects"].backward()
    assert not training.net.objects.out.weight.grad[:, 2 * unsought].any()


def test_augmented_items_stay_true() -> None:
    """After an end was replaced, every triple's ends still are what some label says."""
    training = TripleTraining(TRAIN, DEV, plan())
    items = training.items
    known = {text for texts in items._ends.values() for text in texts}
    changed = 0
    for n, item in enumerate(items.items * 3):
        new = items._augmented(item, np.random.default_rng(n))
        changed += new.encoding.text != item.encoding.text
        assert len(new.triples) == len(item.triples)
        for before, after in zip(item.triples, new.triples, strict=True):
            assert before.label == after.label
            for a, b in (after.subject, after.object):
                first = new.window.first
                assert items.codec.span(new.encoding, first + a, first + b).text in known
    assert changed > 20


def test_labelled_entities_teach_the_encoder() -> None:
    def with_entities(example: TripleExample) -> TripleExample:
        names = {t.subject for t in example.triples}
        spans = [LabelledSpan(n, example.text.index(n), "name") for n in sorted(names)]
        return msgspec.structs.replace(example, entities=tuple(spans))

    odd = TripleExample("Norden1", (), entities=(LabelledSpan("王", 0, "name"),), line=9)
    still = msgspec.structs.replace(plan(), fitting=TripleFitting())
    training = TripleTraining([odd, *map(with_entities, TRAIN)], DEV, still)
    lines = [(p.line, p.lost) for p in training.problems if p.kind == "entity"]
    assert lines == [(9, False)]
    at, item = next((i, item) for i, item in enumerate(training.items.items) if item.entities)
    batch = training.items.collate([0, at], [0, 0, 0])
    assert batch["named"].tolist() == [0.0, 1.0]
    for side in (0, 1):
        marked = batch["entities"][1, :, 0, side].nonzero().flatten().tolist()
        assert marked == sorted(entity.span[side] for entity in item.entities)
    terms = training.items.loss(training.net, batch)
    assert set(terms) == {"subjects", "objects", "spans", "entities"}
    terms["entities"].backward()
    assert training.net.encoder.embedding.unit.weight.grad.abs().sum() > 0
