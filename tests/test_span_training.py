"""Spans in training: the head, its loss and graph, and nested names that are learned."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import msgspec
import numpy as np

import quern
from quern import folder
from quern.ensemble import write_ensemble
from quern.errors import FolderError
from quern.records import LabelledTriple, TripleExample
from quern.runtime import Graph
from quern.text import CodecRules
from quern.train.fit import fit
from quern.train.int8 import write_int8
from quern.train.layers import GlobalPointer, ordered, span_loss
from quern.train.loop import Schedule
from quern.train.triple_items import TripleItems
from quern.train.triple_training import Plan, TripleTraining
from quern.train.triples import EncoderGraph, TripleNet
from quern.triples import Pairing, TripleFitting, TripleSettings

_PEOPLE = [f"{a} {b}" for a in ("Ada", "Boris", "Clara", "Felix") for b in ("Vance", "Sato", "Orr")]
_TOWNS = ["Norden", "Tilbury", "Eastvale", "Graymouth", "Halden"]


def nested(count: int, seed: int = 0) -> list[TripleExample]:
    """Sentences whose facts have names within names, as objects and as subjects."""
    rng = random.Random(seed)
    made = []
    for line in range(1, count + 1):
        person, town = rng.choice(_PEOPLE), rng.choice(_TOWNS)
        mill = f"Mill of {town} Works"
        if rng.random() < 0.5:
            text = f"{person} knows the {mill}."
            facts = [(person, "knows", mill), (person, "knows", town)]
        else:
            text = f"The {mill} was sold to {person}."
            facts = [(mill, "owner", person), (town, "knows", person)]
        made.append(TripleExample(text, tuple(LabelledTriple(*f) for f in facts), line=line))
    return made


TRAIN, DEV = nested(160), nested(30, seed=1)


def plan(pairing: Pairing) -> Plan:
    """A plan that trains in seconds."""
    return Plan(
        settings=TripleSettings(dim=24, gram_dim=8, dilations=(1, 2), heads=0, pairing=pairing),
        schedule=Schedule(
            epochs=14, fine_epochs=0, batch_size=16, rate=6e-3, precision="fp32", threads=1
        ),
        rules=CodecRules(min_count=1, buckets=512, window=40, overlap=20),
    )


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> dict[Pairing, Path]:
    """A model of each pairing that has learned the nested names."""
    out = tmp_path_factory.mktemp("spans")
    for pairing in ("nearest", "spans"):
        fit(TRAIN, out / pairing, DEV, plan(pairing))
    return {"nearest": out / "nearest", "spans": out / "spans"}


@pytest.fixture(scope="module")
def training() -> TripleTraining:
    """A training with spans that has not begun."""
    return TripleTraining(TRAIN, DEV, plan("spans"))


# -- nested names are learned --------------------------------------------------------------


def test_nested_names_are_found_with_spans_and_cannot_be_without(
    learned: dict[Pairing, Path],
) -> None:
    f1 = {
        pairing: msgspec.json.decode((path / "metrics.json").read_bytes())["dev"]["f1"]
        for pairing, path in learned.items()
    }
    assert f1["spans"] > 0.9
    assert f1["nearest"] < 0.8  # of two nested names the outer one is never found
    text = "Ada Orr knows the Mill of Tilbury Works."
    wanted = {("Ada Orr", "knows", name) for name in ("Mill of Tilbury Works", "Tilbury")}
    (triples,) = quern.load(learned["spans"])([text])
    assert {t.key for t in triples} == wanted
    (triples,) = quern.load(learned["nearest"])([text])
    assert ("Ada Orr", "knows", "Mill of Tilbury Works") not in {t.key for t in triples}


def test_only_a_folder_with_spans_has_their_threshold_and_output(
    learned: dict[Pairing, Path],
) -> None:
    for pairing, path in learned.items():
        opened = folder.ModelFolder(path)
        assert ("span" in opened.manifest.thresholds) == (pairing == "spans")
        assert ("spans" in opened.graph("encoder").outputs) == (pairing == "spans")


def test_alone_in_a_batch_and_shuffled_are_the_same(
    learned: dict[Pairing, Path], tmp_path: Path
) -> None:
    metrics = write_int8(learned["spans"], tmp_path / "int8", DEV)
    assert metrics["dev"]["f1"] > 0.9
    texts = [example.text for example in DEV] + ["", "x", "Norden " * 90]
    for path in (learned["spans"], tmp_path / "int8"):
        model = quern.load(path)
        together = model(texts)
        assert [model([text])[0] for text in texts] == together
        assert model(texts[::-1]) == together[::-1]


def test_an_ensemble_averages_spans_and_wants_them_of_all(
    learned: dict[Pairing, Path], tmp_path: Path
) -> None:
    spans, nearest = learned["spans"], learned["nearest"]
    write_ensemble([spans, spans], tmp_path / "two", DEV)
    one, two = quern.load(spans), quern.load(tmp_path / "two")
    two.thresholds, two.calibration = one.thresholds, one.calibration
    texts = [example.text for example in DEV]
    assert two(texts) == one(texts)
    with pytest.raises(FolderError, match="has another pairing than"):
        write_ensemble([spans, nearest], tmp_path / "both", DEV)


# -- the network ---------------------------------------------------------------------------


def test_nothing_spans_the_padding_or_runs_backwards(training: TripleTraining) -> None:
    short = min(range(len(TRAIN)), key=lambda i: training.items.items[i].encoding.length)
    long = max(range(len(TRAIN)), key=lambda i: training.items.items[i].encoding.length)
    batch = training.items.collate([short, long], [0])
    with torch.no_grad():
        spans = EncoderGraph(training.net.eval())(batch)[-1]
    units = batch["units"] > 0
    allowed = torch.triu(units[:, :, None] & units[:, None, :])
    assert not bool(units.all())
    assert torch.equal(spans > 0, allowed)


def test_all_other_weights_begin_as_without_spans(training: TripleTraining) -> None:
    weights = []
    for pairing in ("nearest", "spans"):
        torch.manual_seed(0)
        net = TripleNet(plan(pairing).settings, training.codec, 2)
        weights.append(dict(net.named_parameters()))
    nearest, spans = weights
    assert {name.split(".")[0] for name in spans.keys() - nearest.keys()} == {"spans"}
    assert all(torch.equal(weight, spans[name]) for name, weight in nearest.items())


def test_the_graph_says_what_the_network_says(training: TripleTraining) -> None:
    batch = training.items.collate(range(12), [0])
    weights = {f"net.{name}": p.detach().numpy() for name, p in training.net.named_parameters()}
    graph = Graph(training._graphs[0].refill(weights))
    inputs = {name: batch[name].numpy() for name in ("units", "shapes", "grams")}
    with torch.no_grad():
        wanted = EncoderGraph(training.net.eval())(batch)[-1]
    np.testing.assert_allclose(graph(inputs)["spans"], wanted.numpy(), atol=1e-5)


def test_items_have_the_spans_of_their_triples(training: TripleTraining) -> None:
    items = training.items
    batch = items.collate([0, 1], [0])
    for row, item in enumerate(items.items[:2]):
        wanted = sorted({span for s, _, o in item.triples for span in (s, o)})
        assert [tuple(at) for at in batch["spans"][row].nonzero().tolist()] == wanted
    without = TripleItems(TRAIN, items.codec, training.labels, TripleFitting())
    assert batch.keys() - without.collate([0, 1], [0]).keys() == {"spans"}


def test_scores_depend_on_how_far_apart_ends_are_and_not_on_where() -> None:
    torch.manual_seed(0)
    block = GlobalPointer(8)
    with torch.no_grad():
        logits = block(torch.randn(8).expand(1, 9, 8))[0]
    for distance in range(-8, 9):
        band = logits.diagonal(distance)
        torch.testing.assert_close(band, band[:1].expand_as(band), atol=1e-5, rtol=1e-4)
    assert len({round(float(logits[0, j]), 4) for j in range(9)}) == 9


def test_the_loss_is_the_cross_entropy_over_pairs_that_share_an_end_with_a_span() -> None:
    torch.manual_seed(0)
    logits, target = torch.randn(2, 4, 4), torch.zeros(2, 4, 4)
    target[0, 1, 2] = target[1, 0, 0] = 1
    mask = torch.tensor([[1.0, 1, 1, 1], [1, 1, 0, 0]]).unsqueeze(-1)
    absent = torch.tensor([1.0, 0.25])
    wanted = 0.0
    for row, length in ((0, 4), (1, 2)):
        for i in range(length):
            for j in range(i, length):
                if not (target[row, i].any() or target[row, :, j].any()):
                    continue
                p = float(torch.sigmoid(logits[row, i, j]))
                wanted -= np.log(p) if target[row, i, j] else float(absent[row]) * np.log(1 - p)
    assert float(span_loss(logits, target, mask, absent)) == pytest.approx(wanted, rel=1e-5)
    assert int(ordered(mask).sum()) == 10 + 3
