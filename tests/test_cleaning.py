"""Votes on labels, the page to choose on, and the new file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from fake_model import fake_model
from quern.cleaning import Proposal, page, propose, read_proposals, repaired
from quern.cli import cli
from quern.errors import DataError, FolderError
from quern.records import LabelledTriple, TripleExample
from quern.triples import TripleModel

SURE = (0.9, 0.9)
TEXT = "Ada met Eve near Rye"


def voter(*objects: str) -> TripleModel:
    """Finds that Ada met each of some units."""
    marks = {("met", unit): SURE for unit in objects} | {("saw", "near"): (0.0, 0.0)}
    return fake_model([TEXT.lower()], {"ada": SURE}, marks)


def example(
    *triples: tuple[str, str, str], predicates: tuple[str, ...] | None = None
) -> TripleExample:
    labels = tuple(LabelledTriple(*triple) for triple in triples)
    return TripleExample(TEXT, labels, predicates=predicates, line=3)


MODELS = [voter("eve", "rye"), voter("eve")]


def test_what_all_find_is_proposed_and_what_none_finds_is_doubted() -> None:
    given = example(("Ada", "met", "Rye"), ("Eve", "saw", "Rye"), ("Rye", "north of", "Eve"))
    assert list(propose(MODELS, [given])) == [
        Proposal(
            line=3, action="add", triple=("Ada", "met", "Eve"), votes=2, of=2,
            score=pytest.approx(0.81), subject_start=0, object_start=8, text=TEXT,
        ),
        # Nobody can vote for "north of", which no model knows.
        Proposal(line=3, action="remove", triple=("Eve", "saw", "Rye"), votes=0, of=2, text=TEXT),
    ]  # fmt: skip


def test_fewer_votes_are_enough_where_asked() -> None:
    given = example(("Ada", "met", "Rye"))
    (add, remove) = propose(MODELS, [given], add=1, remove=1)
    assert (add.action, add.triple[2], add.votes) == ("add", "Eve", 2)
    assert (remove.action, remove.triple[2], remove.votes) == ("remove", "Rye", 1)
    with pytest.raises(FolderError, match="votes need two models"):
        list(propose(MODELS[:1], [given]))


def test_what_was_not_looked_for_is_said() -> None:
    (found,) = propose(MODELS, [example(predicates=("saw",))])
    assert not found.sought


def lines(tmp_path: Path, *rows: object) -> Path:
    path = tmp_path / "labels.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")
    return path


def test_a_new_file_holds_what_was_accepted_and_all_else_as_it_was(tmp_path: Path) -> None:
    file = lines(
        tmp_path,
        {"text": "untouched", "triples": [], "mine": [1, 2]},
        {"text": "blank follows", "triples": []},
        {"text": TEXT, "triples": [["Ada", "met", "Rye"]], "predicates": ["saw", "met"], "id": 7},
    )
    before = file.read_bytes().splitlines()
    votes: dict[str, Any] = {"votes": 2, "of": 2, "text": TEXT, "line": 3}
    accepted = [
        Proposal(
            action="add", triple=("Ada", "met", "Eve"), subject_start=0, object_start=8, **votes
        ),
        Proposal(action="add", triple=("Eve", "near", "Rye"), **votes),
        Proposal(action="remove", triple=("Ada", "met", "Rye"), **votes),
    ]
    after = [line.rstrip(b"\n") for line in repaired(file, accepted)]
    assert after[:2] == before[:2]
    assert json.loads(after[2]) == {
        "text": TEXT,
        "triples": [["Ada", "met", "Eve"], ["Eve", "near", "Rye"]],
        "predicates": ["saw", "met", "near"],
        "id": 7,
    }
    again = tmp_path / "again.jsonl"
    again.write_bytes(b"\n".join(after) + b"\n")
    assert list(repaired(again, accepted)) == list(repaired(file, accepted))


def test_a_label_is_written_as_its_neighbours_are(tmp_path: Path) -> None:
    other = {"subject": "Eve", "predicate": "saw", "object": "Rye", "subject_start": 8}
    file = lines(tmp_path, {"text": TEXT, "triples": [other]})
    add = Proposal(
        line=1, action="add", triple=("Ada", "met", "Eve"), votes=2, of=2,
        subject_start=0, object_start=8, text=TEXT,
    )  # fmt: skip
    (line,) = repaired(file, [add])
    assert json.loads(line)["triples"][1] == {
        "subject": "Ada", "predicate": "met", "object": "Eve",
        "subject_start": 0, "object_start": 8,
    }  # fmt: skip


def test_proposals_for_another_file_are_refused(tmp_path: Path) -> None:
    file = lines(tmp_path, {"text": "other", "triples": []})
    add = Proposal(line=1, action="add", triple=("a", "b", "c"), votes=2, of=2, text=TEXT)
    with pytest.raises(DataError) as caught:
        list(repaired(file, [add]))
    assert str(caught.value) == (
        f"{file}:1: holds another text than the proposal was made for; "
        "make proposals for this file with quern clean"
    )
    with pytest.raises(DataError, match="has no line 5, for which there is a proposal"):
        list(repaired(file, [msgspec.structs.replace(add, line=5)]))


def test_the_page_holds_the_lines_that_its_button_saves(tmp_path: Path) -> None:
    bad = msgspec.structs.replace(example(), text='Ada <b> met "Eve" near Rye')
    found = [*propose([voter("eve"), voter("eve")], [bad])]
    assert found
    text = page(found, "a <title>")
    assert "<title>a &lt;title&gt;</title>" in text
    assert "Ada <b>" not in text
    import html
    import re

    held = [html.unescape(line) for line in re.findall(r'data-line="([^"]*)"', text)]
    path = tmp_path / "accepted.jsonl"
    path.write_text("\n".join(held), encoding="utf-8")
    assert read_proposals(path) == found


def test_from_the_command_line(tmp_path: Path) -> None:
    wrong = ["林暮云", "作者", "石桥夜话"]
    file = lines(tmp_path, {"text": "《石桥夜话》的作者是林暮云。", "triples": [wrong]})
    out, sheet, new = (str(tmp_path / name) for name in ("p.jsonl", "p.html", "new.jsonl"))
    run = CliRunner().invoke
    models = ["zh-triples", "zh-triples"]
    done = run(cli, ["clean", str(file), *models, "--out", out, "--page", sheet])
    assert done.exit_code == 0, done.output
    proposals = read_proposals(Path(out))
    assert [p.action for p in proposals] == ["add"] * (len(proposals) - 1) + ["remove"]
    assert Path(sheet).read_text("utf-8").count("<li>") == len(proposals)
    done = run(cli, ["clean", str(file), "--apply", out, "--out", new])
    assert done.exit_code == 0, done.output
    labels = json.loads(Path(new).read_text("utf-8"))["triples"]
    assert labels == [["石桥夜话", "作者", "林暮云"]]
    refused = run(cli, ["clean", str(file), "--apply", out, "--out", str(file)])
    assert refused.exit_code == 2
    assert "--out is FILE itself" in refused.output
