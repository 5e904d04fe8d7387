"""The verbs of ranks, as a user sees them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import numpy as np

from quern.cli.watch import _told
from quern.tasks import load_encoder, load_ranks
from test_cli_sentences import run, write

ASKS = ("who saw a {} today", "the {} is late again", "my {} broke", "tell me of the {}")
THINGS = ("sparrow", "tram", "violin", "bread", "kettle", "ferry")
TINY = [
    part
    for word in ("dim=8", "gram_dim=4", "phrases=512", "phrase_dim=16", "vector_dim=16",
                 "min_count=1", "buckets=256", "threads=1", "epochs=20", "fine_epochs=0",
                 "rate=0.03", "dropout=0", "sampled=4", "batch_size=8", "precision=fp32")
    for part in ("--set", word)
]  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data and a model trained by the verb."""
    folder = tmp_path_factory.mktemp("ranks")
    lines = [{"text": ask.format(thing), "item": thing} for ask in ASKS for thing in THINGS]
    write(folder / "train.jsonl", lines[:18])
    write(folder / "dev.jsonl", lines[18:])
    items = [{"id": thing, "text": f"the {thing}"} for thing in THINGS]
    write(folder / "items.jsonl", [*items, {"id": "bare"}])
    result = run(
        *("train", "ranks", folder / "train.jsonl", "--dev", folder / "dev.jsonl"),
        *("--catalogue", folder / "items.jsonl", "--out", folder / "model"),
        *("--preset", "fast", *TINY),
    )
    assert "7 items, 1 of them named by no text, 1 without a text" in result.stderr
    assert "dev mrr " in result.stderr
    return folder


def test_train_refuses_what_would_be_lost(place: Path, tmp_path: Path) -> None:
    out = place / "model"
    asked = ["train", "ranks", place / "train.jsonl", "--catalogue", place / "items.jsonl"]
    assert f"{out}: exists already" in str(run(*asked, "--out", out, fails=1).exception)
    odd = write(tmp_path / "odd.jsonl", [{"text": "a tram", "item": "gone"}])
    asked = ["train", "ranks", odd, "--catalogue", place / "items.jsonl", "--out", tmp_path / "m"]
    refused = run(*asked, "--dev", place / "dev.jsonl", fails=1)
    assert "training needs texts with items of the catalogue" in str(refused.exception)


def test_rank_gives_a_line_for_each_text_in_order(place: Path, tmp_path: Path) -> None:
    texts = write(
        tmp_path / "texts.jsonl",
        [
            {"id": "a", "text": "my violin broke"},
            {"text": " "},
            {"text": "the ferry is late again"},
        ],
    )
    asked = ["rank", "--model", place / "model", texts, "--top", "2", "--format", "jsonl"]
    rows = [json.loads(line) for line in run(*asked).stdout.splitlines()]
    assert [(row["line"], len(row["items"])) for row in rows] == [(1, 2), (2, 0), (3, 2)]
    assert (rows[0]["file"], rows[0]["id"]) == (str(texts), "a")
    assert [rows[n]["items"][0]["id"] for n in (0, 2)] == ["violin", "ferry"]
    assert all(1 >= r["items"][0]["score"] > r["items"][1]["score"] for r in (rows[0], rows[2]))
    assert "3 texts, 7 items" in run(*asked).stderr
    given = run(
        *("rank", "--model", place / "model", "--format", "table"), given="my violin broke\n"
    )
    laid = [line.split() for line in given.stdout.splitlines()]
    assert ["1", "violin"] in [cells[1:3] for cells in laid]


def test_rank_takes_another_catalogue(place: Path, tmp_path: Path) -> None:
    new = write(
        tmp_path / "new.jsonl",
        [{"id": 1, "text": "a violin"}, {"id": 2, "text": "ferry"}, {"id": 3}],
    )
    asked = ["rank", "--model", place / "model", "--catalogue", new, "--format", "jsonl"]
    said = run(*asked, given="who plays the violin\n")
    (row,) = [json.loads(line) for line in said.stdout.splitlines()]
    assert [item["id"] for item in row["items"]] == ["1", "2"]
    assert "1 of 3 items have no text and are never found" in said.stderr


def test_evaluate_tells_how_far_up_items_come(place: Path) -> None:
    shown = run("evaluate", place / "model", place / "dev.jsonl").stdout
    assert "of a text's items among the best 10" in shown
    told = json.loads(
        run("evaluate", place / "model", place / "dev.jsonl", "--format", "json").stdout
    )
    written = json.loads((place / "model" / "metrics.json").read_text("utf-8"))
    assert told["mrr"] == pytest.approx(written["dev"]["mrr"])
    assert list(told["recall"]) == ["1", "5", "10", "20", "50"]
    assert (told["texts"], told["items"], told["lacking"]) == (6, 7, 0)


@pytest.mark.parametrize("words", [("--strict",), ("--known", "x"), ("--report", "x.html")])
def test_evaluate_refuses_what_is_for_other_models(words: tuple[str, ...], place: Path) -> None:
    refused = run("evaluate", place / "model", place / "dev.jsonl", *words, fails=2)
    assert words[0] in refused.stderr


@pytest.mark.parametrize("verb", ["extract", "link"])
def test_other_verbs_name_the_right_one(verb: str, place: Path) -> None:
    refused = run(verb, "--model", place / "model", given="a tram\n", fails=1)
    assert "quern rank" in str(refused.exception)


def test_info_and_the_card_know_the_task(place: Path) -> None:
    assert "ranks" in run("info", place / "model").stdout
    card = (place / "model" / "README.md").read_text("utf-8")
    assert "It learned a vector for each item by itself and from its text." in card
    assert "quern rank --model model texts.txt" in card


def test_what_is_told_of_an_epoch() -> None:
    said = _told({"mrr": 0.5, "recall1": 0.25, "recall10": 0.75, "recall50": 1.0})
    assert said == "mrr 0.5000, recall1 0.2500, recall10 0.7500, recall50 1.0000"


def test_its_network_gives_vectors_of_texts(place: Path) -> None:
    texts = [json.loads(line)["text"] for line in (place / "dev.jsonl").read_text().splitlines()]
    run("vectors-of", "--model", place / "model", place / "dev.jsonl", "--out", place / "v.npy")
    encode = load_encoder(place / "model")
    assert np.array_equal(np.load(place / "v.npy"), load_ranks(place / "model").embedder(texts))
    assert encode.identity is not None
    assert (encode.dim, encode.identity) == (16, load_encoder(place / "model").identity)
