"""Traditional Han characters read as simplified ones, one for one, so that offsets hold."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def simplified() -> dict[int, str]:
    """A ``str.translate`` table: traditional character → simplified one.

    Where a traditional character has several simplified forms, depending on the word, it is the
    most frequent. That does not matter here: texts are not converted, both sides of a
    comparison are folded alike.
    """
    lines = (Path(__file__).parent / "simplified.txt").read_text(encoding="utf-8").splitlines()
    pairs = ((line[0], line[1:]) for line in lines if line[0] != "#")
    return {ord(old): new for new, olds in pairs for old in olds}
