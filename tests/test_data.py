"""JSONL in: every form of a line, every bad line by its number, nothing read ahead."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasty import texts
from quern.data import (
    BadLine,
    Document,
    data_hash,
    documents,
    numbered_lines,
    open_bytes,
    read_titles,
    read_triples,
    scan_triples,
)
from quern.errors import DataError
from quern.records import LabelledSpan, LabelledTriple, TitleExample, TripleExample

BOM = b"\xef\xbb\xbf"
ADA = '{"text": "Ada met Eve.", "triples": [["Ada", "met", "Eve"]]}'
MET = TripleExample("Ada met Eve.", (LabelledTriple("Ada", "met", "Eve"),), line=1)
GBK = '{"text": "你好", "triples": []}'.encode("gb18030")


def written(tmp_path: Path, content: bytes | str, name: str = "data.jsonl") -> Path:
    """A file with this content."""
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def error_of(path: Path) -> str:
    """What is said when ``path`` is read."""
    with pytest.raises(DataError) as refused:
        read_triples(path)
    return str(refused.value)


# -- lines ------------------------------------------------------------------------------


def test_blank_lines_count_and_only_line_ends_are_taken_off() -> None:
    lines = [b"a\n", b"\n", b" \t\r\n", b"  b \r\n", b"\x0b", b"c"]
    assert list(numbered_lines(lines)) == [(1, b"a"), (4, b"  b "), (6, b"c")]


def test_a_byte_order_mark_is_taken_off_the_first_line_only() -> None:
    assert list(numbered_lines([BOM + b"a\n", BOM + b"b\n"])) == [(1, b"a"), (2, BOM + b"b")]
    assert list(numbered_lines([BOM + b"\r\n", b"a"])) == [(2, b"a")]


# -- labelled lines ---------------------------------------------------------------------


TYPED = LabelledTriple("Ada", "met", "Eve", 0, 8, "person", "person")
LONG = {"subject": "Ada", "predicate": "met", "object": "Eve"}
PLACED = LONG | {"subject_start": 0, "object_start": 8}


@pytest.mark.parametrize(
    ("triples", "wanted"),
    [
        ([["Ada", "met", "Eve"]], MET.triples),
        ([LONG], MET.triples),
        (
            [["Ada", "met", "Eve"], PLACED | {"subject_type": "person", "object_type": "person"}],
            (*MET.triples, TYPED),
        ),
        ([], ()),
    ],
)
def test_both_forms_of_a_triple(
    tmp_path: Path, triples: list[Any], wanted: tuple[LabelledTriple, ...]
) -> None:
    line = json.dumps({"text": "Ada met Eve.", "triples": triples})
    assert read_triples(written(tmp_path, line)) == [TripleExample("Ada met Eve.", wanted, line=1)]


def test_all_that_a_line_may_say(tmp_path: Path) -> None:
    line = {
        "id": 17,
        "text": "Ada met Eve.",
        "triples": [["Ada", "met", "Eve"]],
        "complete": False,
        "predicates": ["met", "saw"],
        "entities": [
            {"text": "Ada", "start": 0},
            {"text": "Eve", "start": 8, "end": 11, "type": "person"},
        ],
        "weather": {"not": ["ours"]},
    }
    assert read_triples(written(tmp_path, json.dumps(line))) == [
        TripleExample(
            text="Ada met Eve.",
            triples=MET.triples,
            complete=False,
            predicates=("met", "saw"),
            entities=(LabelledSpan("Ada", 0), LabelledSpan("Eve", 8, "person", 11)),
            id="17",
            line=1,
        )
    ]


def test_lines_keep_their_numbers_in_any_file(tmp_path: Path) -> None:
    content = BOM + f"{ADA}\r\n\n  \n  {ADA}  \n".encode() + ADA.encode()
    plain = written(tmp_path, content)
    packed = written(tmp_path, gzip.compress(content), "data.jsonl.gz")
    for path in (plain, packed):
        assert [(row.text, row.line) for row in read_triples(path)] == [
            (MET.text, line) for line in (1, 4, 5)
        ]


BAD = [
    (b"{", "Input data was truncated"),
    (b"[]", "Expected `object`, got `array`"),
    (b'{"triples": []}', "Object missing required field `text`"),
    (b'{"text": "a"}', "Object missing required field `triples`"),
    (b'{"text": 1, "triples": []}', "Expected `str`, got `int` - at `$.text`"),
    (
        b'{"text": "a", "triples": [["a", "b"]]}',
        "Expected `array` of length 3 - at `$.triples[0]`",
    ),
    (
        b'{"text": "a", "triples": [{"subject": "a", "predicate": "b"}]}',
        "Object missing required field `object` - at `$.triples[0]`",
    ),
    (
        b'{"text": "a", "triples": [{"subject": "a", "predicate": "b", "object": "c", "o": 1}]}',
        "Object contains unknown field `o` - at `$.triples[0]`",
    ),
    (b'{"text": "a", "triples": [["", "b", "c"]]}', "a triple has an empty part: ['', 'b', 'c']"),
    (b'{"text": "a", "triples": [["a", "", "c"]]}', "a triple has an empty part: ['a', '', 'c']"),
    (
        b'{"text": "a", "triples": [["a", "b", "c"], ["a", "b", ""]]}',
        "a triple has an empty part: ['a', 'b', '']",
    ),
    (
        b'{"text": "a", "triples": [["a", "b", "c"]], "predicates": ["d"]}',
        "a triple's predicate 'b' is not in this line's \"predicates\"",
    ),
    (
        GBK,
        "not UTF-8 (invalid continuation byte at byte 10); "
        "convert it first, for example with: iconv -f GB18030 -t UTF-8",
    ),
]


@pytest.mark.parametrize(("line", "why"), BAD)
def test_a_bad_line_is_named_and_the_others_are_read(tmp_path: Path, line: bytes, why: str) -> None:
    path = written(tmp_path, b"\n" + line + b"\n" + ADA.encode())
    bad, good = scan_triples(path)
    assert bad == BadLine(2, why)
    assert isinstance(good, TripleExample)
    assert (good.text, good.line) == (MET.text, 3)
    assert error_of(path) == (
        f"{path}: 1 line(s) cannot be read:\n"
        f"  {path}:2: {why}\n"
        f"Mend them, or see every one with: quern check triples {path}"
    )


@pytest.mark.parametrize(("count", "more"), [(5, ""), (6, "\n  … and 1 more")])
def test_many_bad_lines_are_counted(tmp_path: Path, count: int, more: str) -> None:
    path = written(tmp_path, f"{ADA}\n" + "{}\n" * count)
    missing = "Object missing required field `text`"
    shown = "".join(f"\n  {path}:{line}: {missing}" for line in range(2, 7))
    assert error_of(path) == (
        f"{path}: {count} line(s) cannot be read:{shown}{more}\n"
        f"Mend them, or see every one with: quern check triples {path}"
    )


@pytest.mark.parametrize("content", [b"", b"\n \n", BOM])
def test_a_file_without_lines_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = written(tmp_path, content)
    assert error_of(path) == f"{path}: no lines; expected one JSON object a line (see docs/data.md)"


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    for name in ("none.jsonl", "none.jsonl.gz"):
        path = tmp_path / name
        assert error_of(path) == f"{path}: cannot be read: No such file or directory"
    assert error_of(tmp_path) == f"{tmp_path}: cannot be read: Is a directory"


WHOLE = gzip.compress(f"{ADA}\n".encode() * 100)
BROKEN = {
    "not packed at all": (ADA.encode(), "Not a gzipped file (b'{\"')"),
    "cut off": (
        WHOLE[:-12],
        "Compressed file ended before the end-of-stream marker was reached",
    ),
    "written over": (WHOLE[:20] + b"\xff" * 20 + WHOLE[40:], "Error -3 while decompressing data"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_packed_file_that_breaks_off_is_named(tmp_path: Path, how: str) -> None:
    content, why = BROKEN[how]
    path = written(tmp_path, content, "data.jsonl.gz")
    wanted = f"{path}: cannot be read to its end: {why}"
    assert error_of(path)[: len(wanted)] == wanted
    with open_bytes(path) as stream, pytest.raises(DataError) as refused:
        list(documents(stream, "jsonl", "these texts"))
    wanted = f"these texts: cannot be read to its end: {why}"
    assert str(refused.value)[: len(wanted)] == wanted


# -- texts to read ----------------------------------------------------------------------


def test_a_text_a_line() -> None:
    lines = [BOM + " 王伟 met Eve. \r\n".encode(), b"\n", "\x85b\u3000\n".encode(), b"c"]
    assert list(documents(lines, "txt", "x")) == [
        Document(" 王伟 met Eve. ", None, 1),  # offsets count from where the line begins
        Document("\x85b\u3000", None, 3),
        Document("c", None, 4),
    ]


def test_texts_in_json_lines() -> None:
    lines = [
        b'{"text": " a\\n"}\n',
        b"\n",
        b'{"id": 3, "text": "", "more": []}',
        b'{"id": "x", "text": "b"}',
    ]
    assert list(documents(lines, "jsonl", "x")) == [
        Document(" a\n", None, 1),
        Document("", "3", 3),
        Document("b", "x", 4),
    ]


def without_surrogates(text: str) -> str:
    """What of a text a file can hold."""
    return text.encode("utf-8", "ignore").decode()


@given(st.lists(texts().map(without_surrogates)))
def test_texts_come_back_from_json_lines(many: list[str]) -> None:
    lines = [json.dumps({"text": text}).encode() for text in many]
    assert [document.text for document in documents(lines, "jsonl", "x")] == many


@pytest.mark.parametrize(
    ("form", "line", "why"),
    [
        (
            "txt",
            "  你好".encode("gb18030"),
            "not UTF-8 (invalid continuation byte at byte 2); "
            "convert it first, for example with: iconv -f GB18030 -t UTF-8",
        ),
        (
            "jsonl",
            GBK,
            "not UTF-8 (invalid continuation byte at byte 10); "
            "convert it first, for example with: iconv -f GB18030 -t UTF-8",
        ),
        (
            "jsonl",
            b"Ada met Eve.",
            "JSON is malformed: invalid character (byte 0); "
            'expected one JSON object a line with a "text"',
        ),
        (
            "jsonl",
            b'{"txt": "a"}',
            'Object missing required field `text`; expected one JSON object a line with a "text"',
        ),
    ],
)
def test_a_line_that_is_no_text_is_named(
    form: Literal["txt", "jsonl"], line: bytes, why: str
) -> None:
    good = b'{"text": "a"}\n'
    found = documents([good, b"\n", line], form, "some file")
    assert next(found).line == 1
    with pytest.raises(DataError) as refused:
        next(found)
    assert str(refused.value) == f"some file:3: {why}"


@pytest.mark.parametrize("form", ["txt", "jsonl"])
def test_texts_are_not_read_ahead(form: Literal["txt", "jsonl"]) -> None:
    taken = 0

    def lines() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(100):
            taken += 1
            yield b'{"text": "a"}\n'

    found = documents(lines(), form, "x")
    assert taken == 0
    for count in range(1, 5):
        assert next(found).line == count
        assert taken == count


# -- identity ---------------------------------------------------------------------------


def test_a_hash_is_of_all_bytes_in_order(tmp_path: Path) -> None:
    a = written(tmp_path, bytes(3 << 20) + b"a", "a")
    b = written(tmp_path, b"b", "b")
    assert data_hash(a) == hashlib.sha256(a.read_bytes()).hexdigest()
    assert data_hash(a, b) == hashlib.sha256(a.read_bytes() + b"b").hexdigest()
    assert len({data_hash(a), data_hash(b), data_hash(a, b), data_hash(b, a)}) == 4


def test_titles_are_read_with_their_lines(tmp_path: Path) -> None:
    path = written(tmp_path, '{"body": "It rains.", "title": "Rain", "id": 7}\n', "titles.jsonl")
    assert read_titles(path) == [TitleExample("It rains.", "Rain", "7", 1)]


def test_a_document_without_a_title_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, '{"body": " ", "title": "Rain"}\n{"body": "Rain."}\n')
    with pytest.raises(DataError) as caught:
        read_titles(path)
    assert 'data.jsonl:1: "body" is empty' in str(caught.value)
    assert "data.jsonl:2: " in str(caught.value)
    assert f"quern check titles {path}" in str(caught.value)
