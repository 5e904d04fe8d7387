"""A sentence model from groups to vectors: what it learns from, in which order, what it leaves."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import msgspec
import numpy as np

import quern
from quern.data import read_pairs, read_sentences
from quern.errors import DataError, TrainingError
from quern.evaluation.retrieval import evaluate_retrieval
from quern.folder import ModelFolder
from quern.records import SentenceExample
from quern.runtime import Graph
from quern.sentences import SentenceFitting, SentenceModel, SentenceSettings, arrays_of
from quern.tasks import load_sentences
from quern.text import CodecRules, TextCodec
from quern.train.embedding import EmbeddingNet, Pooling
from quern.train.embedding_training import export_embedding
from quern.train.loop import Schedule
from quern.train.sentence_fit import SentenceFit, split_groups
from quern.train.sentence_items import SentenceItems, gathered
from quern.train.sentence_training import SentencePlan, SentenceTraining
from quern.train.settings import sentence_plan
from quern.train.training import named

SMALL = SentenceSettings(
    reading="bag", dim=16, gram_dim=8, dilations=(1, 2), phrases=256, phrase_dim=16, vector_dim=16
)
RULES = CodecRules(min_count=1, buckets=64, window=24, overlap=8)
_ASK = ("请问{}怎么{}", "我想{1}{0}", "{}可以{}吗", "how to {1} the {0}", "{0} {1}")
_THINGS = ("借书证", "门票", "房间", "card", "parcel", "发票")
_DEEDS = ("续期", "退掉", "预订", "renew", "return")


def corpus(seed: int = 0) -> list[SentenceExample]:
    """What one can do with things, each said in five ways; a group of one, too."""
    rng = random.Random(seed)
    some = [
        SentenceExample(frame.format(thing, deed), f"{thing}-{deed}")
        for thing in _THINGS
        for deed in _DEEDS
        for frame in _ASK
    ]
    rng.shuffle(some)
    some.append(SentenceExample("今天下雨", "rain"))
    return [SentenceExample(e.text, e.group, None, i) for i, e in enumerate(some, 1)]


ALL = corpus()
TRAIN, DEV = split_groups(ALL)


def plan(settings: SentenceSettings = SMALL, **of: object) -> SentencePlan:
    """A plan that trains in seconds."""
    fitting = {key: of.pop(key) for key in list(of) if key in SentenceFitting.__struct_fields__}
    schedule = {"epochs": 3, "fine_epochs": 1, "batch_size": 32, "rate": 1e-2, "precision": "fp32"}
    return SentencePlan(
        settings=settings,
        fitting=SentenceFitting(**fitting),
        schedule=Schedule(threads=1, **(schedule | of)),
        rules=RULES,
    )


def items(**fitting: object) -> SentenceItems:
    codec = TextCodec.fit((e.text for e in TRAIN), RULES)
    chosen = SentenceFitting(**{"loss": "am-softmax", **fitting})
    return SentenceItems(TRAIN, codec, SMALL, chosen, 0)


def untrained(settings: SentenceSettings) -> SentenceModel:
    """A model with random weights, through the exported graph (which is checked against torch)."""
    codec = TextCodec.fit((e.text for e in TRAIN), RULES)
    torch.manual_seed(0)
    net = EmbeddingNet(settings, codec)
    graph = export_embedding(net, settings, codec)
    weights = named({name: p.detach() for name, p in net.named_parameters()})
    return SentenceModel(codec, Graph(graph.refill(weights)), settings)


READINGS = [("bag", "mean"), ("conv", "attention"), ("gru", "last"), ("both", "max")]


@pytest.mark.parametrize(("reading", "pooling"), READINGS)
def test_a_text_has_its_vector_whatever_its_company(reading: str, pooling: str) -> None:
    settings = SentenceSettings(
        reading=reading, pooling=pooling, dim=16, gram_dim=8, dilations=(1, 2), phrases=64,
        phrase_dim=8, vector_dim=8,
    )  # fmt: skip
    model = untrained(settings)
    texts = [e.text for e in TRAIN[:40]] + ["", "书", "门票 " * 70]
    together = model(texts)
    assert np.array_equal(together, np.stack([model([text])[0] for text in texts]))
    order = np.random.default_rng(0).permutation(len(texts))
    assert np.array_equal(together[order], model([texts[i] for i in order]))
    lengths = np.linalg.norm(together, axis=1)
    assert lengths == pytest.approx([1] * 40 + [0, 1, 1], abs=1e-5)


def test_a_long_text_is_the_mean_of_its_windows() -> None:
    model = untrained(SMALL)
    text = "门票 退掉 card renew 房间 " * 8
    encoding = model.codec.encode(text)
    windows = model.codec.windows(encoding)
    assert len(windows) > 1
    parts = [text[encoding.starts[w.first] : encoding.ends[w.stop - 1]] for w in windows]
    sizes = np.array([w.stop - w.first for w in windows], dtype=np.float32)
    mean = (model(parts) * sizes[:, None]).sum(axis=0)
    # The first unit of a later window has white space before it, which a part has not.
    assert float(model([text])[0] @ mean / np.linalg.norm(mean)) > 0.99


def test_without_balance_every_sentence_is_read_once() -> None:
    made = items()
    for epoch in range(2):
        read = [i for batch in made.order(16, 0, epoch) for i in batch]
        assert sorted(read) == list(range(len(made)))
    assert list(made.order(16, 0, 0)) == list(made.order(16, 0, 0))
    assert list(made.order(16, 0, 0)) != list(made.order(16, 0, 1))


def test_with_balance_every_group_is_read_alike() -> None:
    made = items(balance=1.0)
    counts = Counter[int]()
    for epoch in range(40):
        counts.update(
            made.groups[[i for batch in made.order(16, 0, epoch) for i in batch]].tolist()
        )
    shares = np.array([counts[g] for g in range(len(made.names))]) / sum(counts.values())
    assert shares == pytest.approx(np.full(len(made.names), 1 / len(made.names)), rel=0.1)


@pytest.mark.parametrize("balance", [0.0, 1.0])
def test_pairs_are_of_one_group_and_leave_nobody_out(balance: float) -> None:
    made = items(loss="contrastive", balance=balance)
    read: set[int] = set()
    for epoch in range(30 if balance else 1):
        for batch in made.order(16, 0, epoch):
            assert len(batch) % 2 == 0
            of = made.groups[batch]
            assert np.array_equal(of[::2], of[1::2])
            sizes = np.bincount(made.groups)
            same = [a for a, b in zip(batch[::2], batch[1::2], strict=True) if a == b]
            assert balance or all(sizes[made.groups[a]] == 1 for a in same)
            read.update(batch)
    assert read == set(range(len(made)))


def test_what_is_alike_is_gathered() -> None:
    groups = np.arange(60)
    near = np.array([[g ^ 1, (g + 30) % 60] for g in groups])
    order = gathered(groups, near, 0.5)
    assert sorted(order.tolist()) == list(range(60))
    together = sum(b in near[a] or a in near[b] for a, b in pairwise(order))
    assert together >= 25
    assert gathered(groups, near, 0.0).tolist() == list(range(60))


def test_a_softmax_runs_over_the_groups_of_the_batch_and_some_others() -> None:
    made = items(classes=5)
    batch = made.collate([0, 1, 2], [0, 0, 1])
    classes, own = batch["classes"], batch["own"]
    assert torch.equal(classes[own], batch["groups"])
    assert classes.tolist() == sorted(set(classes.tolist()))
    others = ~torch.isin(classes, batch["groups"])
    left = len(made.names) - len(set(batch["groups"].tolist()))
    assert batch["offsets"][~others].abs().max() == 0
    # What is there of the others stands for all of them.
    assert float(batch["offsets"][others].exp().sum()) == pytest.approx(left, rel=1e-5)
    whole = items().collate([0, 1, 2], [0, 0, 1])
    assert whole["classes"].tolist() == list(range(len(made.names)))


def test_the_groups_of_a_sample_stand_for_all_groups() -> None:
    """In the mean over samples the denominator of the softmax is that of the whole one."""
    made = items(classes=4)
    count = len(made.names)
    weights = np.exp(np.random.default_rng(0).normal(size=count))  # e to the logit of each group
    found = []
    for seed in range(4000):
        batch = made.collate([0, 1], [0, 0, seed])
        classes, offsets = batch["classes"].numpy(), batch["offsets"].numpy()
        found.append(float((weights[classes] * np.exp(offsets)).sum()))
    spread = float(np.std(found)) / len(found) ** 0.5
    assert spread < 0.02 * weights.sum()
    assert abs(np.mean(found) - weights.sum()) < 4 * spread


POOLINGS = ("mean", "max", "last", "attention")


@pytest.mark.parametrize("pooling", POOLINGS)
def test_padding_takes_no_part_in_a_pooling(pooling: str) -> None:
    torch.manual_seed(0)
    pool = Pooling(6, pooling)
    hidden = torch.randn(3, 5, 6)
    alone = pool(hidden, torch.ones(3, 5, 1))
    filled = torch.cat([hidden, 50 * torch.randn(3, 4, 6)], dim=1)
    mask = torch.cat([torch.ones(3, 5, 1), torch.zeros(3, 4, 1)], dim=1)
    assert torch.allclose(pool(filled, mask), alone, atol=1e-6)
    by_hand = {"mean": hidden.mean(1), "max": hidden.amax(1), "last": hidden[:, -1]}
    assert pooling not in by_hand or torch.allclose(alone, by_hand[pooling])


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("reading", ["conv", "gru", "both"])
def test_every_reading_goes_with_every_pooling(reading: str, pooling: str) -> None:
    """In torch, which the exported graph is held against: padding changes nothing."""
    settings = msgspec.structs.replace(SMALL, reading=reading, pooling=pooling)
    codec = TextCodec.fit((e.text for e in TRAIN), RULES)
    torch.manual_seed(0)
    net = EmbeddingNet(settings, codec).eval()
    encodings = [codec.encode(text) for text in ("请问门票怎么退掉", "renew 书")]
    parts = [(encoding, codec.windows(encoding)[0]) for encoding in encodings]
    with torch.no_grad():
        short, long = (
            net({k: torch.from_numpy(v) for k, v in arrays_of(codec, parts, n, settings).items()})
            for n in (8, 24)
        )
    assert torch.allclose(short, long, atol=1e-5)
    assert not torch.allclose(short[0], short[1], atol=1e-2)


LEARNED = [
    {"loss": "am-softmax", "classes": 8, "center": 0.1},
    {"loss": "contrastive", "hard": 0.5, "scale": 10.0},
]


@pytest.mark.parametrize("of", LEARNED, ids=lambda of: "-".join(of))
def test_a_stopped_training_goes_on_as_if_it_had_not_been(of, tmp_path: Path) -> None:
    whole = SentenceFit(TRAIN, DEV, plan(**of))
    whole.run(tmp_path / "whole")

    class Stop(Exception):
        pass

    def stop(fact: object) -> None:
        if getattr(fact, "epoch", 0) == 2 and not hasattr(fact, "scores"):
            raise Stop

    with pytest.raises(Stop):
        SentenceFit(TRAIN, DEV, plan(**of)).run(tmp_path / "parts", report=stop)
    SentenceFit(TRAIN, DEV, plan(**of)).run(tmp_path / "parts", resume=True)
    one, other = (tmp_path / name / "encode.onnx" for name in ("whole", "parts"))
    assert one.read_bytes() == other.read_bytes()


def test_it_learns_and_the_folder_answers_as_measured(tmp_path: Path) -> None:
    out = tmp_path / "model"
    before = evaluate_retrieval(untrained(SMALL), DEV).mrr
    chosen = plan(loss="contrastive", scale=10.0, epochs=10)
    metrics = SentenceFit(ALL, DEV, chosen).run(out)
    model = quern.load(out)
    assert isinstance(model, SentenceModel)
    after = evaluate_retrieval(model, DEV)
    assert after.mrr == metrics["dev"]["mrr"] > before + 0.1
    assert model.identity == load_sentences(out).identity
    manifest = ModelFolder(out).manifest
    assert (manifest.task, manifest.labels, manifest.thresholds) == ("sentences", [], {})
    card = (out / "README.md").read_text("utf-8")
    assert f"| dev | {after.top['1']:.4f} |" in card
    assert "quern vectors-of --model model sentences.txt" in card


def test_groups_are_held_out_whole_unless_they_are_classes() -> None:
    assert not {e.group for e in TRAIN} & {e.group for e in DEV}
    assert len(TRAIN) + len(DEV) == len(ALL)
    classes = [SentenceExample(f"{name} {i}", name) for name in "ab" for i in range(60)]
    train, dev = split_groups(classes)
    assert {e.group for e in train} == {e.group for e in dev} == {"a", "b"}


def refused(error: type[Exception], call) -> str:
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


def test_what_cannot_be_learned_is_refused() -> None:
    alone = [SentenceExample("一", "a"), SentenceExample("二", "a")]
    assert refused(DataError, lambda: SentenceTraining(alone, DEV, plan())) == (
        "training needs sentences of two groups at least"
    )
    apart = [SentenceExample("一", "a"), SentenceExample("二", "b")]
    assert refused(DataError, lambda: SentenceTraining(TRAIN, apart, plan())) == (
        "choosing needs dev sentences of two groups at least, and a group with two of them"
    )
    blank = [SentenceExample("一", "a"), SentenceExample("二", "a"), SentenceExample(" ", "b")]
    assert refused(DataError, lambda: SentenceTraining(blank, DEV, plan())) == (
        "training needs sentences of two groups at least"
    )
    said = refused(DataError, lambda: sentence_plan("fast", ["loss=triplet", "classes=9"]))
    assert "classes is for losses over groups, and loss=triplet has none" in said
    said = refused(DataError, lambda: sentence_plan("fast", ["loss=softmax", "margin=0.1"]))
    assert "loss=softmax has no margin; loss=am-softmax has one" in said
    said = refused(DataError, lambda: sentence_plan("fast", ["hard=0.5", "loss=am-softmax"]))
    assert "hard is for loss=triplet and loss=contrastive" in said
    said = refused(DataError, lambda: sentence_plan("fast", ["loss=a-softmax", "margin=0.3"]))
    assert "the margin of a-softmax is a whole number from 1 to 4" in said
    for words, why in (
        (["reading=gru", "dim=9"], "dim must be at least 1, and even for reading=gru"),
        (["dim=0"], "dim must be at least 1, and even for reading=gru"),
        (["dropout=1"], "dropout and gate_dropout must be at least 0 and below 1"),
        (["gate_dropout=-0.1"], "dropout and gate_dropout must be at least 0 and below 1"),
        (["unknown=1.5"], "unknown must be between 0 and 1"),
        (["loss=arcface", "margin=4"], "the margin of arcface is an angle in radians"),
        (["scale=0"], "scale must be above 0; classes and center must not be below 0"),
        (["phrases=1"], "vector_dim and phrase_dim must be at least 1, phrases at least 2"),
        (["loss=what"], "Invalid enum value 'what'"),
        (["losses=softmax"], "--set losses=softmax: expected KEY=VALUE with KEY one of: average, "),
    ):
        assert why in refused(DataError, lambda words=words: sentence_plan("fast", words))
    assert "balance must be between 0 and 1" in refused(
        DataError, lambda: sentence_plan("fast", ["balance=2"])
    )


def test_a_bag_has_nothing_that_could_start_from_an_encoder(tmp_path: Path) -> None:
    from quern.train.encoders import Pretrained

    conv = SentenceSettings(reading="conv", dim=16, gram_dim=8, dilations=(1, 2), vector_dim=8)
    SentenceFit(TRAIN, DEV, plan(conv, epochs=1, fine_epochs=0)).run(tmp_path / "conv")
    init = Pretrained(tmp_path / "conv")
    assert refused(DataError, lambda: SentenceTraining(TRAIN, DEV, plan(), init)) == (
        "reading=bag has no convolutions, which --init and --vectors are for; take reading=conv "
        "or reading=both"
    )
    other = SentenceSettings(reading="conv", dim=32, gram_dim=8, dilations=(1, 2))
    said = refused(TrainingError, lambda: SentenceTraining(TRAIN, DEV, plan(other), init))
    assert "pass --set dim=16" in said
    begun = SentenceTraining(TRAIN, DEV, plan(conv), init)
    old = load_sentences(tmp_path / "conv").codec
    assert begun.codec.vocabulary.units == old.vocabulary.units


def test_lines_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text('{"text": "a", "group": 1}\n{"text": " ", "group": "b"}\n{"text": "c"}\n')
    assert refused(DataError, lambda: read_sentences(path)) == (
        f'{path}: 2 line(s) cannot be read:\n  {path}:2: "text" is empty\n'
        f"  {path}:3: Object missing required field `group`\n"
        f"Mend them, or see every one with: quern check sentences {path}"
    )
    path.write_text('{"text": "a", "group": 1, "id": 7}\n')
    assert read_sentences(path) == [SentenceExample("a", "1", "7", 1)]
    path.write_text('{"text": "a", "other": "b", "score": true}\n')
    assert read_pairs(path)[0].score == 1.0
    path.write_text('{"text": "a", "other": "", "score": 1}\n')
    assert f'{path}:1: "other" is empty' in refused(DataError, lambda: read_pairs(path))
