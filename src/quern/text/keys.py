"""Keys of names: what stays of a name when case, width, script and punctuation are folded.

Two names with one key are one name, written differently. A text is written as keys are, too, so
that a name stands in it wherever its key stands between borders of pieces. A piece is a unit
without punctuation: a Han character, a run of letters or of digits, a symbol.

All of it is done on arrays of code points, many texts at once, since knowledge bases have
millions of names.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quern.text.normalise import normalise
from quern.text.script import simplified
from quern.text.units import is_combining, is_han

RULES = 2  # raise whenever the same name would get another key
BREAK = "|"  # in a key: punctuation parts what is before it from what is behind
INSIDE = -1  # border of a piece that is only a part of one of the caller's characters

Codes = NDArray[np.uint32]
Places = NDArray[np.int64]

_ABBREVIATED = 3  # characters of a word up to which a full stop behind it ends no sentence
_SYMBOLS = frozenset("#&%@*")  # punctuation that tells names apart: C and C#
_SOFT_MARKS = frozenset("'’‘`´·•・‧∙⋅")  # left out wherever they stand
_WORD_MARKS = frozenset(",/")  # left out between words; they part Han characters
_SELECTORS = frozenset(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))  # of glyphs
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # that queries and files cannot hold
_HARD_MARKS = frozenset("|~—―\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")

# What a character is. The marks come last, in the order of how firmly they part.
_UNKNOWN, _SEVERAL, _HAN, _LETTER, _DIGIT, _COMBINING, _SYMBOL = range(7)
_SOFT, _SPACE, _COMMA, _STOP, _HARD, _END = range(7, 13)
# A full stop parts like a comma unless white space follows it.

MARK, HAN, WORD, SYMBOL = range(4)
_PUBLIC = np.zeros(13, dtype=np.uint8)
_PUBLIC[[_HAN, _LETTER, _DIGIT, _SYMBOL]] = (HAN, WORD, WORD, SYMBOL)


class Keyed(NamedTuple):
    """Texts written as keys are, one behind the other, and the way back.

    Attributes:
        codes: code points of the keys of all pieces, a space between words, a ``BREAK`` where
            punctuation parts them, and what no key holds between texts.
        firsts: (n,), where each piece begins in ``codes``.
        lasts: (n,), where it ends.
        starts: (n,), where it begins in its text; ``INSIDE`` for the ``4`` of ``¼``.
        ends: (n,), where it ends; ``INSIDE`` for the ``1`` of ``¼``.
        pieces: (texts + 1,), the pieces of text t are those from ``pieces[t]`` up to
            ``pieces[t + 1]``.
        kinds: of each of ``codes``: ``MARK``, ``HAN``, ``WORD`` or ``SYMBOL``.
    """

    codes: Codes
    firsts: Places
    lasts: Places
    starts: Places
    ends: Places
    pieces: Places
    kinds: NDArray[np.uint8]

    def keys(self) -> list[str]:
        """What each text comes to; empty where it holds nothing but punctuation."""
        stream = self.codes.tobytes().decode("utf-32-le")
        full = self.pieces[1:] > self.pieces[:-1]
        # A text without pieces has no place in the stream.
        first = np.zeros(len(full), dtype=np.int64)
        last = np.zeros(len(full), dtype=np.int64)
        first[full] = self.firsts[self.pieces[:-1][full]]
        last[full] = self.lasts[self.pieces[1:][full] - 1]
        return [stream[a:b] for a, b in zip(first.tolist(), last.tolist(), strict=True)]


def key_of(name: str) -> str:
    """The key of a name; see ``keys_of``."""
    return keys_of([name])[0]


def keys_of(names: Sequence[str]) -> list[str]:
    """The key of each name.

    One that holds nothing but punctuation, and so is found in no text, is its own key, folded,
    control codes left out.
    """
    keys = keyed(names).keys()
    return [key or _of_marks(name) for key, name in zip(keys, names, strict=True)]


def _of_marks(name: str) -> str:
    return _CONTROLS.sub("", normalise(name)[0]).strip()


def keyed(texts: Sequence[str]) -> Keyed:
    """Write texts as keys are."""
    lengths = [len(text) for text in texts]
    borders = np.fromiter(accumulate(lengths, lambda a, b: a + b + 1, initial=0), dtype=np.int64)
    codes, kinds, origins = _folded(np.frombuffer(_joined(texts), dtype="<u4"), borders[1:] - 1)
    run = _runs(kinds)
    solid = run < _SOFT
    # A piece is one character, or as many as follow each other of letters or of digits.
    long = (run == _LETTER) | (run == _DIGIT)
    same = long[1:] & (run[1:] == run[:-1])
    opens, closes = solid.copy(), solid.copy()
    opens[1:] &= ~same
    closes[:-1] &= ~same
    first, last = np.flatnonzero(opens), np.flatnonzero(closes)
    marks = _between(kinds, codes, run, first, last)
    # Where the characters of pieces go: behind those before them and the marks before these.
    shift = np.cumsum(marks != 0)
    width = last - first + 1
    to = np.cumsum(width) - width + shift
    stream = np.empty(int(width.sum() + (shift[-1] if len(shift) else 0)), dtype="<u4")
    stream[to[marks != 0] - 1] = marks[marks != 0]
    places = np.arange(int(width.sum())) + np.repeat(shift, width)
    stream[places] = codes[solid]
    stream_kinds = np.full(len(stream), MARK, dtype=np.uint8)
    stream_kinds[places] = _PUBLIC[run[solid]]
    starts, ends = origins[first].copy(), origins[last] + 1
    text = np.searchsorted(borders, starts, side="right") - 1
    starts -= borders[text]
    ends -= borders[text]
    inside = origins[last[:-1]] == origins[first[1:]]
    starts[1:][inside] = INSIDE
    ends[:-1][inside] = INSIDE
    pieces = np.searchsorted(text, np.arange(len(texts) + 1))
    return Keyed(stream, to, to + width, starts, ends, pieces, stream_kinds)


def _joined(texts: Sequence[str]) -> bytes:
    return ("\0".join(texts) + "\0").encode("utf-32-le", "surrogatepass")


def _runs(kinds: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Kinds, with combining marks counted as letters where they follow one, else as symbols."""
    combining = kinds == _COMBINING
    if not combining.any():
        return kinds
    before = np.maximum.accumulate(np.where(combining, 0, np.arange(len(kinds))))
    joined = np.where(kinds[before] == _LETTER, _LETTER, _SYMBOL)
    return np.where(combining, joined, kinds).astype(np.uint8)


