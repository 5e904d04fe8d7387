"""What is told by its form alone: addresses, telephone numbers, numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

Treatment = Literal["keep", "mark", "drop"]

# One character each, which a codec takes for one unit.
MARKS = {"code": "⌨", "inline": "⌨", "urls": "🔗", "emails": "✉", "phones": "☎", "numbers": "🔢"}

# No letter that touches it belongs to an address, but a Han character does not count.
_APART = r"(?<![A-Za-z0-9_])"
_OF_URL = r"[A-Za-z0-9\-._~:/?#\[\]@!$&'*+,;=%]"
_URL = re.compile(
    rf"{_APART}(?:(?:https?|ftps?|git|ssh|file)://|www\.(?=[A-Za-z0-9]))"
    rf"(?:{_OF_URL}|\({_OF_URL}*\))++",
    re.IGNORECASE,
)
_OF_NAME = r"[A-Za-z0-9._%+\-]"
_EMAIL = re.compile(
    rf"(?<!{_OF_NAME}){_OF_NAME}{{1,64}}@(?:[A-Za-z0-9\-]{{1,63}}\.){{1,8}}[A-Za-z]{{2,24}}(?![A-Za-z])"
)
_PHONE = re.compile(
    r"(?<![\dA-Za-z_.+\-])(?:"
    r"\+\d{1,3}(?:[ .\-]?\(?\d{1,4}\)?){2,5}"  # +44 20 7946 0018
    r"|\(\d{2,4}\)[ \-]?\d{3,4}[ \-]?\d{3,4}"  # (555) 010-0199
    r"|\d{3}([.\- ])\d{3}\1\d{4}"  # 555-010-0199
    r"|1[3-9]\d(?:[ \-]?\d{4}){2}"  # a Chinese mobile telephone
    r"|0\d{2,3}[ \-]\d{7,8}"  # and one with its area
    r")(?![\dA-Za-z_\-])"
)
_NUMBER = re.compile(r"(?<![\dA-Za-z_.])[\d]+(?:[.,]\d+)*+(?![\dA-Za-z_])")
_ENDS = ".,;:!?'*_~"  # of the sentence rather than of the address

_Step = Callable[[str, Treatment], str]


def instead(step: str, treatment: Treatment) -> str:
    """What stands for something that a step marks or drops."""
    return MARKS[step] if treatment == "mark" else ""


def urls(text: str, treatment: Treatment) -> str:
    """Addresses of pages and files; marks that end a sentence are no part of them."""
    if "://" not in text and "www." not in text.lower():
        return text
    new = instead("urls", treatment)
    return _URL.sub(lambda found: new + found[0][len(found[0].rstrip(_ENDS)) :], text)


def emails(text: str, treatment: Treatment) -> str:
    """Addresses of people."""
    return _EMAIL.sub(instead("emails", treatment), text) if "@" in text else text


def phones(text: str, treatment: Treatment) -> str:
    """Telephone numbers of the usual forms, at least seven digits long."""

    def replaced(found: re.Match[str]) -> str:
        enough = sum(map(str.isdigit, found[0])) >= 7
        return instead("phones", treatment) if enough else found[0]

    return _PHONE.sub(replaced, text)


def numbers(text: str, treatment: Treatment) -> str:
    """Numbers that are no part of a name: ``3.14`` and ``1,000``, but not ``u32``."""
    return _NUMBER.sub(instead("numbers", treatment), text)
