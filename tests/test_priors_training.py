"""A network with priors: what it is told, what it learns from it, and the folder it leaves."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import msgspec
import numpy as np

import quern
from corpus import corpus
from quern.alignment import Label
from quern.ensemble import write_ensemble, write_union
from quern.errors import FolderError
from quern.folder import ModelFolder, fingerprint, write_json
from quern.priors import Priors, known_objects, known_subjects
from quern.records import LabelledTriple, TripleExample
from quern.text import CodecRules, TextCodec
from quern.train.fit import Fit, Start
from quern.train.int8 import write_int8
from quern.train.loop import Schedule
from quern.train.triple_items import TripleItems
from quern.train.triple_training import Plan
from quern.triples import TripleFitting, TripleSettings

PREDICATES = ["友", "敌"]


SMALL = TripleSettings(dim=16, gram_dim=8, dilations=(1,), heads=2, head_dim=8, priors=True)


def plan(**schedule: object) -> Plan:
    """A plan that trains in seconds."""
    given = {"epochs": 1, "batch_size": 32, "rate": 1e-2, "precision": "fp32", "threads": 1}
    return Plan(
        settings=SMALL,
        schedule=Schedule(**(given | schedule)),  # type: ignore[arg-type]
        rules=CodecRules(min_count=1, buckets=64, window=40, overlap=20),
    )


_FRAMES = ("{}与{}。", "昨日{}见了{}。", "{}谈起{}来。")
_SIGNS = "甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉戌亥天地玄黄宇宙洪荒日月盈昃"


def riddles(count: int, seed: int) -> list[TripleExample]:
    """Sentences that name two and do not say how the two stand to each other."""
    rng = random.Random(seed)
    some = []
    for line in range(1, count + 1):
        a, b = rng.sample(_SIGNS, 2), rng.sample(_SIGNS, 2)
        fact = LabelledTriple("".join(a), rng.choice(PREDICATES), "".join(b))
        text = rng.choice(_FRAMES).format(fact.subject, fact.object)
        some.append(TripleExample(text, (fact,), line=line))
    return some


def told(examples: list[TripleExample]) -> list[LabelledTriple]:
    return [triple for example in examples for triple in example.triples]


TRAIN, DEV = riddles(600, 0), riddles(60, 1)
FACTS = told(TRAIN) + told(DEV)


@pytest.fixture(scope="module")
def journey() -> Fit:
    """A training that is told what holds, in train and in dev."""
    return Fit(TRAIN, DEV, plan(epochs=10, fine_epochs=0), start=Start(facts=FACTS))


@pytest.fixture(scope="module")
def learned(journey: Fit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What came of it."""
    out = tmp_path_factory.mktemp("learned") / "model"
    journey.run(out)
    return out


def test_a_network_learns_to_use_what_is_known(learned: Path) -> None:
    # The texts alone leave the choice between two predicates to chance.
    assert msgspec.json.decode((learned / "metrics.json").read_bytes())["dev"]["f1"] > 0.9
    model = quern.load(learned)
    assert model.priors is not None
    found = model([example.text for example in DEV])
    model.priors = Priors.learn([], model.labels)
    assert model([example.text for example in DEV]) != found


def test_alone_in_a_batch_and_shuffled_are_the_same(learned: Path) -> None:
    model = quern.load(learned)
    texts = [example.text for example in DEV] + ["", "x", "".join(e.text for e in DEV)]
    together = model(texts)
    assert [model([text])[0] for text in texts] == together
    assert model(texts[::-1]) == together[::-1]


def test_int8_carries_the_priors_along(learned: Path, tmp_path: Path) -> None:
    metrics = write_int8(learned, tmp_path / "int8", DEV)
    assert metrics["dev"]["f1"] > metrics["fp32"]["f1"] - 0.05
    priors = (learned / "priors.json").read_bytes()
    assert (tmp_path / "int8/priors.json").read_bytes() == priors
    model = quern.load(tmp_path / "int8")
    texts = [example.text for example in DEV]
    assert [model([text])[0] for text in texts] == model(texts)


