"""Rank models from texts and a catalogue to a folder: what they learn from, what they leave."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import msgspec
import numpy as np

import quern
from quern.data import read_catalogue, read_ranks
from quern.errors import DataError, TextError, TrainingError
from quern.evaluation.ranking import evaluate_ranking, ranks_of, summarise_ranking
from quern.folder import ModelFolder
from quern.ranks import RankFitting, RankModel, RankSettings
from quern.records import Item, RankExample
from quern.tasks import load_ranks
from quern.text import CodecRules, TextCodec
from quern.train import int8, rank_items
from quern.train.loop import Epoch, Schedule, Step, hash_seed
from quern.train.rank_fit import RankFit
from quern.train.rank_items import OF_ITEMS, RankItems
from quern.train.rank_training import RankPlan, RankTraining

SMALL = RankSettings(
    reading="bag", dim=16, gram_dim=8, dilations=(1, 2), phrases=256, phrase_dim=16, vector_dim=16,
    dropout=0.0,
)  # fmt: skip
RULES = CodecRules(min_count=1, buckets=64, window=24, overlap=8)
_THINGS = ("sparrow", "tram", "violin", "bread", "chess", "tulip", "kettle", "ferry")
_SAID = ("who saw a {} today", "the {} is late again", "a {} for my sister", "{} and nothing else",
         "my {} broke", "tell me of the {}")  # fmt: skip
CATALOGUE = [
    *(Item(f"t{i}", f"about the {thing}", None, i + 1) for i, thing in enumerate(_THINGS)),
    Item("bare", "", None, 9),
    Item("never", "glacier", None, 10),
]
ALL = [
    RankExample(frame.format(thing), (f"t{i}",), (), None, 8 * number + i + 1)
    for number, frame in enumerate(_SAID)
    for i, thing in enumerate(_THINGS)
]
TRAIN, DEV = ALL[:40], ALL[40:]
LOSSES = ("margin", "warp", "softmax")
NEGATIVES = ("uniform", "popularity", "batch", "hard")


def plan(settings: RankSettings = SMALL, **of: object) -> RankPlan:
    """A plan that trains in a second."""
    fitting = {key: of.pop(key) for key in list(of) if key in RankFitting.__struct_fields__}
    schedule = {"epochs": 3, "fine_epochs": 1, "batch_size": 8, "rate": 1e-2, "precision": "fp32"}
    return RankPlan(
        settings=settings,
        fitting=RankFitting(**{"sampled": 4, **fitting}),
        schedule=Schedule(threads=1, **(schedule | of)),
        rules=RULES,
    )


def items(examples: list[RankExample] = TRAIN, **of: object) -> RankItems:
    codec = TextCodec.fit([*(e.text for e in TRAIN), *(i.text for i in CATALOGUE)], RULES)
    settings = msgspec.structs.replace(SMALL, items=of.pop("items", "both"))
    return RankItems(examples, CATALOGUE, codec, settings, RankFitting(**of), 0)


# -- what is drawn ---------------------------------------------------------------------------


def test_every_text_is_read_once_an_epoch() -> None:
    made = items()
    for epoch in range(2):
        read = [i for batch in made.order(8, 0, epoch) for i in batch]
        assert sorted(read) == list(range(len(TRAIN)))
    assert list(made.order(8, 0, 0)) == list(made.order(8, 0, 0)) != list(made.order(8, 0, 1))


def test_right_items_are_never_wrong_and_negatives_always_come() -> None:
    examples = [
        RankExample("one", ("t0", "t1"), ("t7",), None, 1),
        RankExample("two", ("t1",), (), None, 2),
    ]
    made = items(examples, sampled=20)
    for seed in range(20):
        batch = made.collate([0, 1], [seed])
        candidates, wrong = batch["candidates"].tolist(), batch["wrong"]
        assert len(set(candidates)) == len(candidates)
        assert {0, 1} >= {candidates[int(batch["own"][0])]}
        assert candidates[int(batch["own"][1])] == 1
        assert 7 in candidates
        for row, right in enumerate(((0, 1), (1,))):
            for place, number in enumerate(candidates):
                assert bool(wrong[row, place]) is (number not in right)


def test_in_batch_only_the_others_items_are_wrong() -> None:
    batch = items(negatives="batch").collate([0, 1, 2], [0])
    assert sorted(batch["candidates"].tolist()) == [0, 1, 2]


@pytest.mark.parametrize("negatives", ["uniform", "popularity"])
def test_the_drawn_items_stand_for_all(negatives: str) -> None:
    """In the mean over samples the denominator of the softmax is that of the whole one."""
    often = [RankExample("a", ("t0",), (), None, n) for n in range(60)]
    made = items([*TRAIN, *often], negatives=negatives, sampled=4)
    weights = np.exp(np.random.default_rng(0).normal(size=len(CATALOGUE)))
    found = []
    for seed in range(4000):
        batch = made.collate([1, 2], [seed])
        candidates, offsets = batch["candidates"].numpy(), batch["offsets"].numpy()
        found.append(float((weights[candidates] * np.exp(offsets)).sum()))
    spread = float(np.std(found)) / len(found) ** 0.5
    assert spread < 0.02 * weights.sum()
    assert abs(np.mean(found) - weights.sum()) < 4 * spread


def test_what_is_popular_is_drawn_more_often() -> None:
    often = [RankExample("a", ("t0",), (), None, n) for n in range(400)]
    counts = {}
    for kind in ("uniform", "popularity"):
        made = items([*TRAIN, *often], negatives=kind, sampled=2)
        counts[kind] = sum(0 in made.collate([1], [seed])["candidates"] for seed in range(300))
    assert counts["popularity"] > 2 * counts["uniform"]


def test_the_popularity_of_the_catalogue_goes_before_counts() -> None:
    liked = [
        msgspec.structs.replace(item, popularity=500.0 if item.id == "never" else 1.0)
        for item in CATALOGUE
    ]
    codec = TextCodec.fit((e.text for e in TRAIN), RULES)
    made = RankItems(TRAIN, liked, codec, SMALL, RankFitting(negatives="popularity", sampled=2), 0)
    drawn = [made.collate([1], [seed])["candidates"].tolist() for seed in range(100)]
    assert sum(9 in candidates for candidates in drawn) > 90


def test_hard_items_are_the_nearest() -> None:
    training = RankTraining(TRAIN, DEV, CATALOGUE, plan(negatives="hard", sampled=3))
    made = training.items
    assert len(made.collate([0], [0])["candidates"]) <= 4  # before the first epoch at random
    made.order(8, 0, 1)
    training.net.eval()
    part = (made.items[5].encoding, made.items[5].window)
    near = np.argsort(-(training._embed([part]) @ made.vectors().T)[0])[:4]
    assert set(made.collate([5], [0])["candidates"].tolist()) == {*near.tolist(), 5}


def test_an_item_without_a_text_has_none_of_its_own_in_training_either() -> None:
    """As in the folder: what an empty text would be read as is the same for all such items."""
    for reading in ("bag", "wide"):
        settings = msgspec.structs.replace(SMALL, reading=reading, pooling="max")
        training = RankTraining(TRAIN, DEV, CATALOGUE, plan(settings))
        training.net.eval()
        numbers = np.array([3, 8])  # the second one is bare
        batch = training.items._item_arrays(numbers, np.random.default_rng(0))
        arrays = {name: torch.from_numpy(array) for name, array in batch.items()}
        assert all(name.startswith(OF_ITEMS) for name in arrays)
        arrays["candidates"] = torch.from_numpy(numbers)
        with torch.no_grad():
            made = training.items._item_vectors(training.net, arrays).numpy()
        made /= np.linalg.norm(made, axis=1, keepdims=True)
        assert made == pytest.approx(training.items.vectors()[numbers], abs=1e-5)


def test_labels_that_the_catalogue_lacks_are_refused_unless_allowed() -> None:
    lost = RankExample("no such thing", ("t0", "gone"), ("lost",), None, 77)
    with pytest.raises(DataError) as refused:
        RankFit([*TRAIN, lost], DEV, CATALOGUE, plan())
    assert "2 label(s) would be lost:\n  line 77: 'gone' is not in the catalogue" in str(
        refused.value
    )
    assert "--allow unknown" in str(refused.value)
    training = RankFit([*TRAIN, lost], DEV, CATALOGUE, plan(), allow=["unknown"]).training
    assert len(training.problems) == 2
    assert len(training.items) == len(TRAIN) + 1  # it has an item still


# -- training --------------------------------------------------------------------------------


# Every loss, and all kinds of negatives: each export costs a second or more.
LEARNED = [
    *(("margin", "uniform"), ("warp", "popularity"), ("softmax", "batch"), ("margin", "hard")),
    *(("softmax", "uniform"), ("warp", "hard")),
]


@pytest.mark.parametrize(("loss", "negatives"), LEARNED)
def test_every_loss_learns_with_all_negatives(loss: str, negatives: str) -> None:
    assert {of for of, _ in LEARNED} == set(LOSSES)
    assert {of for _, of in LEARNED} == set(NEGATIVES)
    of = {"loss": loss, "negatives": negatives, "epochs": 20, "fine_epochs": 0, "rate": 0.03}
    training = RankTraining(TRAIN, DEV, CATALOGUE, plan(**of))
    epochs = [fact for fact in training.run() if isinstance(fact, Epoch)]
    assert max(epoch.scores["mrr"] for epoch in epochs) > 0.8


@pytest.mark.parametrize(
    ("reading", "made_of"), [("bag", "both"), ("bag", "text"), ("wide", "free"), ("conv", "text")]
)
def test_a_folder_ranks_as_it_was_measured(reading: str, made_of: str, tmp_path: Path) -> None:
    settings = msgspec.structs.replace(SMALL, reading=reading, items=made_of, pooling="max")
    fit = RankFit(TRAIN, DEV, CATALOGUE, plan(settings, epochs=2))
    metrics = fit.run(tmp_path / "m")
    model = load_ranks(tmp_path / "m")
    assert isinstance(quern.load(tmp_path / "m"), RankModel)
    assert model.ids == [item.id for item in CATALOGUE]
    texts = [example.text for example in DEV] + ["", "tram", "kettle " * 60]
    together = model.embedder(texts)
    assert np.array_equal(together, np.stack([model.embedder([text])[0] for text in texts]))
    # The vectors are those that the graph of the folder gives, by the best weights.
    if made_of == "text":
        found = model.embedder([item.text for item in CATALOGUE])
        assert np.allclose(model.vectors, found, atol=1e-5)
        assert not model.vectors[8].any()
    judged = evaluate_ranking(model, DEV)
    assert judged.mrr == pytest.approx(metrics["dev"]["mrr"])
    best = max(epoch["scores"]["mrr"] for epoch in metrics["epochs"])
    assert judged.mrr == pytest.approx(best)


def test_a_stopped_training_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    of = {"negatives": "hard", "loss": "warp"}
    RankFit(TRAIN, DEV, CATALOGUE, plan(**of)).run(tmp_path / "whole")
    stopped = RankFit(TRAIN, DEV, CATALOGUE, plan(**of))
    run = stopped.training.run(stopped.checkpoint(tmp_path / "parts"))
    ended = 0
    while ended < 2:
        ended += isinstance(next(run), Epoch)
    assert isinstance(next(run), Step)
    RankFit(TRAIN, DEV, CATALOGUE, plan(**of)).run(tmp_path / "parts", resume=True)
    for name in ("weights.safetensors", "items.npy", "encode.onnx"):
        one, other = ((tmp_path / of / name).read_bytes() for of in ("whole", "parts"))
        assert one == other
    other = [*CATALOGUE[:-1], Item("never", "iceberg")]
    run = stopped.training.run(stopped.checkpoint(tmp_path / "third"))
    while not isinstance(next(run), Epoch):
        pass
    next(run)
    with pytest.raises(TrainingError, match="belongs to another training: its catalogue is"):
        RankFit(TRAIN, DEV, other, plan(**of)).run(tmp_path / "third", resume=True)


def test_what_cannot_be_learned_is_an_error() -> None:
    with pytest.raises(DataError, match="a catalogue of two items at least"):
        RankTraining(TRAIN, DEV, CATALOGUE[:1], plan())
    with pytest.raises(DataError, match="texts with items of the catalogue"):
        RankTraining(TRAIN, [RankExample("x", ("gone",))], CATALOGUE, plan())
    bare = [msgspec.structs.replace(item, text="") for item in CATALOGUE]
    with pytest.raises(DataError, match="or take --set items=free"):
        RankTraining(TRAIN, DEV, bare, plan())


# -- the numbers that made others' networks NaN ------------------------------------------------


def _plain(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The formula as it stands in books: a·b / (|a| |b|)."""
    return x @ y.T / (x.norm(dim=1, keepdim=True) * y.norm(dim=1))


