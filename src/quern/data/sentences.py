"""Sentences with the groups that they belong to, and pairs of sentences, one a line."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import msgspec

from quern.data.lines import BadLine, scan, whole
from quern.records import SentenceExample, SentencePair


class _SentenceLine(msgspec.Struct):
    text: str
    group: str | int
    id: str | int | None = None


class _PairLine(msgspec.Struct):
    text: str
    other: str
    score: float | bool


_LARGE = 20  # sentences of a group on average, from which on groups are classes
_SENTENCE_LINE = msgspec.json.Decoder(_SentenceLine)
_PAIR_LINE = msgspec.json.Decoder(_PairLine)


def scan_sentences(path: Path) -> Iterator[SentenceExample | BadLine]:
    """Read sentence data line by line, bad lines as values rather than errors.

    Raises:
        DataError: the file is missing or cannot be read to its end.
    """
    return scan(path, lambda line, number: _example(_SENTENCE_LINE.decode(line), number))


def read_sentences(path: Path) -> list[SentenceExample]:
    """Read sentence data whole.

    Raises:
        DataError: lines that cannot be read (the first few named), or no line at all.
    """
    return whole(path, scan_sentences(path), "sentences")


def are_classes(sentences: int, groups: int) -> bool:
    """Whether groups are so few and large that they are rather classes, the same in use."""
    return 0 < _LARGE * groups <= sentences


def _example(row: _SentenceLine, number: int) -> SentenceExample:
    if not row.text.strip():
        raise ValueError('"text" is empty')
    group = str(row.group)
    if not group:
        raise ValueError('"group" is empty')
    return SentenceExample(row.text, group, None if row.id is None else str(row.id), number)


def read_pairs(path: Path) -> list[SentencePair]:
    """Read pairs of sentences whole: {"text": …, "other": …, "score": …} a line.

    Raises:
        DataError: lines that cannot be read (the first few named), or no line at all.
    """
    rows = scan(path, lambda line, number: _pair(_PAIR_LINE.decode(line), number))
    return whole(path, rows, None)


def _pair(row: _PairLine, number: int) -> SentencePair:
    for name, text in (("text", row.text), ("other", row.other)):
        if not text.strip():
            raise ValueError(f'"{name}" is empty')
    score = float(row.score)
    if not math.isfinite(score):
        raise ValueError('"score" is not finite')
    return SentencePair(row.text, row.other, score, number)
