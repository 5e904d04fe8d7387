"""Link data: both forms of a line, every bad one by its number, and labels placed on units."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from quern.alignment import Problem, align_mentions, mentions_outside
from quern.data import BadLine, read_links, scan_links
from quern.doctor import examine_links
from quern.errors import DataError
from quern.records import LabelledMention, LinkExample
from quern.text import CodecRules, TextCodec, Window

TEXT = "岳青住在云州。"
HER = LabelledMention("岳青", 0, "Q1")
THERE = LabelledMention("云州", 4, None)


def written(tmp_path: Path, *rows: Any) -> Path:
    """A file with a row on each line."""
    path = tmp_path / "links.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def mention(**parts: Any) -> dict[str, Any]:
    """A mention as a file has it."""
    return {"mention": "岳青", "kb_id": "Q1"} | parts


@pytest.mark.parametrize(
    "row",
    [
        {
            "text": TEXT,
            "mentions": [mention(start=0), mention(mention="云州", start=4, kb_id=None)],
        },
        {
            "text": TEXT,
            "mentions": [
                mention(start=0, end=2, type="person"),
                mention(mention="云州", start=4, end=6, kb_id="NIL"),
            ],
        },
        {
            "text": TEXT,
            "mention_data": [
                mention(offset="0"),
                mention(mention="云州", offset="4", kb_id="NIL"),
            ],
        },
    ],
)
def test_every_form_says_the_same(tmp_path: Path, row: dict[str, Any]) -> None:
    (example,) = read_links(written(tmp_path, row))
    assert example == LinkExample(TEXT, (HER, THERE), None, 1)


def test_an_id_is_kept_in_either_spelling(tmp_path: Path) -> None:
    rows = [
        {"text": "a", "mentions": [], "id": 7},
        {"text": "b", "mention_data": [], "text_id": "8"},
    ]
    assert [example.id for example in read_links(written(tmp_path, *rows))] == ["7", "8"]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"text": TEXT}, 'a line has one of "mentions" and "mention_data", this one has neither'),
        ({"text": TEXT, "mentions": [], "mention_data": []}, "this one has both"),
        ({"text": TEXT, "mentions": [mention()]}, "mention '岳青': say once where it begins"),
        ({"text": TEXT, "mentions": [mention(start=0, offset=0)]}, "say once where it begins"),
        (
            {"text": TEXT, "mention_data": [mention(offset="zero")]},
            "mention '岳青': begins at 'zero', not a number",
        ),
        (
            {"text": TEXT, "mentions": [mention(start=0, end=3)]},
            "mention '岳青': has 2 characters, but goes from 0 to 3; the end is not included",
        ),
        ({"text": TEXT, "mentions": [mention(mention="", start=0)]}, "a mention is empty"),
        (
            {"text": TEXT, "mentions": [{"mention": "岳青", "start": 0}]},
            "Object missing required field `kb_id` - at `$.mentions[0]`",
        ),
        ({"text": TEXT, "mentions": [mention(strat=0)]}, "Object contains unknown field `strat`"),
    ],
)
def test_a_bad_line_says_what_is_wrong(tmp_path: Path, row: dict[str, Any], why: str) -> None:
    good, bad = scan_links(written(tmp_path, {"text": "", "mentions": []}, row))
    assert isinstance(good, LinkExample)
    assert isinstance(bad, BadLine) and bad.line == 2 and why in bad.why


def test_reading_whole_names_file_line_and_next_step(tmp_path: Path) -> None:
    path = written(tmp_path, {"text": TEXT})
    with pytest.raises(DataError) as error:
        read_links(path)
    said = str(error.value)
    assert said.startswith(f"{path}: 1 line(s) cannot be read:\n  {path}:1: a line has one of")
    assert said.endswith(f"Mend them, or see every one with: quern check links {path}")
    path.write_bytes(b"\n")
    with pytest.raises(DataError, match="no lines; expected one JSON object a line"):
        read_links(path)


def test_labels_stand_on_units_or_say_why_not() -> None:
    codec = TextCodec.fit([TEXT], CodecRules(min_count=1, window=2, overlap=1))
    encoding = codec.encode("岳青 in Norden")
    example = LinkExample(
        encoding.text,
        (
            HER,
            HER,
            LabelledMention("岳青", 1, None),
            LabelledMention("Nor", 6, "Q2"),
            LabelledMention("岳青 in Norden", 0, "Q3"),
        ),
        line=5,
    )
    spans, problems = align_mentions(example, encoding, codec)
    assert spans == [(0, 1), (0, 3)]
    assert problems == [
        Problem(5, "absent", "'岳青' (NIL) does not stand in the text at character 1"),
        Problem(5, "border", "'Nor' (Q2) at character 6 cuts through a word or number"),
    ]
    assert mentions_outside(example, spans, [Window(0, 2), Window(1, 3), Window(2, 4)]) == [
        Problem(5, "window", "a mention of 4 units fits no window")
    ]


def test_the_example_file_is_as_it_should_be() -> None:
    path = Path(__file__).parent.parent / "examples" / "links.jsonl"
    report = examine_links(scan_links(path))
    assert report.accepted and report.findings == ()
    assert (report.train.texts, report.train.mentions, report.train.nil) == (8, 12, 2)
