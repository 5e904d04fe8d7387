"""A title model from documents to titles: what it learns, what it leaves, what company decides."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import msgspec
import numpy as np

import quern
from quern.errors import DataError, FolderError, TextError, TrainingError
from quern.folder import ModelFolder
from quern.records import TitleExample
from quern.runtime import Graph
from quern.tasks import load_titles
from quern.text import CodecRules, TextCodec
from quern.titles import (
    GREEDY,
    Decoding,
    Pieces,
    TitleFitting,
    TitleModel,
    TitleSettings,
)
from quern.titles.pieces import OTHER
from quern.train.encoders import Pretrained
from quern.train.int8 import write_titles_int8
from quern.train.loop import Schedule
from quern.train.settings import title_plan
from quern.train.title_fit import TitleFit
from quern.train.title_items import TitleItems, step_scores
from quern.train.title_pieces import fit_pieces
from quern.train.title_training import TitlePlan, begin_pieces, export_titles, rouge_l
from quern.train.titles import Looks, TitleNet
from quern.train.training import begin, named

SMALL = TitleSettings(
    dim=32, gram_dim=8, dilations=(1, 2, 1), layers=1, pieces=60, vector_dim=16, dropout=0.0,
    gate_dropout=0.0, limit=40, longest=12,
)  # fmt: skip
RULES = CodecRules(min_count=2, buckets=256)
_THINGS = ("stone", "river", "paper", "lamp", "tram", "ferry", "kettle", "violin")


def corpus(count: int, seed: int = 0) -> list[TitleExample]:
    """Reports whose title is two names of theirs, which stand in no other report."""
    rng = random.Random(seed)

    def name() -> str:
        return "".join(rng.choice("bcdfgklmnprst") + rng.choice("aeiou") for _ in range(3))

    rows = []
    for line in range(1, count + 1):
        one, two, thing = name(), name(), rng.choice(_THINGS)
        body = f"the report says {one} is about the {two} and {thing}"
        rows.append(TitleExample(body, f"{one} {two}", None, line))
    return rows


TRAIN, DEV, NEW = corpus(160), corpus(40, 1), corpus(12, 2)


def plan(settings: TitleSettings = SMALL, **of: object) -> TitlePlan:
    """A plan that trains in seconds."""
    fitting = {key: of.pop(key) for key in list(of) if key in TitleFitting.__struct_fields__}
    schedule = {"epochs": 2, "fine_epochs": 0, "batch_size": 16, "rate": 1e-2, "average": 0.9}
    return TitlePlan(
        settings=settings,
        fitting=TitleFitting(**({"smoothing": 0.0, "unknown": 0.5} | fitting)),
        schedule=Schedule(threads=1, precision="fp32", **(schedule | of)),
        rules=RULES,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained model."""
    out = tmp_path_factory.mktemp("titles") / "model"
    metrics = TitleFit(TRAIN, DEV, plan()).run(out)
    assert metrics["dev"]["rouge_l"] > 0.9
    assert metrics["dev_texts"] == 40 and len(metrics["epochs"]) == 2
    return out


@pytest.fixture(scope="module")
def model(folder: Path) -> TitleModel:
    return load_titles(folder)


def built(settings: TitleSettings, **fitting: object) -> tuple[TitleItems, TitleNet]:
    """Items and a network with random weights."""
    codec = TextCodec.fit((e.body for e in TRAIN), RULES)
    pieces = Pieces(fit_pieces((e.title for e in TRAIN), settings.pieces))
    torch.manual_seed(0)
    net = TitleNet(settings, codec, len(pieces))
    items = TitleItems(TRAIN, codec, pieces, settings, TitleFitting(**fitting))
    return items, net.eval()


# -- what is learned -----------------------------------------------------------------------


def test_words_that_were_never_seen_are_taken_over(model: TitleModel) -> None:
    found = model([example.body for example in NEW])
    right = [titles[0].text == example.title for titles, example in zip(found, NEW, strict=True)]
    assert sum(right) >= 11
    assert all(titles[0].score <= 0 for titles in found)


def test_the_best_of_several_titles_comes_first(model: TitleModel) -> None:
    for titles in model([example.body for example in NEW], n=3):
        assert 1 <= len(titles) <= 3
        assert len({title.text for title in titles}) == len(titles)
        scores = [title.score for title in titles]
        assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("decoding", [GREEDY, Decoding(), Decoding(temperature=2.0, seed=3)])
def test_a_document_has_its_titles_whatever_its_company(
    decoding: Decoding, model: TitleModel
) -> None:
    texts = [e.body for e in (*NEW, *DEV)] + ["", "the", "lamp " * 30, "river 江边 lamp"]
    together = model.titled(texts, 2, decoding)
    assert together == [model.titled([text], 2, decoding)[0] for text in texts]
    assert together[len(NEW) + len(DEV)].titles == ()
    vectors = model.vectors(texts)
    assert np.array_equal(vectors, np.concatenate([model.vectors([text]) for text in texts]))
    assert np.linalg.norm(vectors, axis=1)[:3] == pytest.approx([1, 1, 1], abs=1e-5)


