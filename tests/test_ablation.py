"""What the cases of the ablation train on, and how their results are shown."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from benchmarks import __main__ as runner
from benchmarks import records, training, triples_ablation
from benchmarks.options import Options
from benchmarks.triples_ablation import PARTS, SIZES, Part, chosen, labelled, table
from benchmarks.triples_accuracy import planned
from quern import shipped
from quern.errors import DataError
from quern.folder import ModelFolder
from quern.records import LabelledTriple, TripleExample
from quern.train.fit import Fold
from quern.train.triple_training import Plan

LINES = [TripleExample(f"text {i}", (), complete=i % 2 == 0, predicates=("p",)) for i in range(20)]


def test_every_case_is_a_plan_and_an_encoder_is_asked_for() -> None:
    cases = triples_ablation.cases(Options())
    assert "plain-1000" in cases and "incomplete-as-complete-all" in cases
    assert not any(case.startswith("init") for case in cases)
    assert "init-4000" in triples_ablation.cases(Options(init=Path("encoder")))
    for recipe in SIZES.values():
        for part in PARTS.values():
            planned(recipe._replace(words=(*recipe.words, *part.words)), Options())


def test_preset_and_settings_of_the_command_line_come_last() -> None:
    options = Options(preset="full", words=("epochs=2",), seed=3)
    said, plan = planned(SIZES["1000"], options)
    assert said["preset"] == "full" and said["set"][-1] == "epochs=2"
    assert (plan.schedule.epochs, plan.schedule.seed, plan.settings.dim) == (2, 3, 128)


def test_smaller_lots_lie_in_larger_ones() -> None:
    few, more = chosen(LINES, 5, seed=1), chosen(LINES, 12, seed=1)
    assert more[:5] == few and len({line.text for line in more}) == 12
    assert chosen(LINES, 5, seed=2) != few and chosen(LINES, None, seed=1) == LINES
    with pytest.raises(DataError, match="20 lines, 21"):
        chosen(LINES, 21, seed=1)


def test_lines_with_gaps_are_marked_dropped_or_taken_for_whole() -> None:
    assert labelled(LINES, Part()) == LINES
    assert labelled(LINES, Part(incomplete="dropped")) == LINES[::2]
    whole = labelled(LINES, Part(incomplete="complete"))
    assert whole[::2] == LINES[::2] and all(line.complete for line in whole)
    assert [line.predicates for line in whole[1::2]] == [None] * 10


def result(case: str, f1: float, seconds: float, words: tuple[str, ...] = ()) -> dict[str, Any]:
    figures = {"preset": "fast", "set": ["augment=0.5", *words], "dev": {"f1": f1}}
    return {
        "benchmark": "triples_ablation",
        "case": case,
        "figures": {**figures, "seconds": seconds},
    }


def test_results_become_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        result("plain-1000", 0.4, 100),
        result("plain-1000", 0.5, 200),
        result("no-augment-1000", 0.43, 90, PARTS["no-augment"].words),
        result("folds-4000", 0.6, 1000),
    ]
    assert table(lines).splitlines()[2:] == [
        "| plain | 1000 | fast | 2 | 0.4500 (0.4000 to 0.5000) |  | 150 |",
        "| no-augment | 1000 | fast | 1 | 0.4300 | -2.0 | 90 |",
        "| folds | 4000 | fast | 1 | 0.6000 |  | 1,000 |",
    ]
    words = ["triples_ablation", "--table", "--results", str(tmp_path)]
    assert runner.main(words) == 1 and "no results yet" in capsys.readouterr().err
    for line in lines:
        records.append(tmp_path, line)
    assert runner.main(words) == 0
    assert capsys.readouterr().out.strip() == table(lines)
    assert runner.main(["speed", *words[1:]]) == 1 and "no table" in capsys.readouterr().err


def test_folds_are_trained_apart_and_averaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[Fold] = []

    def train(lines: object, dev: object, plan: object, out: Path, fold: Fold) -> None:
        trained.append(fold)
        shutil.copytree(shipped.find("zh-triples"), out)

    monkeypatch.setattr(training, "train", train)
    told = LabelledTriple("石桥夜话", "作者", "林暮云")
    lines = [TripleExample("《石桥夜话》的作者是林暮云。", (told,))]
    figures = triples_ablation._ensemble(2, lines, lines, Plan(), tmp_path / "run")
    assert trained == [Fold(0, 2), Fold(1, 2)]
    assert (figures["folds"], figures["train_texts"]) == (2, 1)
    assert figures["members"] == [figures["dev"]["f1"]] * 2 and figures["seconds"] > 0
    assert ModelFolder(tmp_path / "run" / "ensemble").manifest.members == 2