def test_the_card_and_info_say_how_much_is_known(learned: Path) -> None:
    count = len(Priors.read((learned / "priors.json").read_bytes()))
    assert count == len(set(map(str, FACTS)))
    assert f"It carries {count:,} known triples" in (learned / "README.md").read_text("utf-8")
    command = [sys.executable, "-m", "quern.cli", "info", str(learned), "--format", "json"]
    said = subprocess.run(command, capture_output=True, check=True).stdout
    assert json.loads(said)["known_triples"] == count


def test_a_batch_tells_what_other_texts_state_and_no_more() -> None:
    once = [example for example in corpus(50) if example.triples]
    again = [
        TripleExample(f"{t.subject}, {t.object}!", (t,)) for e in once[::3] for t in e.triples[:1]
    ]
    examples = once + again
    codec = TextCodec.fit((e.text for e in examples), CodecRules(min_count=1))
    labels = sorted({Label.of(t) for e in examples for t in e.triples}, key=lambda k: k.sort_key)
    priors = Priors.learn(examples, labels)
    items = TripleItems(examples, codec, labels, TripleFitting(augment=0.5), priors=priors)
    rng = np.random.default_rng([7])
    read = [items._augmented(item, rng) for item in items.items]
    batch = items.collate(range(len(read)), [7])
    length = batch["units"].shape[1]
    seen = changed = 0
    for row, (item, new) in enumerate(zip(items.items, read, strict=True)):
        others = [e for e in examples if e.text != item.encoding.text]
        [known] = Priors.learn(others, labels).find(new.encoding, [new.window])
        [wanted] = known_subjects([known], length).tolist()
        assert batch["known"][row].tolist() == wanted
        subject = int(batch["start"][row]), int(batch["end"][row])
        [wanted] = known_objects([(known, subject)], len(labels), length).tolist()
        assert batch["known_objects"][row].tolist() == wanted
        seen += bool(known)
        changed += new is not item
    assert seen > 3
    assert changed > 3


def test_a_training_is_told_apart_by_what_it_knows(journey: Fit, learned: Path) -> None:
    identity = journey.checkpoint(learned).identity
    assert identity["priors"] == ModelFolder(learned).manifest.priors
    other = Priors.learn(TRAIN, journey.training.labels, FACTS[1:]).payload()
    assert identity["priors"] != fingerprint(other)


def knowing(source: Path, out: Path, priors: Priors | None) -> Path:
    """A copy of a model folder that knows other triples."""
    shutil.copytree(source, out)
    payload = None if priors is None else priors.payload()
    (out / "priors.json").write_bytes(payload or b"")
    known = None if payload is None else fingerprint(payload)
    manifest = msgspec.structs.replace(ModelFolder(source).manifest, priors=known)
    write_json(out / "quern.json", manifest)
    return out


def test_an_ensemble_knows_what_any_of_its_members_knows(learned: Path, tmp_path: Path) -> None:
    labels = quern.load(learned).labels
    halves = [Priors.learn([], labels, FACTS[n::2]) for n in (0, 1)]
    one, two = (knowing(learned, tmp_path / str(n), half) for n, half in enumerate(halves))
    write_ensemble([one, two], tmp_path / "both", DEV)
    both, whole = ModelFolder(tmp_path / "both"), ModelFolder(learned)
    assert both.priors is not None
    assert both.priors.payload() == Priors.learn([], labels, FACTS).payload()
    texts = [example.text for example in DEV]
    mean, alone = quern.load(both.path), quern.load(whole.path)
    mean.calibration = alone.calibration = None
    assert mean(texts) == alone(texts)

    none = knowing(learned, tmp_path / "none", None)
    with pytest.raises(FolderError, match="one has priors and the other has none"):
        write_ensemble([one, none], tmp_path / "odd", DEV)


def test_a_union_is_not_exported(learned: Path, tmp_path: Path) -> None:
    write_union([learned, learned], tmp_path / "both", DEV)
    texts = [example.text for example in DEV]
    keys = [[t.strict_key for t in found] for found in quern.load(learned)(texts)]
    joint = quern.load(tmp_path / "both")(texts)
    assert [[t.strict_key for t in found] for found in joint] == keys
    assert not list((tmp_path / "both").rglob("*.safetensors"))
    with pytest.raises(FolderError, match="a union; export its families, then quern ensemble"):
        write_int8(tmp_path / "both", tmp_path / "int8", DEV)