def test_what_was_read_is_told(model: TitleModel) -> None:
    assert [t.read for t in model.titled(["a lamp", "lamp " * 50])] == [1.0, 0.8]
    with pytest.raises(TextError, match="one string"):
        model("a lamp")


def test_the_folder_opens_as_any_other(folder: Path) -> None:
    opened = quern.load(folder)
    assert isinstance(opened, TitleModel) and opened.identity
    held = ModelFolder(folder)
    assert held.manifest.task == "titles"
    assert "quern title --model model documents.jsonl" in (folder / "README.md").read_text("utf-8")
    with pytest.raises(FolderError, match="quern title"):
        quern.tasks.load_sentences(folder)


def test_vectors_come_near_those_of_their_titles() -> None:
    items, net = built(SMALL, vector_weight=1.0)
    pairs = [(f"the report of today is about a {thing}", thing) for thing in _THINGS]
    batch = items.arrays(pairs, None)
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-2)
    losses = []
    for _ in range(25):
        term = items.loss(net, batch)["vectors"]
        optimiser.zero_grad()
        term.backward()
        optimiser.step()
        losses.append(float(term.detach()))
    assert losses[-1] < 0.2 < 1 < losses[0]


def test_int8_gives_nearly_the_same_titles(folder: Path, tmp_path: Path) -> None:
    metrics = write_titles_int8(folder, tmp_path / "small", DEV)
    assert metrics["dev"]["rouge_l"] > metrics["fp32"]["rouge_l"] - 0.1
    texts = [example.body for example in NEW]
    small = load_titles(tmp_path / "small")
    assert small(texts) == [small([text])[0] for text in texts]


def test_others_can_start_from_its_encoder(folder: Path) -> None:
    init = Pretrained(folder)
    longer = msgspec.structs.replace(SMALL, limit=60)
    items, net = built(longer)
    assert net.encoder is not None
    before = net.encoder.embedding.position.detach().clone()
    begin(net.encoder, longer, items.codec, init, None)
    after = net.encoder.embedding.position.detach()
    assert not torch.equal(before[:48], after[:48]) and torch.equal(before[48:], after[48:])


def test_pieces_begin_as_the_encoder_knows_them(folder: Path) -> None:
    items, net = built(SMALL)
    assert net.encoder is not None
    begin(net.encoder, SMALL, items.codec, Pretrained(folder), None)
    pieces = Pieces(["lamp", "▁lamp", "▁Tram", "lampe"])
    before = net.decoder.pieces.detach().clone()
    begin_pieces(net, items.codec, pieces, Pretrained(folder))
    after = net.decoder.pieces.detach().t()
    assert torch.equal(after[4], after[5]) and not torch.equal(after[4], after[6])
    assert after[4:7].norm(dim=1).mean() == pytest.approx(1, abs=1e-5)
    assert torch.equal(after[7], before[:, 7])


# -- the network ---------------------------------------------------------------------------

PLAIN = msgspec.structs.replace(SMALL, attention=False, copy=False)
SETTINGS = {
    "plain": PLAIN,
    "looking": msgspec.structs.replace(SMALL, copy=False, coverage=0.0, layers=2),
    "gru": msgspec.structs.replace(SMALL, reading="gru"),
}


@pytest.mark.parametrize("kind", SETTINGS)
def test_graphs_agree_with_torch_and_write_titles(kind: str) -> None:
    settings = SETTINGS[kind]
    items, net = built(settings)
    graphs = export_titles(net, items.codec)  # checks them against torch
    weights = named({name: p.detach() for name, p in net.named_parameters()})
    encode, step = (Graph(graph.refill(weights)) for graph in graphs)
    model = TitleModel(items.codec, encode, step, items.pieces, settings)
    texts = [example.body for example in NEW]
    together = model(texts, 2)
    assert together == [model([text], 2)[0] for text in texts]
    assert all(titles for titles in together)


@pytest.mark.parametrize("settings", [SMALL, *SETTINGS.values()])
def test_the_loss_is_of_the_title_alone(settings: TitleSettings) -> None:
    items, net = built(settings, vector_weight=0.0)
    pairs = [(e.body, e.title) for e in TRAIN[:5]] + [("lamp " * 20, "a lamp of stone and paper")]

    def scores(some: list[tuple[str, str]]) -> torch.Tensor:
        batch = items.arrays(some, None)
        with torch.no_grad():
            of_text = net.read(batch)
            looks = Looks(of_text.states, batch["sources"])
            made = net.decoder(net.begun(of_text), batch["previous"], looks)
            found, _ = step_scores(net, made, looks, batch["targets"])
            whole = net.decoder.mixture(made, looks.sources, batch["room"])
        assert whole.exp().sum(-1) == pytest.approx(1, abs=1e-4)
        told = (batch["targets"] != 0) & (batch["targets"] != OTHER)
        wanted = batch["targets"].long().unsqueeze(-1)
        assert torch.allclose(whole.gather(2, wanted).squeeze(-1)[told], found, atol=1e-4)
        return found

    alone = torch.cat([scores([pair]) for pair in pairs])
    assert torch.allclose(scores(pairs), alone, atol=1e-4)


