"""The doctor on link data: every finding, the figures, the page and the exit status."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from quern.cli.check import command
from quern.data import BadLine
from quern.doctor import LINK_KINDS, Reach, examine_candidates, examine_links
from quern.evaluation.link_figures import RecallAt
from quern.kb import KnowledgeBase
from quern.records import Entity, LabelledMention, LinkExample
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
    by_base = {"lacking", "unproposed"}
    assert {kind for kind, _ in CASES} | {"overlap"} | by_base == set(LINK_KINDS)


@pytest.fixture
def base(tmp_path: Path) -> Iterator[KnowledgeBase]:
    """A knowledge base with namesakes."""
    with KnowledgeBase.open(tmp_path / "people.kb", create=True) as kb:
        kb.add(Entity("Q1", "岳青", types=("画家",)))
        kb.add(Entity("Q2", "岳青", types=("渔夫",), popularity=3.0))
        kb.add(Entity("Q3", "云州"))
        yield kb


def test_the_ceiling_is_what_candidates_reach(base: KnowledgeBase) -> None:
    """Q2 goes before Q1, until another text labels its name with Q1; NIL asks for nobody."""
    train = [
        example("岳青住在云州。", ("岳青", 0, "Q1"), ("云州", 4, "Q3"), line=1),
        example("岳青与阿云", ("岳青", 0, "Q9|Q1"), ("阿云", 3, "Q2"), line=2),
        example("云州城", ("云州", 0, None), ("云", 1, "Q1"), line=3),
    ]
    dev = [
        example("阿云", ("阿云", 0, "Q2"), line=1),
        example("岳青在哪", ("岳青", 0, "Q1"), ("哪", 3, "Q3"), line=2),
    ]
    plain = examine_links(train, dev)
    seen = []
    report = examine_candidates(plain, train, dev, base, seen.append)
    assert sum(seen) == 5
    # Of train 岳青 is second (nobody else labels it), 云州 first; only its own text labels 阿云.
    assert report.train.reach == Reach(
        3, 1, 1, (RecallAt(1, 1 / 3), RecallAt(5, 2 / 3), RecallAt(16, 2 / 3))
    )
    # Of dev 阿云 and 岳青 are first, by the labels of train.
    assert report.dev is not None
    assert report.dev.reach == Reach(
        3, 0, 1, (RecallAt(1, 2 / 3), RecallAt(5, 2 / 3), RecallAt(16, 2 / 3))
    )
    told = [f for f in report.findings if f not in plain.findings]
    assert [(f.file, f.kind, f.places[0].line, f.places[0].detail) for f in told] == [
        ("train", "lacking", 2, "'岳青': Q9"),
        ("train", "unproposed", 2, "'阿云': '岳青' (Q2)"),
        ("dev", "unproposed", 2, "'哪': '云州' (Q3)"),
    ]
    assert report.accepted is plain.accepted and plain.train.reach is None


def test_without_labels_of_the_base_there_is_no_share(base: KnowledgeBase) -> None:
    train = [example("岳青", ("岳青", 0, None))]
    report = examine_candidates(examine_links(train), train, None, base)
    none = tuple(RecallAt(k, None) for k in (1, 5, 16))
    assert report.train.reach == Reach(0, 0, 0, none) and report.dev is None


def test_the_page_shows_the_ceiling(base: KnowledgeBase, tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    labels = [
        {"mention": "岳青", "start": 0, "kb_id": "Q2"},
        {"mention": "云州", "start": 4, "kb_id": "Q8"},
    ]
    path.write_text(json.dumps({"text": FINE.text, "mentions": labels}), encoding="utf-8")
    asked = ["links", str(path), "--kb", str(base.path)]
    said = CliRunner().invoke(command, asked)
    assert said.exit_code == 0, said.output
    rows = {" ".join(line.split()) for line in said.stdout.splitlines()}
    assert {"mentions whose entity it lacks 1", "recall of the candidates at 1 100.0 %"} <= rows
    assert f"{path}:1: '云州': Q8" in said.stdout
    told = json.loads(CliRunner().invoke(command, [*asked, "--format", "json"]).stdout)
    assert told["train"]["reach"]["candidates"][0] == {"k": 1, "recall": 1.0}
    lost = CliRunner().invoke(command, ["links", str(path), "--kb", str(tmp_path / "none.kb")])
    assert lost.exit_code == 1 and "no such knowledge base" in str(lost.exception)


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
