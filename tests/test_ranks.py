"""Ranks: losses by hand, the network that went to NaN, and a model from labels to answers."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import numpy as np
from click.testing import CliRunner, Result

import quern
from quern.cli import cli
from quern.data import read_catalogue, read_ranks
from quern.errors import DataError
from quern.evaluation.ranking import evaluate_ranking, ranks_of
from quern.ranks import RankFitting, RankModel, RankSettings
from quern.records import Item, RankExample
from quern.text import CodecRules
from quern.train.cosine import cosines
from quern.train.loop import Schedule
from quern.train.rank_fit import RankFit
from quern.train.rank_losses import margin_loss, softmax_loss, warp_loss
from quern.train.rank_training import RankPlan, RankTraining
from quern.train.row_table import RowTable

COS = torch.tensor([[0.9, 0.2, 0.85, -0.5], [0.1, 0.3, 0.6, 0.25]], dtype=torch.float64)
OWN = torch.tensor([0, 1])
WRONG = torch.tensor([[0.0, 1, 1, 1], [1, 0, 0, 1]], dtype=torch.float64)


def test_margin_by_hand() -> None:
    wanted = ((0.2 - 0.9 + 0.85) / 3 + (0.2 - 0.3 + 0.25) / 2) / 2
    assert float(margin_loss(COS, OWN, WRONG, 0.2)) == pytest.approx(wanted)


def test_warp_by_hand() -> None:
    # Of 41 items: the first text's second wrong one is too near (rank 20), and the second's second.
    harmonic = sum(1 / k for k in range(1, 21))
    wanted = harmonic * ((0.15 - 0.9 + 0.85) + (0.15 - 0.3 + 0.25)) / 2
    assert float(warp_loss(COS, OWN, WRONG, 0.15, 41)) == pytest.approx(wanted)
    assert float(warp_loss(COS[:1], OWN[:1], WRONG[:1], 0.0, 41)) == 0


def test_softmax_by_hand() -> None:
    offsets = torch.tensor([5.0, 0.5, 0.0, 1.0], dtype=torch.float64)
    total = 0.0
    for row in range(2):
        own = math.exp(3 * COS[row, OWN[row]])
        wrong = sum(
            math.exp(3 * float(COS[row, j]) + float(offsets[j])) for j in range(4) if WRONG[row, j]
        )
        total -= math.log(own / (own + wrong))
    assert float(softmax_loss(COS, OWN, WRONG, 3.0, offsets)) == pytest.approx(total / 2)


@pytest.mark.parametrize("loss", ["margin", "warp", "softmax"])
def test_gradients(loss: str) -> None:
    x = COS.clone().requires_grad_()

    def of(x: torch.Tensor) -> torch.Tensor:
        if loss == "margin":
            return margin_loss(x, OWN, WRONG, 0.15)
        if loss == "warp":
            return warp_loss(x, OWN, WRONG, 0.15, 41)
        return softmax_loss(x, OWN, WRONG, 3.0, torch.zeros(4, dtype=torch.float64))

    assert torch.autograd.gradcheck(of, (x,))


def trained_on_a_zero_row(cosine) -> list[float]:
    """The source's network in small: a mean of word vectors, of which one text has none at all."""
    generator = torch.Generator().manual_seed(0)
    words = torch.randn(6, 8, generator=generator)
    words[0] = 0  # the word that the vocabulary lacks
    words.requires_grad_()
    items = torch.randn(4, 8, generator=generator).requires_grad_()
    texts = torch.tensor([[1, 2], [3, 4], [0, 0], [5, 1]])
    wrong = 1 - torch.eye(4)
    optimiser = torch.optim.Adam([words, items], lr=0.05)
    losses = []
    for _ in range(20):
        optimiser.zero_grad()
        loss = margin_loss(cosine(words[texts].mean(1), items), torch.arange(4), wrong, 0.2)
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    return losses


