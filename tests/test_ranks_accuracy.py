"""The benchmark of ranks on a made-up tracker: what is learned from, what is judged, baselines."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

pytest.importorskip("torch")

from benchmarks import ranks_accuracy, sets
from benchmarks.options import Options
from quern.errors import DataError

THINGS = ("sparrow", "tram", "violin", "bread")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Forty issues in the form of a tracker, and ten of their duplicates."""
    home = tmp_path / "titles" / "rust-issues"
    home.mkdir(parents=True)
    rows = [
        {
            "id": number,
            "title": f"The {THINGS[number % 4]} number {number} fails",
            "body": None if number == 3 else f"It was a {THINGS[number % 4]} case {number // 4}.",
            "labels": [f"A-{THINGS[number % 4]}", "bug"][: 2 - number % 2],
        }
        for number in range(60)
    ]
    for part, some in (("train", rows[:40]), ("dev", rows[40:50]), ("test", rows[50:])):
        lines = "".join(json.dumps(row) + "\n" for row in some)
        (home / f"{part}.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    # One of an issue that is not there, and one of a duplicate.
    pairs = [*((n + 20, n) for n in range(20)), (7, 999), (45, 20), (46, 46)]
    lines = "issue\tduplicate_of\twho\n" + "".join(f"{a}\t{b}\tX\n" for a, b in pairs)
    (home / "duplicates.tsv").write_text(lines, encoding="utf-8")
    return tmp_path


def test_labels_are_items_with_their_names_as_texts(data: Path) -> None:
    task = ranks_accuracy.labels(sets.issues(data))
    assert [item.id for item in task.catalogue] == [
        "A-bread",
        "A-sparrow",
        "A-tram",
        "A-violin",
        "bug",
    ]
    assert task.catalogue[0].text == "A bread"
    assert (len(task.train), len(task.judged)) == (40, 10)
    assert task.train[3].text == "The bread number 3 fails\n"
    assert task.train[0].items == ("A-sparrow", "bug")
    # Half of the texts have "bug"; the four others have ten texts each.
    found = ranks_accuracy.by_popularity(task)
    assert found.recall["5"] == 1
    assert found.recall["1"] == pytest.approx(0.25)  # "bug" is one of two labels of every second


def test_duplicates_find_what_is_no_duplicate_itself(data: Path) -> None:
    task = ranks_accuracy.duplicates(sets.issues(data))
    ids = {item.id for item in task.catalogue}
    assert ids == {str(n) for n in (*range(20), *range(40, 60))} - {"45"}
    pairs = [e for e in (*task.train, *task.judged) if "\n" in e.text]
    assert len(pairs) == 20  # without the one whose older issue is a duplicate
    assert {len(e.items) for e in pairs} == {1}
    titles = [e for e in task.train if "\n" not in e.text]
    assert len(titles) == len(ids)
    assert 0 < len(task.judged) < len(pairs)
    assert not {e.text for e in task.judged} & {e.text for e in task.train}
    found = ranks_accuracy.by_tfidf(task)
    assert found.texts == len(task.judged)
    assert found.recall["50"] == 1
    assert found.mean_rank < len(ids) / 2  # better than chance: the thing is the same


def test_a_case_trains_and_tells_both(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks_accuracy, "CACHE", data)
    words = ("dim=8", "gram_dim=4", "phrases=64", "phrase_dim=8", "vector_dim=8", "min_count=1")
    quick = ("buckets=64", "threads=1", "epochs=1", "fine_epochs=0", "precision=fp32")
    outcome = ranks_accuracy.run("rust-labels", Options(data=data, words=(*words, *quick)))
    figures = outcome.figures
    assert figures["texts"] == figures["popularity"]["texts"] == 10
    assert list(figures["recall"]) == ["1", "5", "10", "20", "50"]
    assert [path.name for path in outcome.data] == ["train.jsonl.gz", "dev.jsonl.gz"]
    given = Options(data=data, models=(str(data / "models" / "ranks-rust-labels-0"),))
    again = ranks_accuracy.run("rust-labels", given).figures
    assert again["mrr"] == figures["mrr"]
    with pytest.raises(DataError, match="this needs data"):
        ranks_accuracy.run("rust-labels", Options())


def test_a_composite_is_whole_or_in_parts() -> None:
    found = [["a"], ["b", "a|c"], ["a", "c"], ["a", "b"]]
    wanted = [frozenset("a"), frozenset("ac"), frozenset("ac"), frozenset("c")]
    rows = ranks_accuracy._among(found, wanted)
    assert (rows["recall"]["1"], rows["recall"]["5"]) == (0.25, 0.5)
    assert (rows["parts"]["1"], rows["parts"]["5"]) == (0.25, 0.75)
