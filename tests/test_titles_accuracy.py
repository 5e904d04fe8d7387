"""Benchmarks of titles and of similar documents on made-up sets: baselines, figures, duplicates."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("torch")

from benchmarks import similar_accuracy, titles_accuracy, titles_speed
from benchmarks.options import Options
from benchmarks.titles_baselines import best_sentence, first_sentence, first_words, sentences
from quern.errors import DataError
from quern.records import Headline
from test_faq import Letters
from test_ranks_accuracy import data as tracker  # noqa: F401

BODY = "\n- The tram stood still. Nobody knew why the tram stood still in the rain!\nA violin?"


def titles(propose, *texts: str) -> list[str]:
    return [best.text for (best,) in propose(texts)]


def test_first_words_stand_as_in_the_document() -> None:
    assert titles(first_words(2), BODY, "one", "…") == ["The tram", "one", ""]
    assert titles(first_sentence(), BODY, "？！\n电车停运了。没有人知道。", " ") == [
        "- The tram stood still.",
        "电车停运了。",
        "",
    ]
    assert list(sentences("a b.\n\n---\nc")) == ["a b.", "c"]


def test_the_best_sentence_is_most_like_the_others() -> None:
    known = ["a violin", "the rain", "why a tram", "nobody"]
    body = "The tram stood still. Nobody knew why the tram stood still. Nobody was there."
    assert titles(best_sentence(known), body, "") == [
        "Nobody knew why the tram stood still.",
        "",
    ]
    # What all documents have says nothing: only "tram" counts here.
    known = ["the x", "the y", "the tram"]
    assert titles(best_sentence(known), "The the. The the. A tram.") == ["A tram."]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Thirty documents that begin with their title, in three parts."""
    home = tmp_path / "titles" / "rust-issues"
    home.mkdir(parents=True)
    for part in ("train", "dev", "test"):
        rows = [
            {"body": f"{part} tram {n} stood quite still in rain. Why?", "id": n,
             "title": f"{part} tram {n} stood quite still"} for n in range(10)
        ]  # fmt: skip
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (home / f"{part}.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    return tmp_path


def test_a_case_scores_a_given_model_and_the_baselines(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def model(texts: Sequence[str]) -> list[list[Headline]]:
        return [[Headline("tram", -1.0)] for _ in texts]

    monkeypatch.setattr("quern.tasks.load_titles", lambda path: model, raising=False)
    outcome = titles_accuracy.run("rust-issues", Options(data=data, models=("mine",)))
    for part in ("dev", "test"):
        figures = outcome.figures[part]
        assert figures["first_words"]["rouge_l"] == 1  # six words fit best, and all
        assert figures["model"]["rouge1"] == pytest.approx(2 * (1 / 6) / (1 + 1 / 6))
        assert 0 < figures["best_sentence"]["rouge_l"] < 1
        assert figures["given"]["novel"] == 0
        assert figures["given"]["words"] == 6
    assert [path.name for path in outcome.data] == [
        f"{p}.jsonl.gz" for p in ("train", "dev", "test")
    ]
    with pytest.raises(DataError, match="this needs data"):
        titles_accuracy.run("rust-issues", Options())


def test_every_set_has_its_cases() -> None:
    assert titles_accuracy.cases(Options())[:2] == ["rust-issues", "rust-issues-plain"]
    assert len(titles_speed.cases(Options())) == 12
    with pytest.raises(DataError, match="give a model of titles"):
        titles_speed.run("lcsts-greedy-one-worker", Options())


def test_duplicates_are_looked_for_by_vectors(
    tracker: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = SimpleNamespace(path=Path("mine"), manifest=SimpleNamespace(task="sentences"))
    monkeypatch.setattr(similar_accuracy, "find", Path)
    monkeypatch.setattr(similar_accuracy, "ModelFolder", lambda path: folder)
    monkeypatch.setattr(similar_accuracy, "load_encoder", lambda path: Letters())
    figures = similar_accuracy.run(
        "rust-duplicates", Options(data=tracker, models=("mine",))
    ).figures
    assert figures["mine"]["task"] == "sentences"
    assert figures["tfidf"]["recall"].keys() == figures["mine"]["recall"].keys() == {"1", "5", "10"}
    # Letters alone tell the things apart: of each there are a quarter of the issues.
    assert 1 <= figures["mine"]["mean_rank"] <= figures["items"] / 4
