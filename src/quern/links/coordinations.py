"""Mentions that name several things at once: "breast and ovarian cancer", "张三和李四"."""

from __future__ import annotations

import re
from itertools import chain

_BETWEEN = re.compile(r"\s*(?:,\s*(?:and|or|&)\s+|\s(?:and/or|and|or|&)\s|[,/、，]|[和与及或])\s*")
_MOST = 6  # things in one mention


def coordinated(mention: str) -> list[list[str]]:
    """The ways in which a mention may name several things, those that share most words first.

    Each way is the names of all things. What stands before or after the first or the last may
    belong to all of them: "C6 and C7 deficiency" is "C6 deficiency" and "C7 deficiency".
    """
    parts = [part for part in _BETWEEN.split(mention) if part.strip()]
    if not 2 <= len(parts) <= _MOST:
        return []
    last, first = parts[-1].split(), parts[0].split()
    ways = [
        [*(f"{part} {' '.join(last[n:])}" for part in parts[:-1]), parts[-1]]
        for n in range(1, len(last))
    ]
    ways += [
        [parts[0], *(f"{' '.join(first[:n])} {part}" for part in parts[1:])]
        for n in range(len(first) - 1, 0, -1)
    ]
    distinct = dict.fromkeys(map(tuple, chain(ways, [parts])))
    return [list(way) for way in distinct]
