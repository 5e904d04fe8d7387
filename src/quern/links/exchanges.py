"""Words that may stand for each other in names, learned from a knowledge base.

If two names of one entity differ in one word only, these two words have been exchanged; what
many entities exchange ("tumor" and "neoplasm", "II" and "2") may be exchanged in a mention, too.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations, islice

import msgspec

from quern.errors import FolderError
from quern.records import Entity
from quern.text.keys import BREAK, keys_of
from quern.text.vocabulary import SURROGATE

_LEAST = 3  # entities that exchange two words
_OTHERS = 4  # words that may stand for one
_NAMES = 20  # of an entity that are compared
_ENTITIES = 200_000  # that are looked at
_LOT = 1_000
_LONGEST = 8  # words of a name that is varied

_NUMBER, _EXCHANGED, _SHORTER = 0.95, 0.9, 0.7  # how well a varied name fits


class Exchanges:
    """For each word those that may stand for it, the most frequent first."""

    def __init__(self, words: Mapping[str, tuple[str, ...]]) -> None:
        """Take the words, without the s of a plural."""
        self.words = dict(words)

    @classmethod
    def learn(cls, entities: Iterable[Entity]) -> Exchanges:
        """Compare the names of each entity, of the first 200,000."""
        counts: Counter[tuple[str, str]] = Counter()
        rest = islice(entities, _ENTITIES)
        while lot := list(islice(rest, _LOT)):
            names = [entity.names[:_NAMES] for entity in lot if entity.aliases]
            keys = iter(keys_of([name for of_one in names for name in of_one]))
            for of_one in names:
                counts.update(_exchanged([next(keys) for _ in of_one]))
        found: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for (one, other), count in counts.items():
            if count >= _LEAST:
                found[one].append((-count, other))
        best = {word: sorted(others)[:_OTHERS] for word, others in sorted(found.items())}
        return cls({word: tuple(other for _, other in others) for word, others in best.items()})

    def varied(self, key: str) -> dict[str, float]:
        """Other keys that a name may have, each with how well it fits, the best first."""
        words = key.replace(BREAK, " ").split(" ")
        if not 1 <= len(words) <= _LONGEST or not any(word.isascii() for word in words):
            return {}
        found: dict[str, float] = {}
        for changed in _numbers(words):
            found.setdefault(" ".join(changed), _NUMBER)
        for n, word in enumerate(words):
            for other in self.words.get(singular(word), ()):
                for changed in _numbers([*words[:n], *other.split(" "), *words[n + 1 :]]):
                    found.setdefault(" ".join(changed), _EXCHANGED)
        for n in range(len(words) if len(words) > 1 else 0):
            shorter = [*words[:n], *words[n + 1 :]]
            fit = _SHORTER * (1 - 1 / len(words)) / (1 - 1 / _LONGEST)
            for changed in _numbers(shorter):
                found.setdefault(" ".join(changed), round(fit, 4))
        found.pop(key, None)
        return found

    def payload(self) -> bytes:
        """As bytes; the same words give the same."""
        return msgspec.json.encode(dict(sorted(self.words.items())))

    @classmethod
    def read(cls, content: bytes) -> Exchanges:
        """The words of a ``payload``.

        Raises:
            FolderError: it is none.
        """
        try:
            return cls(msgspec.json.decode(content, type=dict[str, tuple[str, ...]]))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise FolderError(f"exchanges of words cannot be read: {error}") from error


def singular(word: str) -> str:
    """A word without the s of an English plural; short ones as they are."""
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _numbers(words: list[str]) -> Iterator[list[str]]:
    """The words as they are, and with the last one in the other number."""
    yield words
    last = words[-1]
    if len(last) > 2 and last.isascii() and last.isalpha():
        other = singular(last)
        yield [*words[:-1], other if other != last else f"{last}s"]


def _exchanged(keys: list[str]) -> set[tuple[str, str]]:
    """Pairs of words in which two of some names differ, each way."""
    bags = [
        frozenset(map(singular, key.replace(BREAK, " ").split(" ")))
        for key in keys
        if key.isascii() and not SURROGATE.search(key)
    ]
    found = set()
    for one, other in combinations(bags, 2):
        if 2 <= len(one) == len(other) and len(one & other) == len(one) - 1:
            (left,), (right,) = one - other, other - one
            if not (left.isdigit() and right.isdigit()):
                found |= {(left, right), (right, left)}
    return found
