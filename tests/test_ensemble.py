"""Several models as one: averages, what fits together, and the folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import quern
from quern.ensemble import write_ensemble
from quern.errors import DataError, FolderError
from quern.folder import ModelFolder
from quern.records import LabelledTriple, TripleExample
from quern.runtime import Arrays, Averaged, Results
from quern.shipped import find

TEXTS = ["歌手苏小婉演唱了《渡口来信》。", "《石桥夜话》的作者是林暮云。", "", "今天下雨。"]
DEV = [
    TripleExample(TEXTS[0], (LabelledTriple("渡口来信", "歌手", "苏小婉"),)),
    TripleExample(TEXTS[1], (LabelledTriple("石桥夜话", "作者", "林暮云"),)),
]


class Scaled:
    """A graph that multiplies."""

    def __init__(self, factor: float) -> None:
        self.factor = factor
        self.given: list[Arrays] = []

    def __call__(self, inputs: Arrays) -> Results:
        self.given.append(inputs)
        x = np.asarray(inputs["x"], dtype=np.float32)
        return {"said": self.factor * x, "kept": x + self.factor}


def test_what_is_averaged_and_what_is_handed_on() -> None:
    one, two = Scaled(1), Scaled(3)
    both = Averaged([one, two], ["said"])
    found = both({"x": np.array([2.0], dtype=np.float32)})
    assert {name: array.tolist() for name, array in found.items()} == {
        "said": [4.0], "0.kept": [3.0], "1.kept": [5.0],
    }  # fmt: skip
    assert found["said"].dtype == np.float32
    both({"x": np.zeros(1), **found})
    assert one.given[-1].keys() == two.given[-1].keys() == {"x", "said", "kept"}
    assert one.given[-1]["kept"].tolist() == [3.0]
    assert two.given[-1]["kept"].tolist() == [5.0]


def test_two_of_one_model_say_what_it_says(tmp_path: Path) -> None:
    source = find("zh-triples")
    metrics = write_ensemble([source, source], tmp_path / "two", DEV)
    folder = ModelFolder(tmp_path / "two")
    assert folder.manifest.members == 2
    assert folder.manifest.precision == "int8"
    assert metrics["members"] == {str(source): metrics["dev"]["f1"]}
    one, two = quern.load("zh-triples"), quern.load(tmp_path / "two")
    two.thresholds, two.calibration = one.thresholds, one.calibration  # fitted to two lines
    assert two(TEXTS) == one(TEXTS)
    assert [two([text])[0] for text in TEXTS] == two(TEXTS)


def test_an_ensemble_counts_as_its_members(tmp_path: Path) -> None:
    source = find("zh-triples-fast")
    write_ensemble([source, source], tmp_path / "two", DEV)
    write_ensemble([tmp_path / "two", source], tmp_path / "three", DEV)
    assert ModelFolder(tmp_path / "three").manifest.members == 3
    assert len(list((tmp_path / "three").glob("objects-*.onnx"))) == 3
    assert quern.load(tmp_path / "three")(TEXTS)


def test_what_does_not_fit_together_is_refused(tmp_path: Path) -> None:
    zh, en = find("zh-triples"), find("en-triples")
    with pytest.raises(FolderError) as caught:
        write_ensemble([zh, en], tmp_path / "both", DEV)
    assert str(caught.value) == (
        f"{en}: has another vocabulary than {zh}; probabilities can only be averaged of models "
        "that were trained together (quern train --folds)"
    )
    with pytest.raises(FolderError, match="two models or more"):
        write_ensemble([zh], tmp_path / "both", DEV)
    with pytest.raises(DataError, match="hold no triples"):
        write_ensemble([zh, zh], tmp_path / "both", [TripleExample("没有。", ())])
    assert not list(tmp_path.iterdir())


def test_from_the_command_line(tmp_path: Path) -> None:
    dev = tmp_path / "dev.jsonl"
    rows = [{"text": e.text, "triples": [list(t.key) for t in e.triples]} for e in DEV]
    dev.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    out = tmp_path / "ensemble"
    words = ["zh-triples-fast", "zh-triples-fast", "--out", str(out), "--data", str(dev)]
    command = [sys.executable, "-m", "quern.cli", "ensemble", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert f"wrote {out}: F1 " in done.stderr
    assert "# ensemble" in (out / "README.md").read_text(encoding="utf-8")
