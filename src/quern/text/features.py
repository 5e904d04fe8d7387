"""What is known of a unit besides its name: its shape, and hashed character n-grams."""

from __future__ import annotations

import zlib

from quern.text.units import is_han

GRAM_SLOTS = 8  # n-gram ids per unit: the unit as a whole, then trigrams from both ends
SHAPES = 27  # 0 is padding; then class × whether white space stands before the unit

_HAN, _LOWER, _TITLE, _UPPER, _MIXED, _CASELESS, _MARK, _BRACKET, _QUOTE = range(9)
_DIGITS = 9  # …12: one, two, three or four, five and more digits
_BRACKETS = frozenset("()[]{}<>（）【】〔〕「」『』〈〉［］｛｝")
_QUOTES = frozenset("\"'“”‘’《》«»`")


def shape_of(surface: str) -> int:
    """The shape id (odd, 1 to 25) of a unit as it stands in the text; +1 after white space."""
    if is_han(surface):
        kind = _HAN
    elif surface.isdigit():
        kind = _DIGITS + (0, 1, 2, 2)[len(surface) - 1] if len(surface) <= 4 else _DIGITS + 3
    elif surface[0].isalpha():
        kind = _letter_kind(surface)
    elif surface in _BRACKETS:
        kind = _BRACKET
    elif surface in _QUOTES:
        kind = _QUOTE
    else:
        kind = _MARK
    return 1 + 2 * kind


def _letter_kind(surface: str) -> int:
    if surface.islower():
        return _LOWER
    if surface.isupper() and len(surface) > 1:
        return _UPPER
    if surface[0].isupper() and (len(surface) == 1 or surface[1:].islower()):
        return _TITLE
    return _MIXED if surface.lower() != surface.upper() else _CASELESS


def grams_of(unit: str, buckets: int) -> list[int]:
    """Hash a folded unit and its trigrams into ``1 … buckets - 1``; 0 fills the rest.

    The unit is hashed whole, then its trigrams (with borders ``<unit>``), nearest to
    either end first, as prefixes and suffixes say most (Bojanowski et al., "Enriching Word
    Vectors with Subword Information", 2017).
    """
    bordered = f"<{unit}>"
    trigrams = [bordered[i : i + 3] for i in range(len(bordered) - 2)]
    room = GRAM_SLOTS - 1
    if len(trigrams) > room:
        head = (room + 1) // 2
        trigrams = trigrams[:head] + trigrams[head - room :]
    ids = [1 + _hash(gram) % (buckets - 1) for gram in (bordered, *trigrams)]
    return ids + [0] * (GRAM_SLOTS - len(ids))


def _hash(gram: str) -> int:
    return zlib.crc32(gram.encode("utf-8", "surrogatepass"))
