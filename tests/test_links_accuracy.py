"""The ladder of mentions on a made-up set: match, filter, model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")  # what is held out is said where trainings are

from benchmarks import links_accuracy
from benchmarks.options import Options
from quern.errors import DataError
from quern.records import LinkExample
from test_link_training import DEV, TRAIN


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with a set in the form of CCKS 2019."""
    home = tmp_path / "linking" / "ccks2019"
    home.mkdir(parents=True)
    often = [LinkExample(f"{sign}说:下雨了。", ()) for sign in "甲乙丙丁戊己庚辛壬癸"]
    for part, examples in (("train", [*TRAIN, *often]), ("dev", DEV)):
        rows = [
            {
                "text_id": str(number),
                "text": e.text,
                "mention_data": [
                    {"mention": m.mention, "offset": str(m.start), "kb_id": m.kb_id or "NIL"}
                    for m in e.mentions
                ],
            }
            for number, e in enumerate(examples)
        ]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (home / f"{part}.jsonl").write_text(lines, encoding="utf-8")
    return tmp_path


def test_the_ladder_is_climbed(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links_accuracy, "CACHE", data / "out")
    words = (
        *("dim=16", "gram_dim=8", "dilations=[1,2]", "heads=2", "head_dim=8", "buckets=64"),
        *("epochs=4", "fine_epochs=0", "batch_size=16", "rate=0.01", "precision=fp32"),
        *("threads=1", "min_count=1", "window=40", "overlap=20"),
    )
    options = Options(data=data, words=words)
    rungs = ("match", "filtered", "model")
    outcomes = [links_accuracy.run(f"ccks2019-{rung}", options) for rung in rungs]
    match, filtered, model = (outcome.figures for outcome in outcomes)
    assert 0 < match["dev"]["f1"] < model["dev"]["f1"], "most names of dev are new"
    assert filtered["ratio"] in links_accuracy.RATIOS
    assert set(filtered["held_out_f1"]) == {str(ratio) for ratio in links_accuracy.RATIOS}
    assert model["preset"] == "full" and model["epochs"] == 4
    assert [path.name for path in outcomes[0].data] == ["train.jsonl", "dev.jsonl"]
    given = Options(data=data, models=(str(data / "out" / "models" / "ccks2019-model-0"),))
    again = links_accuracy.run("ccks2019-model", given).figures
    assert again["dev"] == model["dev"]


def test_cases_are_named(data: Path) -> None:
    every = links_accuracy.cases(Options(data=data))
    assert "ccks2019-init" not in every and "ncbi-disease-filtered" in every
    assert "ccks2019-init" in links_accuracy.cases(Options(data=data, init=data))
    with pytest.raises(DataError, match="say on which set with --case"):
        links_accuracy.cases(Options(models=("x",)))
    with pytest.raises(DataError, match=r"train\.jsonl is missing"):
        links_accuracy.run("ncbi-disease-match", Options(data=data))
