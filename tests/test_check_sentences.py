"""The doctor on groups of sentences: every finding, the figures, the page and the exit status."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from quern.cli.check import command
from quern.data import BadLine, read_pairs, scan_sentences
from quern.doctor import SENTENCE_KINDS, examine_sentences
from quern.records import SentenceExample
from quern.text import CodecRules


def example(text: str, group: str, line: int = 1) -> SentenceExample:
    """A line of sentence data."""
    return SentenceExample(text, group, None, line)


FINE = [
    example("怎样续借图书？", "renew", 1),
    example("图书如何续借", "renew", 2),
    example("图书馆几点关门", "hours", 3),
    example("几点关门?", "hours", 4),
]
CASES = [
    ("bad", BadLine(9, "torn"), "torn"),
    ("contradiction", example("怎样续借图书？", "hours", 9), "in group 'hours', and in 'renew'"),
    ("contradiction", example("怎样续借图书?", "hours", 9), "in group 'hours', and in 'renew'"),
    ("duplicate", example(" 怎样续借图书？", "renew", 9), "as in line 1"),
    ("alone", example("办证要带什么", "card", 9), "'card'"),
    ("wordless", example("？ 12", "hours", 9), "'？ 12'"),
    ("short", example("renew", "renew", 9), "'renew'"),
]


@pytest.mark.parametrize(("kind", "row", "detail"), CASES)
def test_each_finding_has_its_case(kind: str, row: SentenceExample | BadLine, detail: str) -> None:
    report = examine_sentences([*FINE, row])
    (finding,) = report.findings
    assert (finding.kind, finding.count, finding.places[0].line) == (kind, 1, 9)
    assert finding.places[0].detail.startswith(detail)
    assert report.accepted is (kind != "bad") is not finding.stops
    for_dev = {"groups", "overlap", "seen"}
    assert {kind for kind, _, _ in CASES} | for_dev == set(SENTENCE_KINDS)


def test_what_training_refuses_is_told_before() -> None:
    """The same as ``SentenceTraining`` asks of both."""
    one = examine_sentences(FINE[:2], FINE[2:])
    assert [(f.kind, f.file, f.places[0].detail) for f in one.findings] == [
        ("groups", "train", "1 group(s), the largest of 2"),
        ("groups", "dev", "1 group(s), the largest of 2"),
    ]
    assert not one.accepted
    apart = examine_sentences(FINE, [example("甲乙", "a"), example("丙丁", "b")])
    assert [(f.kind, f.file) for f in apart.findings] == [("groups", "dev"), ("alone", "dev")]
    nothing = examine_sentences([], [])
    assert [f.kind for f in nothing.findings] == ["groups", "groups"]
    train = nothing.train
    assert (train.tenth, train.median, train.ninetieth, train.largest) == (0, 0, 0, 0)
    assert not train.classes


def test_dev_is_held_against_train() -> None:
    dev = [
        example("怎么续借", "renew", 1),
        example("续借怎么弄", "renew", 2),
        example("图书馆几点关门", "closing", 3),
        example("几点闭馆", "closing", 4),
    ]
    report = examine_sentences(FINE, dev)
    assert [(f.kind, f.file, f.places[0].line, f.places[0].detail) for f in report.findings] == [
        ("overlap", "dev", 3, "train line 3"),
        ("seen", "dev", 1, "'renew', train line 1"),
    ]
    assert report.accepted
    assert report.dev is not None
    assert (report.train.known, report.dev.known) == (None, 1)
    # Of classes it is right that dev has those of train.
    many = [example(f"第{i}句 {name}", name, i) for name in "ab" for i in range(20)]
    some = [example(f"新的第{i}句 {name}", name, i) for name in "ab" for i in range(2)]
    classes = examine_sentences(many, some)
    assert classes.train.classes and not classes.findings


def test_the_figures() -> None:
    rows = [example(f"第{i}句 {size}", str(size), i) for size in range(1, 12) for i in range(size)]
    report = examine_sentences([*rows, BadLine(99, "torn")], rules=CodecRules(window=3, overlap=2))
    train = report.train
    assert (train.lines, train.bad, train.sentences, train.groups) == (67, 1, 66, 11)
    assert (train.alone, train.classes) == (1, False)
    assert (train.tenth, train.median, train.ninetieth, train.largest) == (2, 6, 10, 11)
    assert (train.lengths.median, train.lengths.longest, train.lengths.several) == (4, 4, 66)


def test_the_page_and_the_exit_status(tmp_path: Path) -> None:
    path, dev = tmp_path / "train.jsonl", tmp_path / "dev.jsonl"
    lines = [{"text": e.text, "group": e.group} for e in FINE]
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    dev.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    alone = CliRunner().invoke(command, ["sentences", str(path)])
    assert alone.exit_code == 0, alone.output
    assert "Training would take this data as it is." in alone.stdout
    assert "train has as well" not in alone.stdout
    both = CliRunner().invoke(command, ["sentences", str(path), "--dev", str(dev)])
    rows = {" ".join(line.split()) for line in both.stdout.splitlines()}
    assert {"groups 2 2", "groups of a single sentence 0 0"} <= rows
    assert "groups that train has as well 2" in rows
    assert f"note {dev}: groups of dev that train has as well: 2" in both.stdout
    assert f"{dev}:1: 'renew', train line 1" in both.stdout
    path.write_text('{"text": "a b"}\n{"text": "a b", "group": 1}\n', encoding="utf-8")
    said = CliRunner().invoke(command, ["sentences", str(path)])
    assert said.exit_code == 1
    assert f"{path}:1: Object missing required field `group`" in said.stdout
    asked = ["sentences", str(path), "--format", "json"]
    told = json.loads(CliRunner().invoke(command, asked).stdout)
    assert told["train"]["bad"] == 1 and not told["accepted"]
    assert [finding["kind"] for finding in told["findings"]] == ["bad", "groups", "alone"]
    wrong = CliRunner().invoke(command, ["sentences", str(path), "--window", "4", "--overlap", "4"])
    assert wrong.exit_code == 2 and "4 is not less than --window (4)" in wrong.stderr


def test_the_page_explains_every_finding_and_its_examples_are_sound(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "docs" / "data.md").read_text(encoding="utf-8")
    page = page[page.index("## Sentences in groups") : page.index("## Documents with titles")]
    for kind in SENTENCE_KINDS.values():
        assert f"\n| {kind.what} | " in page
    groups, pairs = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    (tmp_path / "groups.jsonl").write_text(groups, encoding="utf-8")
    (tmp_path / "pairs.jsonl").write_text(pairs, encoding="utf-8")
    report = examine_sentences(scan_sentences(tmp_path / "groups.jsonl"))
    assert [finding.kind for finding in report.findings] == ["alone"]
    assert (report.train.sentences, report.train.groups) == (3, 2)
    assert [pair.score for pair in read_pairs(tmp_path / "pairs.jsonl")] == [1, 0.2]


def test_ten_cases_of_a_kind_are_shown(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    lines = [{"text": str(i), "group": i % 2} for i in range(12)]
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    some = CliRunner().invoke(command, ["sentences", str(path)]).stdout
    assert "… and 2 more (--all lists them)" in some and f"{path}:12:" not in some
    assert (
        f"{path}:12: '11'" in CliRunner().invoke(command, ["sentences", str(path), "--all"]).stdout
    )
    for words, count in (([], 10), (["--all"], 12)):
        asked = ["sentences", str(path), "--format", "json", *words]
        (finding,) = json.loads(CliRunner().invoke(command, asked).stdout)["findings"]
        assert (finding["count"], len(finding["places"])) == (12, count)
