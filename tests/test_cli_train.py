"""Training and exporting from the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

import msgspec

from corpus import corpus
from quern.records import TripleExample

SMALL = [
    *("--set", "dim=16", "--set", "gram_dim=8", "--set", "dilations=[1]", "--set", "heads=0"),
    *("--set", "subject=ends", "--set", "epochs=1", "--set", "batch_size=32"),
    *("--set", "min_count=1", "--set", "buckets=256", "--set", "threads=1"),
]


def quern(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "quern.cli", *words], capture_output=True, text=True, check=False
    )


def write(path: Path, examples: list[TripleExample]) -> Path:
    rows = [{"text": e.text, "triples": [list(t.key) for t in e.triples]} for e in examples]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("data")
    return write(folder / "train.jsonl", corpus(80)), write(folder / "dev.jsonl", corpus(20, 1))


def test_train_then_export_then_read(files: tuple[Path, Path], tmp_path: Path) -> None:
    train, dev = files
    model, small = str(tmp_path / "m"), str(tmp_path / "m8")
    words = ["train", "triples", str(train), "--dev", str(dev), "--out", model, *SMALL]
    done = quern(*words, "--set", "name=corpus model", "--set", "licence=CC0")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "80 windows to train on, 20 dev texts, 7 labels" in done.stderr
    assert "epoch 1 (full rate): loss subjects " in done.stderr
    assert "epoch 2 (fine rate): loss subjects " in done.stderr
    card = (tmp_path / "m/README.md").read_text(encoding="utf-8")
    assert card.startswith("# corpus model\n")
    assert "Licence of the data: CC0." in card

    again = quern(*words)
    assert again.returncode == 1
    assert again.stderr == (
        f"quern: {model}: exists already; choose another name or pass --overwrite\n"
    )
    assert quern(*words, "--overwrite").returncode == 0

    done = quern("export", model, small, "--int8", "--data", str(dev))
    assert f"wrote {small}: F1 0." in done.stderr
    manifest = msgspec.json.decode((tmp_path / "m8/quern.json").read_bytes())
    assert manifest["precision"] == "int8"
    read = subprocess.run(
        [sys.executable, "-m", "quern.cli", "extract", "--model", small],
        input="王伟的父亲是李芳。".encode(), capture_output=True, check=False,
    )  # fmt: skip
    assert json.loads(read.stdout)["model"] == small


def test_an_unknown_setting_lists_the_known(files: tuple[Path, Path], tmp_path: Path) -> None:
    done = quern(
        "train", "triples", str(files[0]), "--out", str(tmp_path / "m"), "--set", "epoch=3"
    )
    assert done.returncode == 1
    assert done.stderr.startswith(
        "quern: --set epoch=3: expected KEY=VALUE with KEY one of: absent_"
    )


def test_a_setting_of_the_wrong_type_is_named(files: tuple[Path, Path], tmp_path: Path) -> None:
    out = str(tmp_path / "m")
    done = quern("train", "triples", str(files[0]), "--out", out, "--set", "epochs=many")
    assert done.returncode == 1
    assert done.stderr == "quern: --set: Expected `int`, got `str` - at `$.schedule.epochs`\n"


def test_lost_labels_stop_training(tmp_path: Path) -> None:
    rows = corpus(60)
    train = write(tmp_path / "t.jsonl", rows)
    with train.open("a", encoding="utf-8") as stream:
        stream.write('{"text": "it rained", "triples": [["it", "in", "Nowhere"]]}\n')
    done = quern("train", "triples", str(train), "--out", str(tmp_path / "m"), *SMALL)
    assert done.returncode == 1
    assert "  line 61: 'Nowhere' (in) does not stand in the text\n" in done.stderr
    assert done.stderr.endswith("or go on without them: --allow absent\n")
    assert not (tmp_path / "m").exists()


def test_folds_then_an_ensemble(files: tuple[Path, Path], tmp_path: Path) -> None:
    train, dev = files
    folds, joint = tmp_path / "folds", tmp_path / "joint"
    words = ["train", "triples", str(train), "--out", str(folds), "--folds", "2", *SMALL]
    done = quern(*words, "--fold", "1")
    assert done.returncode == 0, done.stderr
    assert [path.name for path in folds.iterdir()] == ["fold-1"]
    done = quern(*words)
    assert done.returncode == 0, done.stderr
    assert f"{folds}/fold-1: is there already\n" in done.stderr
    assert {path.name for path in folds.iterdir()} == {"fold-0", "fold-1"}
    beyond = quern(*words, "--fold", "2")
    assert beyond.returncode == 2
    assert "--fold wants --folds, and counts from 0 to one less" in beyond.stderr
    parts = [str(folds / "fold-0"), str(folds / "fold-1")]
    done = quern("ensemble", *parts, "--out", str(joint), "--data", str(dev))
    assert done.returncode == 0, done.stderr
    inside = quern("train", "triples", str(train), "--out", parts[0], "--folds", "2", *SMALL)
    assert inside.returncode == 1
    assert "is a model folder; --folds wants a folder to put models into" in inside.stderr
    int8 = quern("export", str(joint), str(tmp_path / "j8"), "--int8", "--data", str(dev))
    assert int8.returncode == 1
    assert "an ensemble; export its members, then quern ensemble" in int8.stderr
