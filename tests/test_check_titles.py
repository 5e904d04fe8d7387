"""The doctor on documents with titles: every finding, the figures, the page and the exit status."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from quern.cli.check import command
from quern.data import BadLine, scan_titles
from quern.doctor import TITLE_KINDS, examine_titles
from quern.doctor.titles import limits
from quern.records import TitleExample


def example(body: str, title: str, line: int = 1) -> TitleExample:
    """A line of title data."""
    return TitleExample(body, title, None, line)


FINE = [
    example("The mill stops when the sluice is open. It should not.", "Mill stops", 1),
    example("水车在闸门打开时停转，不应如此。", "闸门打开时水车停转", 2),
]
CASES = [
    ("bad", BadLine(9, "torn"), "torn"),
    ("wordless", example("What is 12 for?", "12?", 9), "'12?'"),
    ("longer", example("It stops.", "It stops, and why?", 9), "6 units, the body has 3"),
    (
        "contradiction",
        example(" the MILL stops when the sluice is open. It should not.", "Sluice", 9),
        "'Sluice', and 'Mill stops' in line 1",
    ),
    (
        "duplicate",
        example("水车在闸门打开时停转，不应如此。", "闸门打开时水车停转", 9),
        "as in line 2",
    ),
]


@pytest.mark.parametrize(("kind", "row", "detail"), CASES)
def test_each_finding_has_its_case(kind: str, row: TitleExample | BadLine, detail: str) -> None:
    report = examine_titles([*FINE, row])
    (finding,) = report.findings
    assert (finding.kind, finding.count, finding.places[0].line) == (kind, 1, 9)
    assert finding.places[0].detail == detail
    assert report.accepted is (kind != "bad") is not finding.stops
    assert {kind for kind, _, _ in CASES} | {"few", "overlap"} == set(TITLE_KINDS)


def test_dev_is_held_against_train() -> None:
    dev = [example("水车在闸门打开时停转，不应如此。", "停转", 4), example("a b c d", "e", 5)]
    report = examine_titles(FINE, dev)
    assert [(f.kind, f.file, f.places[0].line, f.places[0].detail) for f in report.findings] == [
        ("overlap", "dev", 4, "train line 2")
    ]
    nothing = examine_titles([], [])
    assert [(f.kind, f.file, f.stops) for f in nothing.findings] == [
        ("few", "train", True),
        ("few", "dev", True),
    ]
    assert nothing.train.body_limits == () and nothing.train.copied == 0


def test_the_figures() -> None:
    rows = [
        example("Mill stops\nIt stops at night.", "mill  stops".replace("  ", " "), 1),
        example("It grinds.", "Mill grinds", 2),
        BadLine(3, "torn"),
        example("a b c d e", "Grinds 12", 4),
    ]
    dev = [example("the mill grinds oats", "Mill oats sell", 1)]
    report = examine_titles(rows, dev)
    train = report.train
    assert (train.lines, train.bad, train.titles, train.first_line) == (4, 1, 3, 1)
    assert (train.words, train.copied) == (6, pytest.approx(3 / 6))  # mill, stops, grinds
    assert (train.bodies.longest, train.lengths.longest) == (7, 2)
    # By count: mill and grinds twice; stops and 12 once.
    one, two, three = train.coverage[:3]
    assert (one.count, one.words, one.covered, one.copied) == (1, 4, 1, 1)
    assert (two.count, two.words) == (2, 2)
    assert (two.covered, two.copied) == (pytest.approx(4 / 6), pytest.approx(5 / 6))  # and stops
    assert (three.words, three.covered, three.copied) == (0, 0, train.copied)
    of_dev = report.dev
    assert of_dev is not None
    assert of_dev.copied == pytest.approx(2 / 3)
    assert of_dev.coverage[0].words == 4  # of train
    assert of_dev.coverage[0].covered == pytest.approx(1 / 3)
    assert of_dev.coverage[0].copied == pytest.approx(2 / 3)


def test_limits_say_what_they_lose() -> None:
    found = limits(list(range(1, 1001)))
    assert [(limit.share, limit.units, limit.cut) for limit in found] == [
        (0.95, 950, 50),
        (0.99, 990, 10),
        (0.995, 995, 5),
    ]
    assert found[1].lost == pytest.approx(sum(range(1, 11)) / sum(range(1, 1001)))
    assert [(limit.units, limit.cut, limit.lost) for limit in limits([7])] == [(7, 0, 0)] * 3


@given(st.lists(st.integers(0, 50), min_size=1))
def test_a_limit_is_the_least_that_keeps_its_share(lengths: list[int]) -> None:
    for limit in limits(lengths):
        whole = sum(length <= limit.units for length in lengths)
        below = sum(length < limit.units for length in lengths)
        assert whole >= limit.share * len(lengths) - 1e-9 and below < limit.share * len(lengths)
        assert limit.cut == len(lengths) - whole


def test_the_page_and_the_exit_status(tmp_path: Path) -> None:
    path, dev = tmp_path / "train.jsonl", tmp_path / "dev.jsonl"
    lines = "\n".join(json.dumps({"body": e.body, "title": e.title}) for e in FINE)
    path.write_text(lines, encoding="utf-8")
    dev.write_text(lines, encoding="utf-8")
    alone = CliRunner().invoke(command, ["titles", str(path)])
    assert alone.exit_code == 0, alone.output
    assert "Training would take this data as it is." in alone.stdout
    both = CliRunner().invoke(command, ["titles", str(path), "--dev", str(dev)])
    rows = {" ".join(line.split()) for line in both.stdout.splitlines()}
    assert {
        "documents with titles 2 2",
        "words of titles that stand in the body 100.0 % 100.0 %",
    } <= rows
    assert "train, bodies 99.0 % (proposed) 16 0 0.0 %" in rows
    assert "1 11 100.0 % 100.0 % 100.0 % 100.0 %" in rows
    assert f"{dev}:2: train line 2" in both.stdout
    assert "train, bodies: units of a text (a window holds 256)" in both.stdout
    path.write_text('{"body": "a b", "title": " "}\n{"body": "a b"}\n', encoding="utf-8")
    said = CliRunner().invoke(command, ["titles", str(path)])
    assert said.exit_code == 1
    assert f'{path}:1: "title" is empty' in said.stdout
    asked = ["titles", str(path), "--format", "json"]
    told = json.loads(CliRunner().invoke(command, asked).stdout)
    assert told["train"]["bad"] == 2 and not told["accepted"]
    assert [finding["kind"] for finding in told["findings"]] == ["bad", "few"]


def test_the_page_explains_every_finding_and_its_examples_are_sound(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "docs" / "data.md").read_text(encoding="utf-8")
    page = page[page.index("## Documents with titles") : page.index("## Texts for extract")]
    for kind in TITLE_KINDS.values():
        assert f"\n| {kind.what} | " in page
    (lines,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    (tmp_path / "titles.jsonl").write_text(lines, encoding="utf-8")
    report = examine_titles(scan_titles(tmp_path / "titles.jsonl"))
    assert not report.findings and report.train.titles == 2
