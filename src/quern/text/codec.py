"""The one place where text becomes numbers, and numbers become slices of the text again."""

from __future__ import annotations

import hashlib
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from quern.errors import FolderError, TextError
from quern.records import Span
from quern.text.features import GRAM_SLOTS, grams_of, shape_of
from quern.text.normalise import normalise
from quern.text.sentences import sentence_ends
from quern.text.units import is_han, split
from quern.text.vocabulary import Vocabulary
from quern.text.words import Words

_MEMO_LIMIT = 200_000  # distinct surfaces remembered before starting afresh (about 60 MB)
UNIT, SHAPE, GRAMS = 0, 1, 2  # columns of a unit's numbers
_WORD = GRAMS + GRAM_SLOTS  # there if the codec knows words
RULES = 1  # raise whenever the same text would give other numbers


class CodecRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How text is cut and numbered.

    Attributes:
        min_count: a unit met less often gets no id of its own.
        max_units: the largest vocabulary.
        buckets: n-gram hash buckets.
        window: the most units that a network can read at once.
        overlap: units that neighbouring windows share where they cut through a sentence.
    """

    min_count: int = 2
    max_units: int = 30_000
    buckets: int = 16_384
    window: int = 256
    overlap: int = 64

    def __post_init__(self) -> None:
        if not (0 <= self.overlap < self.window and self.buckets > 1 and self.min_count > 0):
            raise ValueError("a codec needs 0 <= overlap < window, buckets > 1, min_count > 0")


class Encoding(NamedTuple):
    """A text as units, each with its slice of the text and its numbers.

    Attributes:
        text: the caller's string.
        starts: (n,), where each unit begins in ``text``.
        ends: (n,), where it ends.
        features: (n, 2 + slots), its id, its shape and its n-grams; one more column where the
            codec knows words: the row of the word that covers it, 0 for none.
    """

    text: str
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    features: NDArray[np.int32]

    @property
    def length(self) -> int:
        """Number of units."""
        return len(self.starts)


class Window(NamedTuple):
    """The units ``first … stop - 1`` of an encoding."""

    first: int
    stop: int


class _Memo:
    """Numbers of the surfaces met so far; row 0 is padding. Several threads may fill it."""

    def __init__(self, width: int) -> None:
        self.rows: dict[str, int] = {}
        self.table = np.zeros((1024, width), dtype=np.int32)
        self.filled = 1
        self._lock = threading.Lock()

    def add(self, surface: str, numbers: Sequence[int]) -> int:
        with self._lock:
            row = self.rows.get(surface)
            if row is None:
                row = self.filled
                if row == len(self.table):
                    self.table = np.concatenate([self.table, np.zeros_like(self.table)])
                self.table[row] = numbers
                self.filled = row + 1
                self.rows[surface] = row
        return row


class TextCodec:
    """Characters ↔ units ↔ ids, with every answer in offsets of the caller's own string."""

    def __init__(
        self, vocabulary: Vocabulary, rules: CodecRules | None = None, words: Iterable[str] = ()
    ) -> None:
        """Build a codec over a fitted vocabulary, and perhaps a list of words.

        Raises:
            TextError: ``words`` are not such as ``Words`` takes.
        """
        self.vocabulary = vocabulary
        self.rules = rules or CodecRules()
        self.words = Words(words)
        self._width = _WORD + bool(self.words)
        self._memo = _Memo(self._width)

    @classmethod
    def fit(
        cls, texts: Iterable[str], rules: CodecRules | None = None, words: Iterable[str] = ()
    ) -> TextCodec:
        """Learn the vocabulary of ``texts``; ``words`` are taken as they are."""
        rules = rules or CodecRules()
        units = (normalise(text[a:b])[0] for text in texts for a, b in split(text))
        return cls(Vocabulary.fit(units, rules.min_count, rules.max_units), rules, words)

    # -- encoding -----------------------------------------------------------------

    def encode(self, text: str) -> Encoding:
        """Cut ``text`` into units and look them up; nothing is dropped but white space."""
        memo = self._memo
        if memo.filled > _MEMO_LIMIT:
            memo = self._memo = _Memo(self._width)
        spans = split(text)
        known, learn = memo.rows, self._learn
        # `or learn` is safe: row 0 is kept for padding.
        rows = [known.get(text[a:b]) or learn(memo, text[a:b]) for a, b in spans]
        borders = np.array(spans, dtype=np.int64).reshape(-1, 2)
        starts, ends = borders[:, 0], borders[:, 1]
        features = memo.table[np.array(rows, dtype=np.int64)]
        features[:, SHAPE] += starts > np.append(-1, ends)[:-1]  # white space stands before it
        if self.words:
            features[:, _WORD] = self.words.cover(features[:, _WORD].tolist())
        return Encoding(text, starts, ends, features)

    def windows(self, encoding: Encoding, reading: int | None = None) -> list[Window]:
        """Windows of at most ``rules.window`` units, in order, that cover all units.

        Args:
            encoding: the text; without units it has no window.
            reading: units up to which whole sentences are read together. A longer text is cut
                between sentences into windows of as many as fit, one at least; only a
                sentence longer than ``rules.window`` is cut itself. None cuts without regard
                to sentences. Where sentences are cut, neighbouring windows share
                ``rules.overlap`` units or more.
        """
        count = encoding.length
        if not count:
            return []
        if reading is None or count <= reading:
            return self._pieces(0, count)
        ends = np.searchsorted(encoding.starts, sentence_ends(encoding.text))
        borders = sorted({0, count, *ends.tolist()})
        windows: list[Window] = []
        at = 0
        while at + 1 < len(borders):
            to = max(at + 1, bisect_right(borders, borders[at] + reading) - 1)
            windows += self._pieces(borders[at], borders[to])
            at = to
        return windows

    def _pieces(self, first: int, stop: int) -> list[Window]:
        size = self.rules.window
        firsts = range(first, stop - size, size - self.rules.overlap)
        return [Window(f, f + size) for f in firsts] + [Window(max(first, stop - size), stop)]

    def arrays(
        self, parts: Sequence[tuple[Encoding, Window]], length: int
    ) -> dict[str, NDArray[np.int32]]:
        """The inputs of a network for a batch of windows, padded to ``length`` units.

        Returns:
            ``units`` (B, length), ``shapes`` (B, length), ``grams`` (B, length, slots), and
            ``words`` (B, length) if the codec knows any; 0 pads.
        """
        features = np.zeros((len(parts), length, self._width), dtype=np.int32)
        for i, (encoding, (first, stop)) in enumerate(parts):
            features[i, : stop - first] = encoding.features[first:stop]
        arrays = {
            "units": features[..., UNIT],
            "shapes": features[..., SHAPE],
            "grams": features[..., GRAMS:_WORD],
        }
        if self.words:
            arrays["words"] = features[..., _WORD]
        return {name: np.ascontiguousarray(array) for name, array in arrays.items()}

    def numbers(self, surface: str) -> list[int]:
        """Id, shape (as after no white space) and n-grams of one unit as it stands in a text."""
        unit = normalise(surface)[0]
        known = unit in self.vocabulary
        # A known Han character or mark says all by its id; words and strangers get n-grams.
        bare = known and (is_han(unit) or not unit[0].isalnum())
        grams = [0] * GRAM_SLOTS if bare else grams_of(unit, self.rules.buckets)
        return [self.vocabulary.id(unit), shape_of(surface), *grams]

    def _learn(self, memo: _Memo, surface: str) -> int:
        numbers = self.numbers(surface)
        if self.words:
            # A unit's word depends on its neighbours; remembered is what they make words of.
            numbers.append(self.words.symbol(normalise(surface)[0]))
        return memo.add(surface, numbers)

    # -- the way back -------------------------------------------------------------

    def span(self, encoding: Encoding, first: int, last: int) -> Span:
        """The slice of the text from unit ``first`` to unit ``last``, both included."""
        start, end = int(encoding.starts[first]), int(encoding.ends[last])
        return Span(start, end, encoding.text[start:end])

    def locate(self, encoding: Encoding, start: int, end: int) -> tuple[int, int] | None:
        """The first and last unit of ``text[start:end]``, None where it cuts through a unit.

        White space at its ends belongs to no unit and is left out.
        """
        text, starts, ends = encoding.text, encoding.starts, encoding.ends
        first, last = bisect_left(starts, start), bisect_right(ends, end) - 1
        if not (start >= 0 and first <= last and end <= len(text)):
            return None
        cut = text[start : starts[first]].strip() or text[ends[last] : end].strip()
        return None if cut else (first, last)

    def occurrences(self, encoding: Encoding, part: str) -> list[tuple[int, int]]:
        """Every place where ``part`` stands on unit borders, as first and last unit.

        A part that never stands there to the letter is looked for once more with white
        space at its ends left out and width and case folded.
        """
        text = encoding.text
        same = range(len(text) + 1)
        exact = self._find(encoding, text, part, same)
        if exact:
            return exact
        folded, origin = normalise(text)
        borders = same if origin is None else [*origin, len(text)]
        return self._find(encoding, folded, normalise(part.strip())[0], borders)

    def _find(
        self, encoding: Encoding, haystack: str, needle: str, borders: Sequence[int]
    ) -> list[tuple[int, int]]:
        """``borders`` says where each character of ``haystack``, and its end, stand in the text."""
        places = []
        at = haystack.find(needle) if needle else -1
        while at >= 0:
            end = at + len(needle)
            a, b = borders[at], borders[end]
            # Half of a character that folds into several (the ``2`` of ``½``) is no place.
            if borders[at - 1] != a and borders[end - 1] != b:
                place = self.locate(encoding, a, b)
                if place is not None:
                    places.append(place)
            at = haystack.find(needle, at + 1)
        return places

    # -- identity -----------------------------------------------------------------

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all that decides which numbers a text becomes."""
        return hashlib.sha256(self._payload()).hexdigest()

    def _payload(self) -> bytes:
        payload: dict[str, object] = {
            "codec": RULES,
            "rules": self.rules,
            "units": self.vocabulary.units,
        }
        if self.words:
            payload["words"] = self.words.listed
        return msgspec.json.encode(payload)

    def save(self, path: Path) -> None:
        """Write the codec as JSON."""
        path.write_bytes(self._payload())

    @classmethod
    def load(cls, path: Path) -> TextCodec:
        """Read a codec back.

        Raises:
            FolderError: the file is not a codec of this version of the rules.
        """
        try:
            stored = msgspec.json.decode(path.read_bytes(), type=_Stored)
            codec = cls(Vocabulary(stored.units), stored.rules, stored.words)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, TextError) as error:
            raise FolderError(f"{path}: not a codec: {error}") from error
        if stored.codec != RULES:
            raise FolderError(f"{path}: codec rules {stored.codec}, this quern reads {RULES}")
        return codec


class _Stored(msgspec.Struct, forbid_unknown_fields=True):
    codec: int
    rules: CodecRules
    units: list[str]
    words: list[str] = []
