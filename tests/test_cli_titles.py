"""The verbs of titles, as a user sees them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from click.testing import CliRunner

from quern.cli import cli
from quern.cli.watch import _told
from test_cli_sentences import run, write
from test_title_training import DEV, NEW, TRAIN

TINY = [
    part
    for word in ("dim=32", "gram_dim=8", "dilations=[1,2,1]", "layers=1", "pieces=60",
                 "vector_dim=16", "buckets=256", "threads=1", "epochs=2", "fine_epochs=0",
                 "rate=0.01", "dropout=0", "gate_dropout=0", "batch_size=16", "precision=fp32",
                 "average=0.9", "smoothing=0", "unknown=0.5", "limit=12", "longest=12")
    for part in ("--set", word)
]  # fmt: skip


def lines(examples: list) -> list[dict[str, str]]:
    return [{"body": example.body, "title": example.title} for example in examples]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data and a model trained by the verb."""
    folder = tmp_path_factory.mktemp("titles")
    longer = {"body": "the report says nothing at all of what it is said to be about", "title": "a"}
    write(folder / "train.jsonl", [*lines(TRAIN), longer])
    write(folder / "dev.jsonl", lines(DEV))
    result = run(
        *("train", "titles", folder / "train.jsonl", "--dev", folder / "dev.jsonl"),
        *("--out", folder / "model", "--preset", "fast", *TINY),
    )
    assert "pieces to spell titles with" in result.stderr
    assert "1 documents go on behind the 12 units that are read (limit): 0.1% of" in result.stderr
    assert "dev ROUGE-L " in result.stderr
    return folder


def test_train_refuses_what_is_there(place: Path) -> None:
    asked = ["train", "titles", place / "train.jsonl", "--out", place / "model"]
    assert "exists already" in str(run(*asked, fails=1).exception)
    odd = run(*asked[:3], "--out", place / "other", "--set", "attention=false", fails=1)
    assert "set copy=false, too" in str(odd.exception)


def test_title_gives_a_line_for_each_document_in_order(place: Path, tmp_path: Path) -> None:
    some = [{"id": "a", "body": NEW[0].body}, {"text": " "}, {"text": NEW[1].body + " again" * 11}]
    asked = ["title", "--model", place / "model", write(tmp_path / "some.jsonl", some)]
    result = run(*asked, "--n", "2", "--format", "jsonl")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(row["line"], row["read"]) for row in rows] == [(1, 1.0), (2, 1.0), (3, 0.5714)]
    assert rows[0]["id"] == "a" and rows[1]["titles"] == []
    assert rows[0]["titles"][0]["text"] == NEW[0].title
    assert "3 texts, 86% of a text read on average; 1 go on behind the 12 units" in result.stderr
    same = run(*asked, "--n", "2", "--format", "jsonl", "--threads", "2")
    assert same.stdout == result.stdout


def test_title_reads_standard_input_and_draws(place: Path) -> None:
    body = NEW[2].body + "\n"
    asked = ["title", "--model", place / "model"]
    shown = run(*asked, "--format", "table", "--beam", "1", given=body).stdout
    assert NEW[2].title in shown and "100%" in shown
    drawn = [*asked, "--sample", "1.5", "--n", "3", "--seed", "4", "--format", "jsonl"]
    first, again = (run(*drawn, given=body).stdout for _ in range(2))
    assert first == again and json.loads(first)["titles"]


def test_vectors_of_documents(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "dev.npy"
    run("vectors-of", "--model", place / "model", place / "dev.jsonl", "--out", out)
    vectors = np.load(out)
    assert vectors.shape == (len(DEV), 16)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


def test_export_scores_both_folders(place: Path, tmp_path: Path) -> None:
    asked = ["export", place / "model", tmp_path / "small", "--int8", "--data", place / "dev.jsonl"]
    said = CliRunner().invoke(cli, list(map(str, asked)))  # so small a network may lose by it
    assert "ROUGE-L " in said.stderr and "in fp32" in said.stderr
    assert (tmp_path / "small" / "step.onnx").exists()


@pytest.mark.parametrize("verb", ["extract", "link", "rank"])
def test_other_verbs_name_the_right_one(verb: str, place: Path) -> None:
    refused = run(verb, "--model", place / "model", given="a tram\n", fails=1)
    assert "quern title" in str(refused.exception)


def test_info_knows_the_task(place: Path) -> None:
    shown = run("info", place / "model").stdout
    assert "titles" in shown and "rouge_l" in shown


def test_what_is_told_of_a_training() -> None:
    assert _told({"rouge_l": 0.25, "token_loss": 2.5}) == "ROUGE-L 0.2500, loss a step 2.5000"
