"""Where sentences end."""

from __future__ import annotations

import re

_CLOSING = "”’」』）》〉】\"')\\]"
# A full stop ends a sentence where a new one may begin behind it, unless it stands after an
# initial ("J.") or a short capitalised word, most of which are abbreviations ("Mr.", "Inc."), or
# before a number or bracket ("ca. 1975").
_END = re.compile(
    rf"[。！？!?…]+[{_CLOSING}]*"
    r"|[\n\r\u2028\u2029]+"
    rf"|(?<!\b\w)(?<!\b[A-Z][a-z])(?<!\b[A-Z][a-z]{{2}})\.[{_CLOSING}]*(?=\s+[^\sa-z0-9(])"
)


def sentence_ends(text: str) -> list[int]:
    """Offsets in ``text`` right behind the end of a sentence or line, in order.

    A rule of thumb that would rather miss an end than cut through a sentence.
    """
    return [match.end() for match in _END.finditer(text)]