def _of_zero_rows(monkeypatch: pytest.MonkeyPatch, plain: bool, precision: str) -> RankTraining:
    """A wide convolution with max pooling, free vectors, a margin; rows of 0, as for padding."""
    settings = msgspec.structs.replace(SMALL, reading="wide", pooling="max", items="free")
    if plain:
        monkeypatch.setattr(rank_items, "cosines", _plain)
        monkeypatch.setattr(rank_items, "unit", lambda x: x)
    of = {"loss": "margin", "epochs": 2, "fine_epochs": 0, "sampled": 10}
    training = RankTraining(TRAIN, DEV, CATALOGUE, plan(settings, **of, precision=precision))
    training.items.tables["items"].weight[[0, 3, 8]] = 0
    return training


def test_the_plain_cosine_ends_in_nan_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    training = _of_zero_rows(monkeypatch, plain=True, precision="fp32")
    with pytest.raises(TrainingError) as stopped:
        list(training.run())
    said = str(stopped.value)
    assert said.startswith("not finite in epoch 0: ")
    assert "every layer's output is finite, so it arises in the loss or its gradients" in said
    assert training.trainer.state.averaged < 3  # within the first steps


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_rows_of_zeros_are_trained(monkeypatch: pytest.MonkeyPatch, precision: str) -> None:
    training = _of_zero_rows(monkeypatch, plain=False, precision=precision)
    facts = list(training.run())
    assert len(facts) == 12
    weight = training.items.tables["items"].weight
    assert bool(torch.isfinite(weight).all())
    assert all(bool(torch.isfinite(p).all()) for p in training.net.parameters())
    assert weight[[0, 3, 8]].any(dim=1).all()  # they got a direction


