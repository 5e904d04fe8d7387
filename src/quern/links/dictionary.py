"""Names that are looked up in a text before it is read, and what annotators made of them.

After Su, "百度实体链接比赛后记：行为建模和实体链接" (2019): people label some names nearly always
where they stand, others hardly ever, and how often is a property of the name. A name's rate is the
share of its places in the training texts that are labelled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import NamedTuple, Protocol, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from quern.errors import FolderError
from quern.kb.names import NameList
from quern.priors import home_of
from quern.records import LinkExample, NameMatch
from quern.text import Encoding, TextCodec
from quern.text.keys import keys_of
from quern.text.vocabulary import SURROGATE

Floats = NDArray[np.float32]
FEATURES = 8  # of a unit; see ``Dictionary.features``

_SEVERAL = 0  # home of a name that several texts label
_USUAL = 0.5  # rate of a name that nobody has met
_WEIGHT = 1.0  # places that this rate counts for
_SEEN = 4.0  # places after which a rate is half believed


class FindsNames(Protocol):
    """Anything that finds names in texts: those of a knowledge base, or a list."""

    def find_many(self, texts: Iterable[str], *, every: bool = False) -> Iterator[list[NameMatch]]:
        """For each text its matches, by where they begin; all, or the longest ones."""


class Habit(NamedTuple):
    """What the training texts do with a name.

    Attributes:
        labelled: places where it is a mention.
        found: places where it stands, longer names around it left out.
        home: the only text that labels it, by ``home_of``; 0 where several do, or none does.
    """

    labelled: int
    found: int
    home: int = _SEVERAL

    def without(self, labelled: int, found: int) -> Habit:
        """The same without the places of one text."""
        return Habit(max(0, self.labelled - labelled), max(0, self.found - found), self.home)

    @property
    def rate(self) -> float:
        """Share of its places that are labelled, drawn to a half where it was seldom found."""
        found = max(self.found, self.labelled)
        return (self.labelled + _USUAL * _WEIGHT) / (found + _WEIGHT)

    @property
    def seen(self) -> float:
        """How much is known of it, from 0 to 1."""
        return self.found / (self.found + _SEEN)


_UNMET = Habit(0, 0)


class NameHit(NamedTuple):
    """A name in a text: ``text[start:end]``, and what is known of it."""

    start: int
    end: int
    key: str
    habit: Habit


class Dictionary:
    """Names with their habits.

    Its own names are those that training texts label; or the names are a knowledge base's, and
    only the habits are its own.
    """

    def __init__(self, habits: Mapping[str, Habit], base: FindsNames | None = None) -> None:
        """Put names and habits together.

        Args:
            habits: by the key of each name.
            base: what knows the names; the labelled ones of ``habits`` where not given.
        """
        self.habits = dict(habits)
        self.based = base is not None
        labelled = [key for key, habit in self.habits.items() if habit.labelled]
        self._names = base or NameList(sorted(labelled))

    @classmethod
    def learn(cls, examples: Iterable[LinkExample], base: FindsNames | None = None) -> Dictionary:
        """Take the names that labelled texts hold, or those of a base, and count their places.

        A text counts once, however many lines it stands on.
        """
        texts = {example.text: example for example in reversed(list(examples))}
        once = list(texts.values())
        labelled = list(_labelled(once))
        homes: dict[str, int] = {}
        counts: Counter[str] = Counter()
        for example, names in zip(once, labelled, strict=True):
            home = home_of(example.text)
            counts += names
            for key in names:
                homes[key] = home if homes.get(key, home) == home else _SEVERAL
        names_of = base or NameList(sorted(counts))
        found = Counter(
            match.key for of in names_of.find_many([e.text for e in once]) for match in of
        )
        kept = found if base is not None else counts
        return cls(
            {key: Habit(counts[key], found[key], homes.get(key, _SEVERAL)) for key in sorted(kept)},
            base,
        )

    def __len__(self) -> int:
        """Names with habits."""
        return len(self.habits)

    # -- looking up ---------------------------------------------------------------------

    def find(
        self, texts: Sequence[str], own: Sequence[LinkExample | None] | None = None
    ) -> Iterator[list[NameHit]]:
        """All names in each text, overlapping ones too, by where they begin and end.

        A name that one text alone labels is no name in that text, so that training sees what
        reading will see. In training, what a text's own labels add to a habit is taken off, too.

        Args:
            texts: any strings.
            own: the labels of each, where it is among those that the habits were learned from.
        """
        matches = self._names.find_many(texts, every=True)
        examples = own or [None] * len(texts)
        rows = zip(texts, examples, _labelled(examples), matches, strict=True)
        for text, example, ours, found in rows:
            away = home_of(text)
            places: Counter[str] = Counter()
            if example is not None:
                places.update(match.key for match in longest(found))
            hits = []
            for match in found:
                habit = self.habits.get(match.key, _UNMET)
                if habit.home == away:
                    habit = habit.without(habit.labelled, 0)
                if example is not None:
                    habit = habit.without(ours[match.key], places[match.key])
                if habit.labelled or self.based:
                    hits.append(NameHit(match.start, match.end, match.key, habit))
            yield hits

    def features(
        self,
        encodings: Sequence[Encoding],
        codec: TextCodec,
        own: Sequence[LinkExample | None] | None = None,
    ) -> Iterator[Floats]:
        """What the names say of each unit of each text, (units, ``FEATURES``).

        Of the longest names that cover the text: whether the unit is in one, begins one, ends
        one; the name's rate and how much is known of it. Of all names: whether any begins or ends
        here, and the highest rate of those that do either.

        Args:
            encodings: texts.
            codec: theirs.
            own: see ``find``.
        """
        texts = [encoding.text for encoding in encodings]
        for encoding, hits in zip(encodings, self.find(texts, own), strict=True):
            marks = np.zeros((encoding.length, FEATURES), dtype=np.float32)
            places = {hit: codec.locate(encoding, hit.start, hit.end) for hit in hits}
            for hit, place in places.items():
                if place is not None:
                    first, last = place
                    marks[first, 5] = marks[last, 6] = 1
                    rate = hit.habit.rate
                    for unit in place:
                        marks[unit, 7] = max(marks[unit, 7], rate)
            for hit in longest(hits):
                place = places[hit]
                if place is not None:
                    first, last = place
                    marks[first, 1] = marks[last, 2] = 1
                    marks[first : last + 1, 0] = 1
                    marks[first : last + 1, 3] = hit.habit.rate
                    marks[first : last + 1, 4] = hit.habit.seen
            yield marks

    # -- on disk --------------------------------------------------------------------------

    def payload(self) -> bytes:
        """The content of ``names.json``; the same names give the same bytes."""
        rows = sorted((k, h) for k, h in self.habits.items() if not SURROGATE.search(k))
        numbers = [list(column) for column in zip(*(h for _, h in rows), strict=True)]
        labelled, found, homes = numbers or [[], [], []]
        return msgspec.json.encode(_Stored([key for key, _ in rows], labelled, found, homes))

    @classmethod
    def read(cls, content: bytes, base: FindsNames | None = None) -> Dictionary:
        """The dictionary of a ``payload``.

        Raises:
            FolderError: it is none.
        """
        try:
            stored = msgspec.json.decode(content, type=_Stored)
            rows = zip(stored.labelled, stored.found, stored.homes, strict=True)
            return cls(dict(zip(stored.keys, (Habit(*row) for row in rows), strict=True)), base)
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
            raise FolderError(f"names cannot be read: {error}") from error


class _Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every name by its key, and its habit."""

    keys: list[str]
    labelled: list[int]
    found: list[int]
    homes: list[int]


def _labelled(examples: Sequence[LinkExample | None]) -> Iterator[Counter[str]]:
    """How often each name is labelled in each text, each place once."""
    words = [
        [] if e is None else [e.text[a:b] for a, b in {mention.place for mention in e.mentions}]
        for e in examples
    ]
    keys = iter(keys_of(list(chain.from_iterable(words))))
    for of_text in words:
        yield Counter(islice(keys, len(of_text)))


class _Placed(Protocol):
    """Something that stands somewhere."""

    @property
    def start(self) -> int: ...

    @property
    def end(self) -> int: ...


_P = TypeVar("_P", bound=_Placed)


def longest(found: Iterable[_P]) -> list[_P]:
    """The longest from the beginning on, and so on behind it.

    Args:
        found: sorted by where they begin.
    """
    chosen: list[_P] = []
    for one in found:
        if chosen and one.start == chosen[-1].start:
            chosen[-1] = max(chosen[-1], one, key=lambda each: each.end)
        elif not chosen or one.start >= chosen[-1].end:
            chosen.append(one)
    return chosen
