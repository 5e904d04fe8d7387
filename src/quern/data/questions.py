"""Questions with their answers: JSONL or CSV; and questions to tune by."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from quern.data.lines import BadLine, bad_lines, content_id, decoded, open_bytes, scan
from quern.errors import DataError
from quern.records import FaqEntry, FaqExample
from quern.text import wordless

_COLUMNS = ("id", "question", "answer")
_WANTED = '{"question": …, "answer": …} or {"questions": […], "answer": …}, perhaps with an "id"'


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    answer: str
    question: str | None = None
    questions: list[str] | None = None
    id: str | int | None = None


class _Example(msgspec.Struct):
    question: str
    id: str | int | None


_ENTRY = msgspec.json.Decoder(_Entry)
_EXAMPLE = msgspec.json.Decoder(_Example)


def read_faq(path: Path) -> list[FaqEntry]:
    """Read answers with their questions; lines of one id, or of one answer, are joined.

    Args:
        path: JSONL, or CSV (by its name) with a head of ``question``, ``answer`` and perhaps
            ``id``.

    Raises:
        DataError: lines that cannot be read, an id with two answers, or no line at all.
    """
    bad: list[BadLine] = []
    rows: list[FaqEntry] = []
    for row in _csv(path) if path.suffix == ".csv" else _jsonl(path):
        if isinstance(row, BadLine):
            bad.append(row)
        else:
            rows.append(row)
    if not bad and not rows:
        raise DataError(f"{path}: no lines; expected {_WANTED} on each")
    joined: dict[str, FaqEntry] = {}
    for row in rows:
        known = joined.setdefault(row.id, row)
        if known.answer != row.answer:
            why = f"id '{row.id}' has another answer in line {known.line}"
            bad.append(BadLine(row.line, why))
        elif known is not row:
            both = tuple(dict.fromkeys([*known.questions, *row.questions]))
            joined[row.id] = msgspec.structs.replace(known, questions=both)
    if bad:
        bad.sort(key=lambda each: each.line)
        raise DataError(bad_lines(path, bad, f"Mend them; a line is {_WANTED}"))
    return list(joined.values())


def read_faq_examples(path: Path) -> list[FaqExample]:
    """Read questions with the id of their answer, null for what no answer is for.

    Raises:
        DataError: lines that cannot be read, or no line at all.
    """
    rows = list(scan(path, lambda line, number: _example(_EXAMPLE.decode(line), number, path)))
    bad = [row for row in rows if isinstance(row, BadLine)]
    wanted = 'a line is {"question": …, "id": …}, the id null where no answer is right'
    if bad:
        raise DataError(bad_lines(path, bad, f"Mend them; {wanted}"))
    if not rows:
        raise DataError(f"{path}: no lines; {wanted}")
    return [row for row in rows if isinstance(row, FaqExample)]


def _example(row: _Example, number: int, path: Path) -> FaqExample:
    if not row.question.strip():
        raise ValueError('"question" is empty')
    return FaqExample(row.question, None if row.id is None else str(row.id), number, str(path))


def _jsonl(path: Path) -> Iterator[FaqEntry | BadLine]:
    return scan(path, lambda line, number: _read(_ENTRY.decode(line), number))


def _read(row: _Entry, number: int) -> FaqEntry:
    if (row.question is None) == (row.questions is None):
        raise ValueError('a line has one of "question" and "questions"')
    questions = [row.question] if row.question is not None else row.questions or []
    return _entry(None if row.id is None else str(row.id), row.answer, questions, number)


def _entry(id_: str | None, answer: str, questions: Sequence[str], line: int) -> FaqEntry:
    if not answer.strip():
        raise ValueError('"answer" is empty')
    if not questions or not all(question.strip() for question in questions):
        raise ValueError("a question is empty")
    if marks := next(filter(wordless, questions), None):
        raise ValueError(f"a question has no letter: '{marks}'")
    return FaqEntry(id_ or content_id(answer), answer, tuple(dict.fromkeys(questions)), line)


def _csv(path: Path) -> Iterator[FaqEntry | BadLine]:
    with open_bytes(path) as stream:
        lines = csv.reader(decoded(stream, str(path)), strict=True)
        head: list[str] | None = None
        before = 0
        try:
            for cells in lines:
                line, before = before + 1, lines.line_num
                if head is None:
                    head = _head(cells, path)
                elif cells:
                    yield _cells(head, cells, line)
        except csv.Error as error:
            raise DataError(f"{path}:{lines.line_num}: {error}; mend the quotes") from error


def _head(cells: list[str], path: Path) -> list[str]:
    head = [cell.strip().lower() for cell in cells]
    if sorted(head) not in (sorted(_COLUMNS), sorted(_COLUMNS[1:])):
        raise DataError(
            f"{path}:1: its columns are {', '.join(head)}; wanted are question, answer, and "
            "perhaps id. Name the columns in the first line"
        )
    return head


def _cells(head: list[str], cells: list[str], line: int) -> FaqEntry | BadLine:
    if len(cells) != len(head):
        return BadLine(line, f"{len(cells)} cells, the head has {len(head)} columns")
    row = dict(zip(head, cells, strict=True))
    try:
        return _entry(row.get("id", "").strip() or None, row["answer"], [row["question"]], line)
    except ValueError as error:
        return BadLine(line, str(error))
