"""Priors: triples that are known already, looked up in a text before it is read.

Distant supervision as in Su, "基于DGCNN和概率图的轻量级信息抽取模型" (2019): where the subject and
an object of a known triple both stand in a text, the pair is a candidate, and the network is told
where it stands. In training, the triples of a text itself would give the answers away; so one
that a single text states is known in every text but that one.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

import msgspec
import numpy as np
from numpy.typing import NDArray

from quern.alignment import Label, UnitSpan
from quern.errors import FolderError
from quern.records import LabelledTriple, TripleExample
from quern.text import Encoding, Window
from quern.text.search import Finder, Match, folded
from quern.text.vocabulary import SURROGATE

Floats = NDArray[np.float32]
# What is known in a window: subjects, each with its objects and their labels, in its units.
Known = Mapping[UnitSpan, Sequence[tuple[int, UnitSpan]]]

_ANYWHERE = 0  # home of a triple that counts in every text

_Homes = dict[tuple[str, int, str], int]  # folded subject, label, folded object → home


def home_of(text: str) -> int:
    """The number by which the only text that states a triple is known again; 48 bits of SHA-256."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:6]) or 1


class Priors:
    """Known triples, each with its home: the one text in which it does not count, if any."""

    def __init__(self, strings: Sequence[str], facts: NDArray[np.int64]) -> None:
        """Build the index.

        Args:
            strings: folded subjects and objects, each once.
            facts: (n, 4), the number of the subject, of the label, of the object, and the home.
        """
        self.strings = list(strings)
        self._facts = facts[np.lexsort(facts.T[::-1])]
        # The facts of subject s are those from _first[s] up to _first[s + 1].
        self._first = np.searchsorted(self._facts[:, 0], np.arange(len(strings) + 1)).tolist()
        self._finder = Finder(self.strings)

    @classmethod
    def learn(
        cls,
        examples: Iterable[TripleExample],
        labels: Sequence[Label],
        facts: Iterable[LabelledTriple] = (),
    ) -> Priors:
        """Take the triples of labelled texts, and others.

        A triple of the texts counts where another text states it too; the same text counts
        once, however many lines it stands on. One of ``facts`` counts everywhere.

        Args:
            examples: labelled texts.
            labels: what the model tells apart. A triple without types stands for every label
                of its predicate; one whose predicate is no label's is left out.
            facts: more triples.
        """
        numbers: dict[Label, set[int]] = defaultdict(set)
        for k, label in enumerate(labels):
            numbers[label].add(k)
            numbers[Label(label.predicate)].add(k)
        homes: _Homes = {}
        stated = ((home_of(e.text), t) for e in examples for t in e.triples)
        for home, triple in chain(stated, ((_ANYWHERE, fact) for fact in facts)):
            subject, object_ = folded(triple.subject), folded(triple.object)
            if subject and object_ and not SURROGATE.search(subject + object_):
                for k in numbers.get(Label.of(triple), ()):
                    _add(homes, (subject, k, object_), home)
        return cls._of(homes)

    @classmethod
    def merged(cls, several: Sequence[Priors]) -> Priors:
        """What any of several knows, of models with the same labels."""
        homes: _Homes = {}
        for priors in several:
            for subject, k, object_, home in priors._facts.tolist():
                _add(homes, (priors.strings[subject], k, priors.strings[object_]), home)
        return cls._of(homes)

    @classmethod
    def _of(cls, homes: _Homes) -> Priors:
        strings = sorted({part for subject, _, object_ in homes for part in (subject, object_)})
        number = {string: n for n, string in enumerate(strings)}
        rows = [(number[s], k, number[o], home) for (s, k, o), home in homes.items()]
        return cls(strings, np.array(rows, dtype=np.int64).reshape(-1, 4))

    def __len__(self) -> int:
        """Number of triples."""
        return len(self._facts)

    # -- looking up ---------------------------------------------------------------------

    def find(
        self, encoding: Encoding, windows: Iterable[Window], home: int | None = None
    ) -> list[Known]:
        """What is known in each window: pairs of which it holds both ends.

        Args:
            encoding: a text.
            windows: parts of it.
            home: of the text whose own triples do not count, ``encoding``'s where not given.
        """
        matches = self._finder(encoding)
        firsts = [match.first for match in matches]
        away = home_of(encoding.text) if home is None else home
        return [
            self._pairs(
                matches[bisect_left(firsts, window.first) : bisect_left(firsts, window.stop)],
                window,
                away,
            )
            for window in windows
        ]

    def _pairs(self, matches: Iterable[Match], window: Window, away: int) -> Known:
        places: dict[int, list[UnitSpan]] = defaultdict(list)
        for first, last, string in matches:
            if last < window.stop:
                places[string].append((first - window.first, last - window.first))
        known: dict[UnitSpan, list[tuple[int, UnitSpan]]] = {}
        for subject, spans in places.items():
            facts = self._facts[self._first[subject] : self._first[subject + 1]].tolist()
            objects = [
                (label, place)
                for _, label, object_, home in facts
                if object_ in places and home != away
                for place in places[object_]
            ]
            if objects:
                known |= dict.fromkeys(spans, objects)
        return known

    # -- on disk --------------------------------------------------------------------------

    def payload(self) -> bytes:
        """The content of ``priors.json``; the same triples give the same bytes."""
        of_home: dict[int, list[int]] = defaultdict(list)
        for *fact, home in self._facts.tolist():
            of_home[home] += fact
        return msgspec.json.encode(_Stored(self.strings, sorted(of_home.items())))

    @classmethod
    def read(cls, content: bytes) -> Priors:
        """The priors of a ``payload``.

        Raises:
            FolderError: it is none.
        """
        try:
            stored = msgspec.json.decode(content, type=_Stored)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise FolderError(f"priors cannot be read: {error}") from error
        homes, flat = [home for home, _ in stored.facts], [row for _, row in stored.facts]
        parts = np.fromiter(chain.from_iterable(flat), dtype=np.int64)
        if any(len(row) % 3 for row in flat):
            raise FolderError("priors cannot be read: their numbers do not come in threes")
        home = np.repeat(np.array(homes, dtype=np.int64), [len(row) // 3 for row in flat])
        return cls(stored.strings, np.column_stack([parts.reshape(-1, 3), home]))


class _Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every string once; for each home its triples, three numbers each: subject, label, object."""

    strings: list[str]
    facts: list[tuple[int, list[int]]]


def _add(homes: _Homes, key: tuple[str, int, str], home: int) -> None:
    """A triple with two homes counts anywhere."""
    homes[key] = home if homes.get(key, home) == home else _ANYWHERE


# -- features ---------------------------------------------------------------------------


def known_subjects(windows: Sequence[Known], length: int) -> Floats:
    """Marks of the starts and ends of known subjects, (windows, length, 2)."""
    marks = np.zeros((len(windows), length, 2), dtype=np.float32)
    for row, known in enumerate(windows):
        for first, last in known:
            marks[row, first, 0] = marks[row, last, 1] = 1
    return marks


def known_objects(subjects: Sequence[tuple[Known, UnitSpan]], labels: int, length: int) -> Floats:
    """Marks of the known objects of chosen subjects, (subjects, length, labels, 2).

    Args:
        subjects: what is known in a window, and a span that stands for a subject there.
        labels: how many labels there are.
        length: units to which the windows are padded.
    """
    marks = np.zeros((len(subjects), length, labels, 2), dtype=np.float32)
    for row, (known, subject) in enumerate(subjects):
        for label, (first, last) in known.get(subject, ()):
            marks[row, first, label, 0] = marks[row, last, label, 1] = 1
    return marks
