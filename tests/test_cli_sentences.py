"""The verbs of sentences, as a user sees them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import numpy as np
from click.testing import CliRunner, Result

from quern.cli import cli
from quern.data import read_sentences
from quern.tasks import load_sentences

ASKS = ("请问{}怎么{}", "我想{1}{0}", "{}可以{}吗", "how to {1} the {0}")
TINY = [
    part
    for word in ("dim=8", "gram_dim=4", "phrases=64", "phrase_dim=8", "vector_dim=8", "min_count=1",
                 "buckets=64", "threads=1", "epochs=2", "fine_epochs=0", "rate=0.01",
                 "loss=contrastive", "batch_size=32", "precision=fp32")
    for part in ("--set", word)
]  # fmt: skip


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def run(*args: str | Path, given: str | None = None, fails: int = 0) -> Result:
    result = CliRunner().invoke(cli, list(map(str, args)), input=given, prog_name="quern")
    assert result.exit_code == fails, result.output + repr(result.exception)
    return result


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data and a model trained by the verb."""
    folder = tmp_path_factory.mktemp("sentences")
    lines = [
        {"text": ask.format(thing, deed), "group": f"{thing}-{deed}"}
        for thing in ("借书证", "门票", "房间", "card")
        for deed in ("续期", "退掉", "renew", "return")
        for ask in ASKS
    ]
    write(folder / "train.jsonl", lines[:48])
    write(folder / "dev.jsonl", lines[48:])
    result = run(
        *("train", "sentences", folder / "train.jsonl", "--dev", folder / "dev.jsonl"),
        *("--out", folder / "model", "--preset", "fast", *TINY),
    )
    assert "48 windows to train on, 16 dev texts, 12 groups of 4 to 4 windows" in result.stderr
    assert "wrote " in result.stderr
    assert "dev top1 " in result.stderr
    return folder


def test_train_does_not_write_over_what_is_there(place: Path) -> None:
    result = run("train", "sentences", place / "train.jsonl", "--out", place / "model", fails=1)
    assert f"{place / 'model'}: exists already" in str(result.exception)


def test_evaluate_ranks_groups(place: Path) -> None:
    shown = run("evaluate", place / "model", place / "dev.jsonl").stdout
    assert "sentences they are looked for among      16" in shown
    assert "cosine ≥   answered   precision   right of answerable" in shown
    told = json.loads(
        run("evaluate", place / "model", place / "dev.jsonl", "--format", "json").stdout
    )
    written = json.loads((place / "model" / "metrics.json").read_text("utf-8"))
    assert told["top"]["1"] == pytest.approx(written["dev"]["top1"])
    assert (told["queries"], told["known"], told["answerable"]) == (16, 16, 16)


def test_evaluate_looks_among_known_ones(place: Path) -> None:
    asked = [
        {"text": "请问借书证怎么续期", "group": "借书证-续期"},
        {"text": "明天会下雨吗", "group": "elsewhere"},
    ]
    data = write(place / "asked.jsonl", asked)
    words = ("evaluate", place / "model", data, "--known", place / "train.jsonl")
    told = json.loads(run(*words, "--format", "json").stdout)
    assert (told["queries"], told["known"], told["answerable"]) == (2, 48, 1)
    assert told["top"]["1"] == 1
    assert told["cuts"][0]["refused"] in (0, 1)
    assert "refused of the others" in run(*words).stdout


def test_evaluate_grades_pairs(place: Path) -> None:
    pairs = [
        {"text": "请问门票怎么退掉", "other": "请问门票怎么退掉", "score": 1},
        {"text": "请问门票怎么退掉", "other": "how to renew the card", "score": 0},
    ]
    data = write(place / "pairs.jsonl", pairs)
    told = json.loads(run("evaluate", place / "model", data, "--format", "json").stdout)
    assert (told["pairs"], told["spearman"], told["accuracy"]) == (2, pytest.approx(1), 1)
    assert "rank correlation" in run("evaluate", place / "model", data).stdout
    result = run("evaluate", place / "model", data, "--known", data, fails=2)
    assert "--known is for sentences in groups" in result.output


@pytest.mark.parametrize("option", ["--strict", "--report=x.html", "--kb=x.kb", "--entities=x"])
def test_evaluate_refuses_what_is_for_other_tasks(place: Path, option: str) -> None:
    result = run("evaluate", place / "model", place / "dev.jsonl", option, fails=2)
    assert f"{option.partition('=')[0]} is not for a model such as" in result.output


