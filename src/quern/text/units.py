"""Cut a text into units: one Han character, one run of letters or of digits, or one mark."""

from __future__ import annotations

import re

from quern.text.normalise import normalise

_HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_LETTER = rf"[^\W\d_{_HAN}]"
# Combining marks belong to the letter before them; `re` has no class for them, so the
# blocks that living scripts use are listed.
_COMBINING = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a"
    "\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u0900-\u0903"
    "\u093a-\u093c\u093e-\u094f\u0981-\u0983\u09bc\u09be-\u09cd\u0a01-\u0a03\u0a3c-\u0a4d"
    "\u0b82\u0bbe-\u0bcd\u0c00-\u0c04\u0c3e-\u0c4d\u0e31\u0e34-\u0e3a\u0e47-\u0e4e"
    "\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\u3099\u309a\ufe20-\ufe2f"
)
_UNIT = re.compile(
    rf"[{_HAN}]|{_LETTER}+(?:[{_COMBINING}]+{_LETTER}*)*|\d+|[^\s]",
)
_HAN_UNIT = re.compile(rf"[{_HAN}]\Z")
_COMBINING_MARK = re.compile(rf"[{_COMBINING}]\Z")


def split(text: str) -> list[tuple[int, int]]:
    """Return the units of ``text`` as ``(start, end)`` slices, in order and never overlapping.

    White space belongs to no unit. Characters that fold into several (``½`` → ``1⁄2``)
    stay one unit, since half a character cannot be handed back to the caller.
    """
    folded, origin = normalise(text)
    spans = [match.span() for match in _UNIT.finditer(folded)]
    if origin is None:
        return spans
    merged: list[tuple[int, int]] = []
    for first, last in spans:
        start, end = origin[first], origin[last - 1] + 1
        if merged and start < merged[-1][1]:
            start = merged.pop()[0]
        merged.append((start, end))
    return merged


def word_spans(text: str) -> list[tuple[int, int]]:
    """The same without marks: Han characters, and runs of letters or of digits."""
    return [(start, end) for start, end in split(text) if text[start].isalnum()]


def words_in(text: str) -> list[str]:
    """The units of ``word_spans``, with case, width and compatibility forms folded."""
    return [normalise(text[start:end])[0] for start, end in word_spans(text)]


def is_han(unit: str) -> bool:
    """Whether ``unit`` is a single Han character."""
    return _HAN_UNIT.match(unit) is not None


def is_combining(unit: str) -> bool:
    """Whether ``unit`` is a single mark that belongs to the letter before it."""
    return _COMBINING_MARK.match(unit) is not None


def han_share(text: str) -> float:
    """Share of the units of ``text`` that are Han characters, 0 for a text without units."""
    spans = split(text)
    return sum(is_han(text[a:b]) for a, b in spans) / len(spans) if spans else 0.0


def wordless(text: str) -> bool:
    """Whether a text has no letter, and so nothing that a sentence could mean."""
    return not any(map(str.isalpha, text))