def test_the_loss_falls_with_its_own_steps_read_back() -> None:
    items, net = built(SMALL, sampling=0.5, smoothing=0.0)
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-2)
    losses = []
    for step in range(12):
        batch = items.collate(list(range(16)), [0, step])
        terms = items.loss(net, batch)
        assert set(terms) == {"title", "coverage", "vectors"}
        optimiser.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimiser.step()
        losses.append(float(terms["title"].detach()))
    assert losses[-1] < losses[0] / 2
    batch = items.collate([0, 1], [0])
    assert 0 < batch["own"].float().mean() < 1 and not batch["own"][:, 0].any()


def test_without_sampling_no_chance_but_that_of_words_is_in_a_batch() -> None:
    items, _ = built(SMALL)
    one, same, other = (items.collate([0, 1, 2], [seed]) for seed in (5, 5, 6))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)
    assert torch.equal(one["targets"], other["targets"])


# -- the data ------------------------------------------------------------------------------


def test_pieces_are_the_characters_and_what_stands_together() -> None:
    titles = ["mend the ferry", "mend the kettle", "the ferry is late", "船又晚了"] * 5
    pieces = fit_pieces(titles, 60)
    assert set("mendthfrykl船又晚了▁") <= set(pieces)
    assert any(len(piece) > 2 for piece in pieces)
    assert fit_pieces(titles, 60) == pieces and len(pieces) <= 60
    assert fit_pieces(titles, 3) == ["e", "▁", "t"]


def test_what_is_lost_is_counted() -> None:
    rows = [
        TitleExample("lamp " * 60, "a lamp", None, 1),
        TitleExample("\u200b", "…", None, 2),
        TitleExample(" ", "lamp", None, 3),
        TitleExample("lamp", "one two three four five six seven", None, 4),
    ]
    codec = TextCodec.fit(e.body for e in rows)
    pieces = Pieces(sorted(set("▁abdefghilmnoprstuvwz")))
    items = TitleItems(rows, codec, pieces, SMALL, TitleFitting())
    lost = items.lost
    assert (lost.empty, lost.bodies, lost.units, lost.of) == ([3], 1, 20, 62)
    assert (lost.cut, lost.characters) == (1, 2)


def test_what_cannot_be_trained_is_refused(folder: Path) -> None:
    with pytest.raises(DataError, match="with a unit"):
        TitleFit([TitleExample(" ", "x")], DEV, plan())
    with pytest.raises(TrainingError, match="dim=32"):
        TitleFit(TRAIN, DEV, title_plan("fast", ["threads=1"]), start=quern_start(folder))
    gru = msgspec.structs.replace(SMALL, reading="gru")
    with pytest.raises(DataError, match="reading=conv"):
        TitleFit(TRAIN, DEV, plan(gru), start=quern_start(folder))


def quern_start(folder: Path) -> object:
    from quern.train.fit import Start

    return Start(folder)


@pytest.mark.parametrize(
    ("found", "wanted", "f1"),
    [("a lamp", "A lamp", 1), ("lamp a", "a lamp", 0.5), ("", "a", 0), ("江边", "江边起雾", 2 / 3)],
)
def test_rouge_l_is_that_of_the_longest_common_subsequence(
    found: str, wanted: str, f1: float
) -> None:
    assert rouge_l(found, wanted) == pytest.approx(f1)


def test_a_training_that_was_stopped_ends_alike(tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(fact: object) -> None:
        if getattr(fact, "scores", None):
            raise Stopped

    settings = msgspec.structs.replace(SMALL, dropout=0.1)
    whole = TitleFit(TRAIN[:40], DEV[:5], plan(settings, sampling=0.3))
    fit = TitleFit(TRAIN[:40], DEV[:5], plan(settings, sampling=0.3))
    with pytest.raises(Stopped):
        fit.run(tmp_path / "two", report=stop)
    TitleFit(TRAIN[:40], DEV[:5], plan(settings, sampling=0.3)).run(tmp_path / "two", resume=True)
    whole.run(tmp_path / "one")
    one, two = ((tmp_path / n / "step.onnx").read_bytes() for n in ("one", "two"))
    assert one == two
    assert json.loads((tmp_path / "one" / "metrics.json").read_text("utf-8"))["epochs"]
