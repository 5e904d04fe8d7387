"""Titles as the steps that a decoder takes, and the way back.

A title is cut into the units that its document is cut into. A unit is written by one step if it
is a piece of the vocabulary, or if it can be taken over from the document (See et al., "Get To The
Point", 2017); else it is spelled with several pieces.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quern.errors import FolderError
from quern.text import Encoding, TextCodec, Window, split

SPACE = "▁"  # before a unit: white space stands there
PAD, START, OTHER, END = range(4)  # OTHER: a character that no piece has; it is never written
RESERVED = 4
_VECTOR = 16

# Scripts and marks that are written without spaces between: Han, kana, their marks and wide
# forms, and quotation marks and dashes, which they share with others.
_UNSPACED = re.compile(
    "[\u2010-\u2027\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef"
    "\U00020000-\U0003ffff]"
)


def readable(text: str) -> str:
    """A text in which the mark that pieces use for white space is white space."""
    return text.replace(SPACE, " ")


def plain(title: str) -> str:
    """A title as ``decode`` gives it back: one blank for each stretch of white space."""
    return " ".join(readable(title).split())


def forms(text: str, spans: Iterable[tuple[int, int]]) -> list[str]:
    """Units as they are written: each as it stands, ``SPACE`` before it if white space is.

    A word has ``SPACE`` at the start of a text, too, so that it is the same word everywhere. What
    is written without spaces has it only where there is one within a line.

    Args:
        text: one that is ``readable``.
        spans: of its units, from the first on.
    """
    found: list[str] = []
    before = 0
    for start, end in spans:
        if _UNSPACED.match(text, start):
            spaced = bool(found) and start > before and "\n" not in text[before:start]
        else:
            spaced = not found or start > before
        found.append(SPACE + text[start:end] if spaced else text[start:end])
        before = end
    return found


class Source(NamedTuple):
    """What can be taken over from a document.

    Attributes:
        ids: (n,), of its units as they are written: of a piece, or from the number of pieces on.
        new: the units that are no pieces, in the order of their ids.
    """

    ids: NDArray[np.int32]
    new: tuple[str, ...]


class Pieces:
    """What titles are spelled with."""

    def __init__(self, listed: Iterable[str]) -> None:
        """Number the pieces in their order."""
        self.listed = list(listed)
        self._strings = [""] * RESERVED + self.listed
        self._ids = {piece: id_ for id_, piece in enumerate(self.listed, RESERVED)}
        self._longest = max(map(len, self.listed), default=0)
        if len(self._ids) < len(self.listed) or "" in self._ids:
            raise FolderError("a piece stands twice in the list, or is empty")

    def __len__(self) -> int:
        """Ids, those that no piece has among them."""
        return len(self._strings)

    def source(self, written: Sequence[str]) -> Source:
        """Number the units of a document; see ``forms``."""
        new: dict[str, int] = {}
        size, known = len(self), self._ids.get
        ids = [known(form) or new.setdefault(form, size + len(new)) for form in written]
        return Source(np.array(ids, dtype=np.int32), tuple(new))

    def targets(self, title: str, source: Source | None) -> list[int]:
        """The steps of a title, ``END`` not among them.

        Args:
            title: any text.
            source: of its document; None where nothing can be taken over.
        """
        title = plain(title)
        new = {} if source is None else {f: i for i, f in enumerate(source.new, len(self))}
        steps: list[int] = []
        for form in forms(title, split(title)):
            if not steps and source is not None:
                form = self._first(form, source, new)
            known = self._ids.get(form) or new.get(form)
            steps += [known] if known else self.spelled(form)
        return steps

    def _first(self, form: str, source: Source, new: dict[str, int]) -> str:
        """A title's first unit, with or without white space before it, as the document has it."""
        there = set(source.ids.tolist())
        bare = form.removeprefix(SPACE)
        for same in (form, bare if bare != form else SPACE + form):
            if same in new or self._ids.get(same) in there:
                return same
        return form

    def spelled(self, form: str) -> list[int]:
        """A unit as pieces, the longest that fits first; ``OTHER`` where none does."""
        steps, at = [], 0
        while at < len(form):
            ends = range(min(len(form), at + self._longest), at, -1)
            end = next((end for end in ends if form[at:end] in self._ids), at + 1)
            steps.append(self._ids.get(form[at:end], OTHER))
            at = end
        return steps

    def decode(self, steps: Iterable[int], source: Source | None) -> str:
        """The title that some steps write."""
        strings, new = self._strings, () if source is None else source.new
        size = len(strings)
        text = "".join(strings[step] if step < size else new[step - size] for step in steps)
        return " ".join(text.replace(SPACE, " ").split())


class Reading(NamedTuple):
    """What is read of a document.

    Attributes:
        encoding: of all of it.
        window: the units that are read.
        source: what can be taken over from them.
    """

    encoding: Encoding
    window: Window
    source: Source

    @property
    def share(self) -> float:
        """Of the document's units, how many are read; 1 where there is none."""
        return self.window.stop / max(1, self.encoding.length) if self.encoding.length else 1.0


def read(codec: TextCodec, pieces: Pieces, text: str, limit: int) -> Reading:
    """The first ``limit`` units of a document."""
    encoding = codec.encode(readable(text))
    stop = min(limit, encoding.length)
    spans = zip(encoding.starts[:stop].tolist(), encoding.ends[:stop].tolist(), strict=True)
    source = pieces.source(forms(encoding.text, spans))
    return Reading(encoding, Window(0, stop), source)


def source_arrays(
    readings: Sequence[Reading], length: int, pieces: Pieces
) -> dict[str, NDArray[np.generic]]:
    """What a decoder is told of some documents, padded to ``length`` units.

    Returns:
        ``sources`` (texts, length), ids of units; ``room`` (texts, new), for each unit that is no
        piece: 0 where the document has so many, minus infinity where it has not.
    """
    # The runtime takes logarithms of the last few numbers of an array in another way than of all
    # others; whole vectors of them for each title leave no last few.
    sources = np.zeros((len(readings), length), dtype=np.int32)
    most = max(len(reading.source.new) for reading in readings)
    most = -(-(len(pieces) + most) // _VECTOR) * _VECTOR - len(pieces)
    room = np.full((len(readings), most), -np.inf, dtype=np.float32)
    for row, reading in enumerate(readings):
        sources[row, : len(reading.source.ids)] = reading.source.ids
        room[row, : len(reading.source.new)] = 0
    return {"sources": sources, "room": room}