@pytest.mark.parametrize(("loss", "size"), [("margin", 1e-20), ("warp", 1e20), ("softmax", 1e20)])
def test_rows_of_any_length_are_trained(loss: str, size: float) -> None:
    settings = msgspec.structs.replace(SMALL, items="free")
    of = {"loss": loss, "epochs": 1, "fine_epochs": 0}
    training = RankTraining(TRAIN, DEV, CATALOGUE, plan(settings, **of))
    training.items.tables["items"].weight.mul_(size)
    list(training.run())
    assert bool(torch.isfinite(training.items.tables["items"].weight).all())
    assert np.isfinite(training.items.vectors()).all()


# -- the model, and its figures ----------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ranks") / "model"
    RankFit(TRAIN, DEV, CATALOGUE, plan(epochs=6, rate=0.03)).run(path)
    return path


def test_the_best_come_first_alone_or_together(folder: Path) -> None:
    model = load_ranks(folder)
    texts = [e.text for e in DEV]
    together = model(texts, 3)
    assert together == [model([text], 3)[0] for text in texts]
    for found, example in zip(together, DEV, strict=True):
        assert [r.score for r in found] == sorted((r.score for r in found), reverse=True)
        assert len(found) == 3
        assert example.items[0] in [r.id for r in found]
    assert model(["", texts[0]], 1)[0] == []
    assert model([], 3) == []
    assert len(model(texts[:1], 99)[0]) == len(CATALOGUE)  # the bare one has a vector of its own
    with pytest.raises(TextError):
        model("one string")


