"""Short forms that a text defines itself: "adenomatous polyposis coli (APC)".

After Schwartz and Hearst, "A simple algorithm for identifying abbreviation definitions in
biomedical text" (2003): from the end of both, each character of the short form is found in the
words before the bracket, the first one at the beginning of a word.
"""

from __future__ import annotations

import re

_BRACKET = re.compile(r"[(（]([^()（）]{2,40})[)）]")
_LEAST, _MOST = 2, 10  # characters of a short form


def abbreviations(text: str) -> dict[str, str]:
    """The short forms that a text defines, each with the long form that stands before it."""
    found: dict[str, str] = {}
    for match in _BRACKET.finditer(text):
        short = re.split("[,;，；]", match[1], maxsplit=1)[0].strip()
        if not _is_short(short):
            continue
        words = text[: match.start()].split()
        most = min(len(short) + 5, 2 * len(short))
        long = _long_form(short, " ".join(words[-most:]))
        if long:
            found.setdefault(short, long)
    return found


def expanded(mention: str, short_forms: dict[str, str]) -> str:
    """A mention with the long forms in the place of its short ones."""
    for short, long in short_forms.items():
        if short in mention:
            whole_word = rf"(?<!\w){re.escape(short)}(?!\w)"
            mention = re.sub(whole_word, long.replace("\\", r"\\"), mention)
    return mention


def _is_short(text: str) -> bool:
    return (
        _LEAST <= len(text) <= _MOST
        and len(text.split()) <= 2
        and text[0].isalnum()
        and any(map(str.isalpha, text))
        and text.isascii()
    )


def _long_form(short: str, words: str) -> str:
    """The shortest end of ``words`` that the short form abbreviates, empty where there is none."""
    at = len(words)
    for n in range(len(short) - 1, -1, -1):
        letter = short[n].lower()
        if not letter.isalnum():
            continue
        at -= 1
        while at >= 0 and (
            words[at].lower() != letter or (n == 0 and at > 0 and words[at - 1].isalnum())
        ):
            at -= 1
        if at < 0:
            return ""
    long = words[at:]
    return long if len(long) > len(short) and short not in long.split() else ""
