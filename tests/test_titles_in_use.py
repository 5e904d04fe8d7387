"""What is done with a folder of titles: scored, asked for vectors, measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import numpy as np

from benchmarks import titles_accuracy, titles_speed
from benchmarks.options import Options
from quern.data import data_hash
from quern.records import TitleExample
from quern.tasks import load_encoder, load_titles
from test_cli_sentences import run, write
from test_title_training import corpus
from test_titles_accuracy import data as sets  # noqa: F401

TINY = ("dim=16", "gram_dim=4", "dilations=[1]", "layers=1", "pieces=60", "vector_dim=8",
        "min_count=2", "buckets=64", "threads=1", "epochs=1", "fine_epochs=0", "batch_size=16",
        "longest=12", "precision=fp32")  # fmt: skip


def rows(examples: list[TitleExample]) -> list[dict[str, object]]:
    return [{"body": e.body, "title": e.title} for e in examples]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data and a model trained by the verb."""
    folder = tmp_path_factory.mktemp("titles")
    write(folder / "train.jsonl", rows(corpus(80)))
    write(folder / "dev.jsonl", rows(corpus(20, 1)))
    words = [part for word in TINY for part in ("--set", word)]
    run(
        *("train", "titles", folder / "train.jsonl", "--dev", folder / "dev.jsonl"),
        *("--out", folder / "model", "--preset", "fast", *words),
    )
    return folder


def test_evaluate_tells_figures_and_writes_a_page(place: Path) -> None:
    words = ("evaluate", place / "model", place / "dev.jsonl")
    told = json.loads(
        run(*words, "--format", "json", "--report", place / "p.html", "--errors", "3").stdout
    )
    assert told["texts"] == 20
    assert told["data"] == data_hash(place / "dev.jsonl")
    assert told["given"]["words"] == 2
    assert (place / "p.html").read_text("utf-8").count("<article>") == 3
    assert "ROUGE-L" in run(*words).stdout
    result = run(*words, "--strict", fails=2)
    assert "--strict is not for a model such as" in result.output


def test_its_vectors_are_had_by_all_who_ask_for_such(place: Path) -> None:
    run("vectors-of", "--model", place / "model", place / "dev.jsonl", "--out", place / "v.npy")
    bodies = [e.body for e in corpus(20, 1)]
    model, encode = load_titles(place / "model"), load_encoder(place / "model")
    assert np.array_equal(np.load(place / "v.npy"), model.vectors(bodies))
    assert (encode.dim, encode.identity) == (model.dim, model.identity)
    out = place / "d.similar"
    run("similar", "build", place / "dev.jsonl", "--model", place / "model", "--out", out)
    found = run("similar", "ask", "--index", out, "--input", place / "dev.jsonl", "--top", "1")
    assert len(found.stdout.splitlines()) == 20


def test_the_benchmarks_train_and_measure(
    sets: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(titles_accuracy, "CACHE", sets)
    options = Options(data=sets, words=TINY, preset="fast")
    figures = titles_accuracy.run("rust-issues-plain", options).figures
    assert "attention=false" in figures["set"]
    assert (
        0 <= figures["test"]["model"]["rouge_l"] <= 1 == figures["test"]["first_words"]["rouge_l"]
    )
    folder = sets / "models" / "titles-rust-issues-plain-0"
    given = Options(data=sets, models=(str(folder),), rounds=2)
    again = titles_accuracy.run("rust-issues-plain", given).figures
    assert again["test"]["model"] == figures["test"]["model"]
    speeds = titles_speed.run("rust-issues-beam-4-two-workers", given).figures
    assert (speeds["beam"], speeds["workers"]) == (4, 2)
    median, least, most = speeds[folder.name]["titles_per_second"]
    assert 0 < least <= median <= most
