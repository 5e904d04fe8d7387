"""The doctor on link data: every finding, the figures, the page and the exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from quern.cli.check import command
from quern.data import BadLine
from quern.doctor import LINK_KINDS, examine_links
from quern.records import LabelledMention, LinkExample
from quern.text import CodecRules


def example(text: str, *mentions: tuple[str, int, str | None], line: int = 1) -> LinkExample:
    """A line with labels."""
    return LinkExample(text, tuple(LabelledMention(*m) for m in mentions), line=line)


FINE = example("岳青住在云州。", ("岳青", 0, "Q1"), ("云州", 4, None))
CASES = [
    ("bad", BadLine(1, "torn")),
    ("nothing", example("雨。")),
    ("absent", example("雨雪。", ("雪", 0, None))),
    ("border", example("Norden", ("Nor", 0, None))),
    ("window", example("一二三四五", ("一二三四五", 0, None))),
    ("crossing", example("云州城", ("云州", 0, "Q2"), ("云州城", 0, "Q3"))),
    ("entities", example("云州", ("云州", 0, "Q2"), ("云州", 0, None))),
    ("edges", example("云州 雨", ("云州 ", 0, "Q2"))),
    ("conflict", example(FINE.text, ("岳青", 0, "Q1"), line=2)),
    ("duplicate", example(FINE.text, *((m.mention, m.start, m.kb_id) for m in FINE.mentions))),
    ("empty", example(" ")),
]


@pytest.mark.parametrize(("kind", "row"), CASES, ids=[kind for kind, _ in CASES])
def test_each_finding_has_its_case(kind: str, row: LinkExample | BadLine) -> None:
    fine = [] if kind == "nothing" else [FINE]
    report = examine_links([*fine, row], rules=CodecRules(window=4, overlap=2))
    assert [finding.kind for finding in report.findings] == [kind]
    assert report.accepted is (kind not in ("bad", "nothing", "absent", "border", "window"))


def test_dev_is_held_against_train() -> None:
    dev = [
        FINE,
        example("岳青与岳青", ("岳青", 0, "Q1"), ("岳青", 3, "Q9"), ("与", 2, None), line=2),
    ]
    report = examine_links([FINE], dev)
    assert [(f.kind, f.file, f.places[0].detail) for f in report.findings] == [
        ("overlap", "dev", "train line 1")
    ]
    train, of_dev = report.train, report.dev
    assert (train.mentions, train.nil, train.names, train.entities, train.known) == (2, 1, 2, 1, 0)
    assert of_dev is not None
    # In the text that both share, no other text of train labels the names.
    assert (of_dev.mentions, of_dev.names, of_dev.entities, of_dev.known) == (5, 3, 2, 2 / 5)
    assert {kind for kind, _ in CASES} | {"overlap"} == set(LINK_KINDS)


def test_the_page_and_the_exit_status(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    row = {"text": FINE.text, "mentions": [{"mention": "岳青", "start": 1, "kb_id": "Q1"}]}
    path.write_text(json.dumps(row), encoding="utf-8")
    said = CliRunner().invoke(command, ["links", str(path)])
    assert said.exit_code == 1
    assert f"STOP {path}: mentions that do not stand where they are said to begin: 1" in said.stdout
    assert f"{path}:1: '岳青' (Q1) does not stand in the text at character 1" in said.stdout
    told = CliRunner().invoke(command, ["links", str(path), "--format", "json"])
    assert json.loads(told.stdout)["train"]["lost"] == 1
    wrong = CliRunner().invoke(command, ["links", str(path), "--window", "4", "--overlap", "4"])
    assert wrong.exit_code == 2 and "4 is not less than --window (4)" in wrong.stderr
