"""Character n-grams of names, by which names are found that are written almost alike.

Of a word, every three neighbouring characters, with its borders; of a run of Han characters, every
two, with its borders, and every two that stand one apart. So a wrong character among three leaves
something in common, and so do an abbreviation (``北大``, ``北京大学``) and words in another order.

Besides, each name has up to two short forms: its initials, and its letters without gaps where
they are few. The initials of one name may be the letters of another (``WHO``).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quern.text.hashing import PrefixHashes
from quern.text.keys import HAN, MARK, WORD, Keyed

Grams = NDArray[np.int64]

_WIDTH = 21  # bits of a code point
_SHORT = 6  # letters of a name that may be an abbreviation
_INITIALS, _LETTERS = np.uint64(1), np.uint64(0)  # last bit of a form


class NameGrams(NamedTuple):
    """The n-grams of many names, each once for a name, in the order of the names.

    Attributes:
        grams: (n,), n-grams, which are positive, and forms, which are negative.
        names: (n,), the number of the name that each belongs to.
    """

    grams: Grams
    names: NDArray[np.int64]


def grams_of_names(keyed: Keyed) -> NameGrams:
    """N-grams and short forms of names."""
    owners = _owners(keyed)
    parts = [*_of_words(keyed, owners), *_of_han(keyed, owners)]
    parts += [_initials(keyed, owners), _letters(keyed, owners)]
    grams = np.concatenate([part for part, _ in parts])
    names = np.concatenate([of for _, of in parts])
    order = np.lexsort((grams, names))
    grams, names = grams[order], names[order]
    new = np.ones(len(grams), dtype=np.bool_)
    new[1:] = (grams[1:] != grams[:-1]) | (names[1:] != names[:-1])
    return NameGrams(grams[new], names[new])


def counterparts(forms: Grams) -> Grams:
    """The forms that other names have if they abbreviate, or write out, what has these."""
    return -((-forms) ^ 1)


_Part = tuple[Grams, NDArray[np.int64]]


def _owners(keyed: Keyed) -> NDArray[np.int64]:
    """The number of the name that each code of the stream belongs to."""
    text = np.repeat(np.arange(len(keyed.pieces) - 1), np.diff(keyed.pieces))
    return np.repeat(text, np.diff(np.append(keyed.firsts, len(keyed.codes))))


def _padded(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([[0], codes, [0, 0]])


def _of_words(keyed: Keyed, owners: NDArray[np.int64]) -> list[_Part]:
    inside = keyed.kinds > HAN
    codes = _padded(np.where(inside, keyed.codes.astype(np.int64), 0))
    grams = (codes[:-3] << 2 * _WIDTH) | (codes[1:-2] << _WIDTH) | codes[2:-1]
    return [(grams[inside], owners[inside])]


def _of_han(keyed: Keyed, owners: NDArray[np.int64]) -> list[_Part]:
    han = keyed.kinds == HAN
    codes = _padded(np.where(han, keyed.codes.astype(np.int64), 0))
    here, after, next_but_one = codes[1:-2], codes[2:-1], codes[3:]
    opening = han & (codes[:-3] == 0)
    apart = han & (after != 0) & (next_but_one != 0)
    return [
        (here[opening], owners[opening]),
        (((here << _WIDTH) | after)[han], owners[han]),
        (((here << _WIDTH) | next_but_one)[apart], owners[apart]),
    ]


def _initials(keyed: Keyed, owners: NDArray[np.int64]) -> _Part:
    word = keyed.kinds == WORD
    first = word.copy()
    first[1:] &= ~word[:-1]
    codes, of = keyed.codes[first], owners[first]
    return _forms(codes, of, 2, len(codes), _INITIALS)


def _letters(keyed: Keyed, owners: NDArray[np.int64]) -> _Part:
    with_han = np.zeros(len(keyed.pieces), dtype=np.bool_)
    with_han[owners[keyed.kinds == HAN]] = True
    kept = (keyed.kinds != MARK) & ~with_han[owners]
    return _forms(keyed.codes[kept], owners[kept], 2, _SHORT, _LETTERS)


def _forms(
    codes: NDArray[np.uint32], of: NDArray[np.int64], least: int, most: int, kind: np.uint64
) -> _Part:
    """A negative number for the letters of each name that has not too few nor too many."""
    names, first = np.unique(of, return_index=True)
    last = np.append(first[1:], len(of))
    fit = (last - first >= least) & (last - first <= most)
    hashed = (PrefixHashes(codes)(first[fit], last[fit]) >> np.uint64(1)) | np.uint64(2)
    return -((hashed & ~np.uint64(1)) | kind).astype(np.int64), names[fit]