def test_other_items_are_ranked_by_their_texts(folder: Path) -> None:
    model = load_ranks(folder)
    new = [Item("a", "the violin"), Item("b", "the ferry"), Item("c", "")]
    other = model.with_catalogue(new)
    assert [r.id for r in other(["my violin broke"], 5)[0]] == ["a", "b"]
    assert model.ids == [item.id for item in CATALOGUE]
    assert other.with_catalogue([Item("c", "")])(["my violin broke"], 5) == [[]]
    free = RankModel(model.embedder, model.ids, model.vectors, "free")
    with pytest.raises(DataError, match="train one with items=text or items=both"):
        free.with_catalogue(new)


def test_ranks_by_hand() -> None:
    e = np.eye(4, dtype=np.float32)
    rows = np.stack([e[0], e[1], e[0], np.zeros(4, np.float32)])
    text = np.array([[0.8, 0.6, 0, 0], [0, 0, -1, 0]], np.float32)
    found = ranks_of(text, rows, [[1, 0], [3]])
    # Items 0 and 2 are alike: of equals the wrong one comes first. What has no direction is last.
    assert [ranks.tolist() for ranks in found] == [[3, 2], [4]]
    figures = summarise_ranking(found, 4, 5)
    assert figures.recall == {"1": 0, "5": 1, "10": 1, "20": 1, "50": 1}
    assert figures.mrr == pytest.approx((1 / 2 + 1 / 4) / 2)
    assert figures.mean_rank == 3
    assert (figures.texts, figures.labels, figures.lacking) == (2, 5, 2)


