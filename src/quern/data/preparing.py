"""Files of texts, cleaned: lots of lines, each worked on by itself, in a process of its own."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from quern.data.documents import TextForm
from quern.data.lines import BadLine, not_utf8
from quern.text.cleaning import Cleaner, CleaningSettings

FIELDS = ("text", "body", "title")  # cleaned where they are there and no others are named
_LINES, _BYTES = 1024, 1 << 20  # of a lot at most, but for its last line

_ROW = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT = msgspec.json.Decoder(str | None)
_ENCODE = msgspec.json.Encoder().encode


class Preparing(msgspec.Struct, frozen=True):
    """What is done with every line.

    Attributes:
        settings: of the steps.
        fields: keys whose texts are cleaned; where none is named, those of ``FIELDS`` that a
            line has, one at least.
        drop_empty: leave lines out in which a text is empty once it is clean.
        packed: give lots out through gzip.
    """

    settings: CleaningSettings
    fields: tuple[str, ...] = ()
    drop_empty: bool = False
    packed: bool = False


class Lot(NamedTuple):
    """Lines that are worked on together, with their numbers."""

    file: str
    form: TextForm
    lines: list[tuple[int, bytes]]


class Prepared(NamedTuple):
    """A lot, cleaned.

    Attributes:
        file: where it stood.
        written: its lines, as JSON.
        bad: lines that could not be read.
        counts: ``lines`` read, ``texts`` and ``characters`` in them, ``left`` of these,
            ``unsettled`` texts, and lines that were ``dropped``.
        changed: texts that each step changed.
        emptied: texts of each field that cleaning left nothing of.
        empty: texts of each field that were empty before.
    """

    file: str
    written: bytes
    bad: list[BadLine]
    counts: Counter[str]
    changed: Counter[str]
    emptied: Counter[str]
    empty: Counter[str]


def lots(file: str, form: TextForm, lines: Iterable[tuple[int, bytes]]) -> Iterator[Lot]:
    """Lines in lots that are sent to a process at once."""
    lot: list[tuple[int, bytes]] = []
    size = 0
    for line in lines:
        lot.append(line)
        size += len(line[1])
        if len(lot) == _LINES or size >= _BYTES:
            yield Lot(file, form, lot)
            lot, size = [], 0
    if lot:
        yield Lot(file, form, lot)


def prepare(preparing: Preparing, lot: Lot) -> Prepared:
    """Clean the texts of a lot; all else that its lines hold is kept to the letter."""
    cleaner = Cleaner(preparing.settings)
    done = Prepared(lot.file, b"", [], Counter(), cleaner.changed, Counter(), Counter())
    out = bytearray()
    for number, line in lot.lines:
        done.counts["lines"] += 1
        try:
            row = _read(line, lot.form)
            texts = _texts(row, preparing.fields or FIELDS, named=bool(preparing.fields))
        except (msgspec.DecodeError, ValueError) as error:
            done.bad.append(BadLine(number, not_utf8(line) or str(error)))
            continue
        if _clean(row, texts, cleaner, done) and preparing.drop_empty:
            done.counts["dropped"] += 1
            continue
        out += _ENCODE(row)
        out += b"\n"
    done.counts["unsettled"] = cleaner.unsettled
    written = gzip.compress(out, 6, mtime=0) if preparing.packed else bytes(out)
    return done._replace(written=written)


def _read(line: bytes, form: TextForm) -> dict[str, msgspec.Raw]:
    if form == "txt":
        return {"text": msgspec.Raw(_ENCODE(line.decode().strip()))}
    line.decode()  # what is kept to the letter is not looked at again
    return _ROW.decode(line)


def _texts(row: dict[str, msgspec.Raw], fields: Iterable[str], named: bool) -> dict[str, str]:
    """The texts of a line; null is taken for an empty one."""
    texts: dict[str, str] = {}
    for field in fields:
        if field in row:
            try:
                texts[field] = _TEXT.decode(row[field]) or ""
            except msgspec.ValidationError as error:
                raise ValueError(f'"{field}": {error}') from error
        elif named:
            raise ValueError(f'no "{field}"')
    if not texts:
        raise ValueError(f"none of {', '.join(FIELDS)}: name what is to be cleaned (--field)")
    return texts


def _clean(
    row: dict[str, msgspec.Raw], texts: dict[str, str], cleaner: Cleaner, done: Prepared
) -> bool:
    """Put clean texts into a row; whether one of them is empty."""
    hollow = False
    for field, text in texts.items():
        cleaned = cleaner(text)
        done.counts["texts"] += 1
        done.counts["characters"] += len(text)
        done.counts["left"] += len(cleaned)
        if not cleaned.strip():
            hollow = True
            (done.emptied if text.strip() else done.empty)[field] += 1
        if cleaned != text:
            row[field] = msgspec.Raw(_ENCODE(cleaned))
    return hollow