def test_a_zero_row_ruins_the_plain_cosine_and_not_ours() -> None:
    def plain(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        lengths = x.norm(dim=1, keepdim=True) * y.norm(dim=1)
        return x @ y.T / lengths

    ruined = trained_on_a_zero_row(plain)
    assert all(math.isnan(loss) for loss in ruined[1:])
    ours = trained_on_a_zero_row(cosines)
    assert all(map(math.isfinite, ours))
    assert ours[-1] < ours[0]


# -- data, and the items of a step -----------------------------------------------------------

_THINGS = {
    "tea": "茶 tea leaves",
    "bread": "面包 bread flour",
    "river": "河 river bank",
    "stone": "石 stone",
}
_SAID = ("I like {}", "where is the {}", "{} every day", "no {} left", "the {} of the village")


def corpus(seed: int) -> list[RankExample]:
    rng = random.Random(seed)
    some = [
        RankExample(frame.format(word), (id_,))
        for id_, text in _THINGS.items()
        for word in (id_, text.split()[0])
        for frame in _SAID
    ]
    some += [
        RankExample("bread and tea", ("bread", "tea")),
        RankExample("a stone in the river", ("river",), ("stone",)),
    ]
    rng.shuffle(some)
    return [RankExample(e.text, e.items, e.negatives, None, i) for i, e in enumerate(some, 1)]


CATALOGUE = [Item(id_, text) for id_, text in _THINGS.items()] + [Item("moon")]
RULES = CodecRules(min_count=1, buckets=64, window=24, overlap=8)
SMALL = {
    "reading": "bag",
    "phrases": 128,
    "phrase_dim": 16,
    "vector_dim": 16,
    "dim": 16,
    "gram_dim": 8,
}


def plan(items: str = "both", **of: object) -> RankPlan:
    settings = {key: of.pop(key) for key in list(of) if key in RankSettings.__struct_fields__}
    fitting = {key: of.pop(key) for key in list(of) if key in RankFitting.__struct_fields__}
    schedule = {"epochs": 6, "fine_epochs": 1, "batch_size": 8, "rate": 1e-2, "precision": "fp32"}
    return RankPlan(
        settings=RankSettings(**{**SMALL, **settings}, items=items),
        fitting=RankFitting(**fitting),
        schedule=Schedule(threads=1, **(schedule | of)),
        rules=RULES,
    )


TRAIN, DEV = corpus(0)[:30], corpus(0)[30:]


@pytest.mark.parametrize("negatives", ["uniform", "popularity", "batch"])
def test_candidates_hold_the_right_items_and_say_which_are_wrong(negatives: str) -> None:
    made = RankTraining(TRAIN, DEV, CATALOGUE, plan(negatives=negatives, sampled=3)).items
    batch = made.collate([0, 1, 2, 3], [0, 0, 1])
    candidates, own, wrong = batch["candidates"], batch["own"], batch["wrong"]
    assert len(set(candidates.tolist())) == len(candidates)
    for row, i in enumerate([0, 1, 2, 3]):
        right = set(made.items[i].items)
        assert int(candidates[own[row]]) in right
        assert [int(c) not in right for c in candidates] == (wrong[row] > 0).tolist()
    if negatives == "batch":
        allowed = {n for i in range(4) for n in (*made.items[i].items, *made.items[i].negatives)}
        assert set(candidates.tolist()) <= allowed


def test_the_hardest_are_those_nearest() -> None:
    training = RankTraining(TRAIN, DEV, CATALOGUE, plan(negatives="hard", sampled=2))
    made = training.items
    made.order(8, 0, 1)
    texts = training._embed([(item.encoding, item.window) for item in made.items])
    found = texts @ made.vectors().T
    for row, near in zip(found, made._near, strict=True):
        assert sorted(row[near].tolist()) == sorted(sorted(row.tolist())[-3:])


def test_labels_that_the_catalogue_lacks_are_refused_unless_allowed(tmp_path: Path) -> None:
    odd = [*TRAIN, RankExample("a kite", ("kite",), (), None, 99)]
    with pytest.raises(DataError) as caught:
        RankFit(odd, DEV, CATALOGUE, plan())
    assert str(caught.value) == (
        "1 label(s) would be lost:\n  line 99: 'kite' is not in the catalogue\n"
        "  in all: 1 unknown\n"
        "Mend them (quern check ranks names every one), or go on without them: "
        "--allow unknown"
    )
    RankFit(odd, DEV, CATALOGUE, plan(), allow=["unknown"])


def test_what_cannot_be_learned_is_refused() -> None:
    bare = [Item(item.id) for item in CATALOGUE]
    for catalogue, chosen, said in (
        (CATALOGUE[:1], plan(), "training needs a catalogue of two items at least"),
        (bare, plan(), "items=both makes vectors of the items' texts, and no item has one"),
        ([Item("x"), Item("y")], plan("free"), "training needs texts with items of the catalogue"),
    ):
        with pytest.raises(DataError, match=said):
            RankTraining(TRAIN, DEV, catalogue, chosen)


# -- a model ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("items", "of"),
    [
        ("free", {"loss": "margin", "reading": "wide", "pooling": "max"}),
        ("text", {"loss": "softmax"}),
        ("both", {"loss": "warp", "negatives": "hard", "sampled": 2}),
    ],
)
def test_it_learns_and_the_folder_answers_as_measured(
    items: str, of: dict[str, object], tmp_path: Path
) -> None:
    metrics = RankFit(corpus(0), DEV, CATALOGUE, plan(items, **of)).run(tmp_path / "model")
    model = quern.load(tmp_path / "model")
    assert isinstance(model, RankModel)
    found = evaluate_ranking(model, DEV)
    assert found.mrr == metrics["dev"]["mrr"] > 0.7
    (ranked,) = model(["where is the tea"], 2)
    assert (ranked[0].id, len(ranked)) == ("tea", 2)
    assert model([""]) == [[]]
    assert model(["tea", "river"], 3) == [model(["tea"], 3)[0], model(["river"], 3)[0]]
    told = {r.id for r in model(["stone"], 9)[0]}
    assert ("moon" in told) == (items != "text")  # an item without text has a vector of its own
    # What was learned of items stays with them: given anew they are ranked as before.
    same = model.with_catalogue(CATALOGUE[::-1])
    before, after = model.search(["where is the river"], 9), same.search(["where is the river"], 9)
    assert [r.id for r in after[0]] == [r.id for r in before[0]]
    assert [r.score for r in after[0]] == pytest.approx([r.score for r in before[0]], abs=1e-5)
    assert (tmp_path / "model" / "rows.npy").exists() == (items == "both")
    if items == "free":
        with pytest.raises(DataError, match="1 items are new to this model, 'new' the first"):
            model.with_catalogue([CATALOGUE[0], Item("new", "river bank")])
    else:
        new = model.with_catalogue([Item("new", "river bank"), Item("none")])
        assert [r.id for r in new(["where is the river"])[0]] == ["new"]