def test_what_the_catalogue_lacks_counts_nowhere(folder: Path) -> None:
    model = load_ranks(folder)
    odd = [*DEV, RankExample("a ferry", ("gone",)), RankExample("a tram", ("t1", "gone"))]
    found = evaluate_ranking(model, odd)
    assert (found.texts, found.labels, found.lacking) == (len(DEV) + 1, len(DEV) + 3, 2)


def test_in_8_bits_it_ranks_nearly_as_before(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(int8, "_SECONDS", 0.1)
    metrics = int8.write_ranks_int8(folder, tmp_path / "small", DEV)
    assert metrics["dev"]["mrr"] == pytest.approx(metrics["fp32"]["mrr"], abs=0.1)
    assert metrics["fp32"] == ModelFolder(folder).metrics()["dev"]
    whole, small = load_ranks(folder), load_ranks(tmp_path / "small")
    assert np.array_equal(whole.vectors, small.vectors)
    assert ModelFolder(tmp_path / "small").manifest.precision == "int8"
    texts = [example.text for example in DEV]
    together = small.embedder(texts)
    assert np.einsum("ij,ij->i", together, whole.embedder(texts)).min() > 0.98
    assert np.array_equal(together, np.stack([small.embedder([text])[0] for text in texts]))
    with pytest.raises(DataError, match="no text names an item of the model's catalogue"):
        int8.write_ranks_int8(folder, tmp_path / "none", [RankExample("a", ("gone",))])


def test_a_folder_whose_vectors_were_changed_is_refused(folder: Path, tmp_path: Path) -> None:
    import shutil

    from quern.errors import FolderError

    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "items.npy").write_bytes((copy / "items.npy").read_bytes()[:-4])
    with pytest.raises(FolderError, match=r"items\.npy"):
        load_ranks(copy)
    assert ModelFolder(folder).manifest.task == "ranks"


# -- data --------------------------------------------------------------------------------------


def _file(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_lines_are_read(tmp_path: Path) -> None:
    path = _file(
        tmp_path / "t.jsonl",
        {"text": "a", "item": 5},
        {"text": "b", "items": ["x", "y", "x"], "negatives": ["z"], "id": "n1"},
    )
    assert read_ranks(path) == [
        RankExample("a", ("5",), (), None, 1),
        RankExample("b", ("x", "y"), ("z",), "n1", 2),
    ]
    path = _file(tmp_path / "c.jsonl", {"id": 5, "text": "five"}, {"id": "x", "popularity": 3})
    assert read_catalogue(path) == [Item("5", "five", None, 1), Item("x", "", 3.0, 2)]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"text": " ", "item": "a"}, '"text" is empty'),
        ({"text": "a"}, 'one of "item" and "items"'),
        ({"text": "a", "item": "b", "items": ["b"]}, 'one of "item" and "items"'),
        ({"text": "a", "items": []}, "an item is empty"),
        ({"text": "a", "item": ""}, "an item is empty"),
        ({"text": "a", "item": "b", "negatives": ["b"]}, "'b' is an item and a negative at once"),
    ],
)
def test_lines_that_cannot_be_read_are_named(row: object, said: str, tmp_path: Path) -> None:
    path = _file(tmp_path / "t.jsonl", {"text": "fine", "item": "a"}, row)
    with pytest.raises(DataError) as bad:
        read_ranks(path)
    assert f"{path}:2: " in str(bad.value)
    assert said in str(bad.value)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"id": "", "text": "b"}, '"id" is empty'),
        ({"id": "b", "popularity": -1}, "no number from 0 on"),
        ({"id": "a", "text": "again"}, "id 'a' stands in line 1 as well"),
    ],
)
def test_items_that_cannot_be_read_are_named(row: object, said: str, tmp_path: Path) -> None:
    path = _file(tmp_path / "c.jsonl", {"id": "a", "text": "fine"}, row)
    with pytest.raises(DataError) as bad:
        read_catalogue(path)
    assert f"{path}:2: " in str(bad.value)
    assert said in str(bad.value)


def test_a_seed_gives_the_same_model() -> None:
    one, other = (RankTraining(TRAIN, DEV, CATALOGUE, plan(epochs=1)) for _ in range(2))
    list(one.run())
    list(other.run())
    assert np.array_equal(one.items.vectors(), other.items.vectors())
    assert hash_seed([0]) != hash_seed([1])