def _between(
    kinds: NDArray[np.uint8], codes: Codes, run: NDArray[np.uint8], first: Places, last: Places
) -> Codes:
    """What stands before each piece in the stream; 0 for nothing, as before the first."""
    marks = np.zeros(len(first), dtype=np.uint32)
    if len(first) < 2:
        return marks
    firm = np.where(kinds >= _SOFT, kinds, 0)
    stops = np.flatnonzero(kinds == _STOP)
    firm[stops[kinds[stops + 1] != _SPACE]] = _COMMA  # the end of the last text stands behind
    gap = np.maximum.reduceat(firm, last)[:-1]
    word = (run[first] == _LETTER) | (run[first] == _DIGIT)
    words = word[1:] & word[:-1]
    parted = (gap == _HARD) | ((gap >= _COMMA) & ~words)
    parted |= (gap == _STOP) & (last - first >= _ABBREVIATED)[:-1]
    between = np.where(words, ord(" "), 0)
    between[parted] = ord(BREAK)
    marks[1:] = np.where(gap == _END, _TEXT_END, between)
    return marks


# -- folding ----------------------------------------------------------------------------------

_TEXT_END = 0x10FFFF  # a character that is none, and so in no key
_FOLDS = np.zeros(0x110000, dtype=np.uint32)  # filled as characters are met
_KINDS = np.zeros(0x110000, dtype=np.uint8)
_SEVERALS: dict[int, tuple[list[int], list[int]]] = {}  # those that fold into several


def _folded(codes: Codes, ends: Places) -> tuple[Codes, NDArray[np.uint8], Places]:
    """Fold every character; what it became, the kind of that, and where it stood."""
    kinds = _KINDS[codes]
    if not kinds.all():
        for code in np.unique(codes[kinds == _UNKNOWN]).tolist():
            _learn(code)
        kinds = _KINDS[codes]
    kinds[ends] = _END
    origins = np.arange(len(codes), dtype=np.int64)
    several = np.flatnonzero(kinds == _SEVERAL)
    folded = _FOLDS[codes]
    if not len(several):
        return folded, kinds, origins
    became = [_SEVERALS[code] for code in codes[several].tolist()]
    times = np.ones(len(codes), dtype=np.int64)
    times[several] = [len(folds) for folds, _ in became]
    origins = np.repeat(origins, times)
    folded, kinds = folded[origins], kinds[origins]
    places = np.flatnonzero(kinds == _SEVERAL)
    folded[places] = [fold for folds, _ in became for fold in folds]
    kinds[places] = [kind for _, of in became for kind in of]
    return folded, kinds, origins


def _learn(code: int) -> None:
    """Fold a character, taken apart so that ``é`` and ``e`` with an accent behind it agree."""
    folded = unicodedata.normalize("NFKD", normalise(chr(code))[0]).translate(simplified())
    kinds = [_kind(char) for char in folded]
    if len(folded) == 1:
        _FOLDS[code], _KINDS[code] = ord(folded), kinds[0]
    else:
        _SEVERALS[code] = ([ord(char) for char in folded], kinds)
        _KINDS[code] = _SEVERAL


def _kind(char: str) -> int:
    """What a folded character is."""
    if is_han(char):
        return _HAN
    if is_combining(char):
        return _COMBINING
    if char.isalnum():
        return _DIGIT if unicodedata.category(char) == "Nd" else _LETTER
    return _kind_of_mark(char)


def _kind_of_mark(char: str) -> int:
    if char in _HARD_MARKS:
        return _HARD
    if char in _SOFT_MARKS:
        return _SOFT
    if char == ".":
        return _STOP
    if char in _WORD_MARKS:
        return _COMMA
    if char.isspace():
        return _SPACE
    kind = unicodedata.category(char)
    # Dashes that join, connectors, and what cannot be seen.
    if kind in ("Pd", "Pc", "Cf", "Sk") or char in _SELECTORS:
        return _SOFT
    if char in _SYMBOLS or kind in ("Sm", "Sc", "So") or kind[0] in "LNM":
        return _SYMBOL
    return _HARD