def test_a_stopped_training_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    RankFit(TRAIN, DEV, CATALOGUE, plan(epochs=3)).run(tmp_path / "whole")

    class Stop(Exception):
        pass

    def stop(fact: object) -> None:
        if getattr(fact, "epoch", 0) == 2 and not hasattr(fact, "scores"):
            raise Stop

    with pytest.raises(Stop):
        RankFit(TRAIN, DEV, CATALOGUE, plan(epochs=3)).run(tmp_path / "parts", report=stop)
    RankFit(TRAIN, DEV, CATALOGUE, plan(epochs=3)).run(tmp_path / "parts", resume=True)
    for name in ("encode.onnx", "items.npy"):
        one, other = ((tmp_path / of / name).read_bytes() for of in ("whole", "parts"))
        assert one == other


def test_places_by_hand() -> None:
    items = np.array([[1, 0], [0, 1], [0.6, 0.8], [0, 0]], dtype=np.float32)
    texts = np.array([[1, 0], [0, 1]], dtype=np.float32)
    assert [r.tolist() for r in ranks_of(texts, items, [[2], [1, 0]])] == [[2], [1, 3]]
    assert [r.tolist() for r in ranks_of(texts[:1], items, [[3]])] == [[4]]  # like nothing: last


def test_the_best_rows_are_kept_where_they_are_part_of_the_model() -> None:
    table = RowTable.drawn(3, 2, seed=0)
    table.kept = True
    table.mark()
    best = table.weight.clone()
    table.weight += 1
    back = RowTable.drawn(3, 2, seed=1)
    back.restore(table.tensors())
    back.go_back()
    assert torch.equal(back.weight, best)