def test_vectors_of(place: Path) -> None:
    texts = [example.text for example in read_sentences(place / "dev.jsonl")]
    wanted = load_sentences(place / "model")([*texts, "   "])
    file = place / "dev.txt"
    file.write_text("\n".join(texts), "utf-8")
    result = run("vectors-of", "--model", place / "model", file, "--out", place / "v.npy")
    assert "16 texts, vectors of 8 numbers" in result.stderr
    assert np.array_equal(np.load(place / "v.npy"), wanted[:-1])
    lines = run("vectors-of", "--model", place / "model", given="\n".join(texts)).stdout
    rows = [json.loads(line) for line in lines.splitlines()]
    assert [row["line"] for row in rows] == list(range(1, 17))
    assert np.allclose([row["vector"] for row in rows], wanted[:-1], atol=1e-7)
    result = run("vectors-of", "--model", place / "model", file, "--out", place / "v.txt", fails=2)
    assert "write to a name that ends in .npy" in result.output


def test_vectors_of_leaves_nothing_half_written(place: Path) -> None:
    bad = place / "bad.jsonl"
    bad.write_text('{"text": "门票"}\n{"txt": 1}\n', "utf-8")
    out = place / "w.npy"
    result = run("vectors-of", "--model", place / "model", bad, "--out", out, fails=1)
    assert f"{bad}:2:" in str(result.exception)
    assert not out.exists()
    assert not list(place.glob("*.part"))


def test_vectors_of_as_parquet(place: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [{"text": f"门票 {n}"} | ({"id": n} if n % 2 else {}) for n in range(600)]
    file = write(place / "p.jsonl", rows)
    words = ("vectors-of", "--model", place / "model", file)
    run(*words, "--out", place / "p.npy")
    run(*words, "--out", place / "p.parquet")
    table = parquet.read_table(place / "p.parquet")
    assert table.column_names == ["file", "line", "id", "vector"]
    assert table["line"].to_pylist() == list(range(1, 601))
    assert table["id"].to_pylist() == [str(n) if n % 2 else None for n in range(600)]
    assert set(table["file"].to_pylist()) == {str(file)}
    vectors = np.array(table["vector"].to_pylist(), dtype=np.float32)
    assert np.array_equal(vectors, np.load(place / "p.npy"))
    empty = write(place / "empty.jsonl", [])
    run("vectors-of", "--model", place / "model", empty, "--out", place / "e.parquet")
    assert parquet.read_table(place / "e.parquet").num_rows == 0


def test_parquet_without_its_extra_says_so(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    out = place / "m.parquet"
    words = ("vectors-of", "--model", place / "model", place / "dev.jsonl", "--out", out)
    assert str(run(*words, fails=1).exception) == (
        "writing Parquet needs the 'parquet' extra: pip install 'quern[parquet]'"
    )
    assert not out.exists()


def test_export_in_int8(place: Path) -> None:
    out = place / "small"
    words = ("export", place / "model", out, "--int8", "--data", place / "dev.jsonl")
    result = CliRunner().invoke(cli, list(map(str, words)), prog_name="quern")
    assert f"wrote {out}: top-1 " in result.stderr
    old, new = load_sentences(place / "model"), load_sentences(out)
    texts = [example.text for example in read_sentences(place / "dev.jsonl")]
    assert (old(texts) * new(texts)).sum(axis=1).min() > 0.98
    assert np.array_equal(new(texts), np.stack([new([text])[0] for text in texts]))
    assert new.identity != old.identity


def test_check(place: Path) -> None:
    assert (
        "Training would take this data as it is."
        in run("check", "sentences", place / "train.jsonl", "--dev", place / "dev.jsonl").stdout
    )
    odd = [
        {"text": "门票多少钱", "group": "a"},
        {"text": "门票多少钱", "group": "b"},
        {"text": "几点开门", "group": "b"},
        {"text": "几点开门", "group": "b"},
        {"text": "​", "group": "c"},
    ]
    data = write(place / "odd.jsonl", odd)
    shown = run("check", "sentences", data, "--dev", data).stdout
    for said in (
        "sentences that stand in several groups: 1",
        f"{data}:2: in group 'b', and in 'a' in line 1: 门票多少钱",
        f"{data}:4: as in line 3",
        "groups of a single sentence: 2",
        "dev sentences that stand in train as well: 3",
        f"{data}:1: 'a', train line 1",
    ):
        assert said in shown
    one = write(place / "one.jsonl", odd[2:4])
    result = run("check", "sentences", one, "--format", "json", fails=1)
    report = json.loads(result.stdout)
    assert [f["kind"] for f in report["findings"]] == ["groups", "duplicate"]
    assert report["accepted"] is False
    assert report["findings"][0]["places"] == [
        {"line": 0, "detail": "1 group(s), the largest of 2"}
    ]
