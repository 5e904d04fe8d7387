"""The doctor on texts with items: every finding, the figures, the page and the exit status."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from quern.cli.check import command
from quern.data import BadLine, read_table, scan_catalogue, scan_ranks
from quern.doctor import RANK_KINDS, examine_ranks
from quern.errors import DataError
from quern.records import Item, RankExample
from quern.text import CodecRules


def example(text: str, *items: str, line: int = 1, negatives: tuple[str, ...] = ()) -> RankExample:
    """A line of rank data."""
    return RankExample(text, items, negatives, None, line)


FINE = [
    example("the tram is late", "tram", line=1),
    example("Who tunes violins?", "violin", line=2),
]
CATALOGUE = [Item("tram", "trams and trains", None, 1), Item("violin", "the violin", 2.0, 2)]
OF_TRAIN = [
    ("bad", BadLine(9, "torn"), "torn"),
    ("unknown", example("gone", "tram", "ferry", line=9), "'ferry'"),
    ("unknown", example("gone", "tram", line=9, negatives=("ferry",)), "'ferry'"),
    (
        "contradiction",
        example("who tunes violins？", "tram", line=9),
        "'tram', and 'violin' in line",
    ),
    ("duplicate", example(" The tram is LATE", "tram", line=9), "as in line 1"),
]
OF_CATALOGUE = [
    ("bad", BadLine(9, "torn"), "torn"),
    ("repeated", Item("tram", "again", None, 9), "'tram', as in line 1"),
    ("bare", Item("x", " ", None, 9), "'x'"),
    ("twins", Item("x", "The Violin", None, 9), "'x' and 'violin' in line 2: The Violin"),
    ("unnamed", Item("x", "glaciers", None, 9), "'x'"),
]


@pytest.mark.parametrize(("kind", "row", "detail"), OF_TRAIN)
def test_each_finding_of_texts_has_its_case(kind: str, row: object, detail: str) -> None:
    report = examine_ranks([*FINE, row], CATALOGUE)
    (finding,) = report.findings
    assert (finding.kind, finding.file, finding.count) == (kind, "train", 1)
    assert finding.places[0].line == 9
    assert finding.places[0].detail.startswith(detail)
    assert report.accepted is (kind not in ("bad", "unknown")) is not finding.stops


@pytest.mark.parametrize(("kind", "row", "detail"), OF_CATALOGUE)
def test_each_finding_of_the_catalogue_has_its_case(kind: str, row: object, detail: str) -> None:
    report = examine_ranks(
        [*FINE, example("x", "x", line=3)], [*CATALOGUE, Item("x", "x", None, 3)]
    )
    assert not report.findings
    named = [] if kind == "unnamed" or not isinstance(row, Item) else [example("x", row.id, line=3)]
    report = examine_ranks([*FINE, *named], [*CATALOGUE, row])
    (finding,) = report.findings
    assert (finding.kind, finding.file, finding.count) == (kind, "catalogue", 1)
    assert (finding.places[0].line, finding.places[0].detail) == (9, detail)
    assert report.accepted is (kind not in ("bad", "repeated")) is not finding.stops


def test_every_kind_has_a_test() -> None:
    here = {kind for kind, _, _ in (*OF_TRAIN, *OF_CATALOGUE)}
    assert here | {"few", "overlap", "unseen", "nan", "zero", "same"} == set(RANK_KINDS)


def test_what_training_refuses_is_told_before() -> None:
    report = examine_ranks([example("a", "gone")], CATALOGUE[:1], [])
    assert [(f.kind, f.file) for f in report.findings if f.stops] == [
        ("few", "train"),
        ("few", "dev"),
        ("few", "catalogue"),
        ("unknown", "train"),
    ]
    assert not report.accepted


def test_dev_is_held_against_train() -> None:
    more = [*CATALOGUE, Item("ferry", "ferries", None, 3)]
    dev = [example("The tram is late", "tram", line=1), example("a ferry", "ferry", "gone", line=2)]
    report = examine_ranks(FINE, more, dev)
    assert [(f.kind, f.file, f.places[0].line, f.places[0].detail) for f in report.findings] == [
        ("unknown", "dev", 2, "'gone'"),
        ("overlap", "dev", 1, "train line 1"),
        ("unseen", "dev", 2, "'ferry'"),
        ("unnamed", "catalogue", 3, "'ferry'"),
    ]
    assert report.accepted  # what dev lacks is in no score, and said


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_rows_without_a_direction_are_named(dtype: type) -> None:
    table = np.array([[1, 2], [0, 0], [np.nan, 1], [np.inf, 0], [1, 2], [-0.0, 0]], dtype)
    report = examine_ranks(FINE, CATALOGUE, vectors=table)
    assert [(f.kind, [p.detail for p in f.places]) for f in report.findings] == [
        ("nan", ["row 2", "row 3"]),
        ("zero", ["row 1", "row 5"]),
        ("same", ["row 4 and row 0"]),
    ]
    assert not report.accepted
    # A table with a row for each item names them; rows of zeros alone are no reason to refuse it.
    named = examine_ranks(FINE, CATALOGUE, vectors=table[:2])
    assert [p.detail for f in named.findings for p in f.places] == ["row 1 ('violin')"]
    assert named.accepted
    assert named.catalogue.vectors == 2


def test_the_figures() -> None:
    rows = [
        example("one two three", "tram", "violin", line=1),
        example("four", "tram", line=2, negatives=("violin",)),
        BadLine(3, "torn"),
    ]
    report = examine_ranks(rows, CATALOGUE, rules=CodecRules(window=2, overlap=1))
    train = report.train
    assert (train.lines, train.bad, train.texts, train.labels, train.unknown) == (3, 1, 2, 3, 0)
    assert (train.several, train.negatives, train.items, train.most) == (1, 1, 2, 2)
    assert (train.lengths.median, train.lengths.longest, train.lengths.several) == (1, 3, 1)
    catalogue = report.catalogue
    assert (catalogue.items, catalogue.bare, catalogue.popular) == (2, 0, 1)
    assert (catalogue.vectors, catalogue.lengths.longest) == (None, 3)


def _write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_the_page_and_the_exit_status(tmp_path: Path) -> None:
    lines = [{"text": e.text, "item": e.items[0]} for e in FINE]
    train = _write(tmp_path / "train.jsonl", *lines)
    dev = _write(tmp_path / "dev.jsonl", *lines)
    catalogue = _write(
        tmp_path / "catalogue.jsonl", *({"id": item.id, "text": item.text} for item in CATALOGUE)
    )
    asked = ["ranks", str(train), "--catalogue", str(catalogue)]
    alone = CliRunner().invoke(command, asked)
    assert alone.exit_code == 0, alone.output
    assert "Training would take this data as it is." in alone.stdout
    np.save(tmp_path / "table.npy", np.zeros((2, 3), np.float32))
    more = ["--dev", str(dev), "--vectors", str(tmp_path / "table.npy")]
    both = CliRunner().invoke(command, [*asked, *more])
    assert both.exit_code == 0, both.output
    rows = {" ".join(line.split()) for line in both.stdout.splitlines()}
    assert {"texts 2 2", "items that are named 2 2", "items 2", "rows of vectors 2"} <= rows
    assert f"note {dev}: dev texts that stand in train as well: 2" in both.stdout
    assert f"note {tmp_path / 'table.npy'}: vectors that are all zero: 2" in both.stdout
    assert "  row 1 ('violin')" in both.stdout
    _write(train, {"text": "a"}, *({"text": f"b {n}", "item": "gone"} for n in range(12)))
    refused = CliRunner().invoke(command, asked)
    assert refused.exit_code == 1
    assert f'{train}:1: a line has one of "item" and "items"' in refused.stdout
    assert "… and 2 more (--all lists them)" in refused.stdout
    told = json.loads(CliRunner().invoke(command, [*asked, "--format", "json"]).stdout)
    assert told["train"]["bad"] == 1
    assert not told["accepted"]
    unknown = next(f for f in told["findings"] if f["kind"] == "unknown")
    assert (unknown["count"], len(unknown["places"])) == (12, 10)


@pytest.mark.parametrize("kind", ["none", "text", "numbers", "flat"])
def test_what_is_no_table_is_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "table.npy"
    if kind == "text":
        path.write_text("1 2 3\n", encoding="utf-8")
    elif kind != "none":
        np.save(path, np.zeros(3, np.float32) if kind == "flat" else np.zeros((2, 2), np.int64))
    with pytest.raises(DataError, match=re.escape(str(path))):
        read_table(path)


def test_the_page_explains_every_finding_and_its_examples_are_sound(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "docs" / "ranks.md").read_text(encoding="utf-8")
    for kind in RANK_KINDS.values():
        assert f"\n| {kind.what} | " in page
    texts, items = re.findall(r"```json\n(.*?)```", page, re.DOTALL)[:2]
    (tmp_path / "texts.jsonl").write_text(texts, encoding="utf-8")
    (tmp_path / "items.jsonl").write_text(items, encoding="utf-8")
    report = examine_ranks(
        scan_ranks(tmp_path / "texts.jsonl"), scan_catalogue(tmp_path / "items.jsonl")
    )
    assert not report.findings
    assert (report.train.texts, report.catalogue.items) == (3, 3)
