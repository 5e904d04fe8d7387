"""The worked example of vectors as features, on a tiny made-up set."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")  # an example's own need, of no extra

from examples import label_features

TEXTS = [
    (f"{word} number {n}", label)
    for n in range(12)
    for word, label in (
        ("tram", "rail"),
        ("train", "rail"),
        ("violin", "music"),
        ("cello", "music"),
    )
]


def write(path: Path, rows: list[tuple[str, str]], vectors: np.ndarray) -> list[str]:
    lines = (json.dumps({"text": text, "labels": [label]}) + "\n" for text, label in rows)
    path.write_text("".join(lines), "utf-8")
    np.save(path.with_suffix(".npy"), vectors)
    return [str(path), str(path.with_suffix(".npy"))]


def test_vectors_that_know_the_labels_beat_words_that_do_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = np.array([[1.0, 0.0] if label == "rail" else [0.0, 1.0] for _, label in TEXTS])
    # The words of the test texts are new, so tf-idf has nothing to go by.
    asked = [("ferry", "rail"), ("flute", "music"), ("drum", "music"), ("a thing", "unknown")]
    of_asked = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.5, 0.5]])
    words = write(tmp_path / "train.jsonl", TEXTS, told)
    label_features.main(*words, *write(tmp_path / "test.jsonl", asked, of_asked))
    rows = capsys.readouterr().out.splitlines()
    found = [(row.split()[0], float(re.search(r"F1 (.*)", row)[1])) for row in rows]
    assert [name for name, _ in found] == ["vectors", "tf-idf", "both"]
    assert dict(found)["vectors"] >= 0.75 > dict(found)["tf-idf"]