# -- files and verbs -------------------------------------------------------------------------------


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def test_bad_lines_are_named(tmp_path: Path) -> None:
    path = write(
        tmp_path / "r.jsonl",
        {"text": "a", "item": 1},
        {"text": "a"},
        {"text": "a", "items": []},
        {"text": "a", "items": ["x"], "negatives": ["x"]},
        {"text": " ", "item": "x"},
    )
    with pytest.raises(DataError) as caught:
        read_ranks(path)
    said = str(caught.value)
    assert f'{path}:2: a line has one of "item" and "items"' in said
    assert f"{path}:3: an item is empty" in said
    assert f"{path}:4: 'x' is an item and a negative at once" in said
    assert f'{path}:5: "text" is empty' in said
    cat = write(tmp_path / "c.jsonl", {"id": 1}, {"id": "1"}, {"id": "b", "popularity": -1})
    with pytest.raises(DataError) as caught:
        read_catalogue(cat)
    assert f"{cat}:2: id '1' stands in line 1 as well" in str(caught.value)
    assert f'{cat}:3: "popularity" is no number from 0 on' in str(caught.value)


def run(*args: str | Path, given: str | None = None, fails: int = 0) -> Result:
    result = CliRunner().invoke(cli, list(map(str, args)), input=given, prog_name="quern")
    assert result.exit_code == fails, result.output + repr(result.exception)
    return result


def test_the_verbs_in_turn(tmp_path: Path) -> None:
    train = write(tmp_path / "t.jsonl", *({"text": e.text, "items": e.items} for e in corpus(0)))
    cat = write(tmp_path / "c.jsonl", *({"id": i.id, "text": i.text} for i in CATALOGUE))
    words = ["epochs=4", "fine_epochs=0", "threads=1", "rate=0.01", "batch_size=8", "min_count=1"]
    words += [f"{k}={v}" for k, v in SMALL.items()] + ["buckets=64", "precision=fp32"]
    sets = [part for word in words for part in ("--set", word)]
    out = tmp_path / "model"
    told = run(
        *("train", "ranks", train, "--catalogue", cat, "--dev", train, "--out", out),
        *("--preset", "fast", *sets),
    )
    assert "5 items, 1 of them named by no text, 1 without a text" in told.stderr
    shown = run("evaluate", out, train).stdout
    assert "items of the catalogue" in shown
    figures = json.loads(run("evaluate", out, train, "--format", "json").stdout)
    written = json.loads((out / "metrics.json").read_text("utf-8"))
    assert figures["mrr"] == pytest.approx(written["dev"]["mrr"])
    rows = run("rank", "--model", out, "--top", "2", given="where is the tea\nriver\n").stdout
    found = [json.loads(line) for line in rows.splitlines()]
    assert [len(row["items"]) for row in found] == [2, 2]
    new = write(tmp_path / "n.jsonl", {"id": "n", "text": "tea leaves"})
    other = run("rank", "--model", out, "--catalogue", new, given="tea\n").stdout
    assert [item["id"] for item in json.loads(other)["items"]] == ["n"]
    assert "1 / rank" in (out / "README.md").read_text("utf-8")
    shown = run("info", out).stdout
    assert f"recall1 {written['dev']['recall1']:.4f}" in shown
    assert (
        "--known is not for a model such as"
        in run("evaluate", out, train, "--known", train, fails=2).output
    )
