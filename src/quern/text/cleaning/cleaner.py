"""Cleaning: steps over a string, in an order, each to be switched."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from quern.text.cleaning.code import Stash, blocks, spans
from quern.text.cleaning.html import html
from quern.text.cleaning.markdown import markdown
from quern.text.cleaning.named import Treatment, emails, instead, numbers, phones, urls

_ROUNDS = 8
_LINE_ENDS = re.compile("\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]")
_GAPS = re.compile(r" [^\S\n]+|[^\S\n ][^\S\n]*")  # all but a space by itself
_EDGES = re.compile(r" ?\n ?")
_BLANK = re.compile(r"\n{3,}")


class CleaningSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What each step does, in the order of the steps.

    Attributes:
        code: blocks of code. Kept code is left alone by all steps but ``case``.
        inline: code within a paragraph; the same.
        html: take tags out and resolve entities.
        markdown: take the marks of Markdown off.
        urls: addresses of pages.
        emails: addresses of people.
        phones: telephone numbers.
        numbers: numbers that are no part of a name.
        space: one space for several, one blank line for several, none at the edges of lines.
        case: of letters.
    """

    code: Treatment = "keep"
    inline: Treatment = "keep"
    html: bool = True
    markdown: bool = True
    urls: Treatment = "mark"
    emails: Treatment = "mark"
    phones: Treatment = "keep"
    numbers: Treatment = "keep"
    space: bool = True
    case: Literal["keep", "lower"] = "keep"


STEPS: tuple[str, ...] = CleaningSettings.__struct_fields__

_NAMED: Mapping[str, Callable[[str, Treatment], str]] = {
    "urls": urls,
    "emails": emails,
    "phones": phones,
    "numbers": numbers,
}


class Cleaner:
    """Cleans one text after the other, and counts.

    What a step takes away can bring together what an earlier one would have taken, so rounds are
    repeated until one changes nothing; cleaning a clean text again then changes nothing either.
    Marks nested so deeply that eight rounds do not suffice are left as they then stand.

    Attributes:
        changed: how many texts each step changed.
        unsettled: how many texts would have wanted more rounds.
    """

    def __init__(self, settings: CleaningSettings | None = None) -> None:
        self.settings = settings or CleaningSettings()
        self.changed: Counter[str] = Counter()
        self.unsettled = 0
        self._steps = list(_steps(self.settings))

    def __call__(self, text: str) -> str:
        """The text, cleaned."""
        steps: set[str] = set()
        for _ in range(_ROUNDS):
            before = text
            text = self._round(text, steps)
            if text == before:
                break
        else:
            self.unsettled += 1
        self.changed.update(steps)
        return text

    def _round(self, text: str, changed: set[str]) -> str:
        stash = Stash()
        text = stash.free(text)
        for name, part in (("code", blocks), ("inline", spans)):
            treatment: Treatment = getattr(self.settings, name)
            new = stash.hide if treatment == "keep" else _always(instead(name, treatment))
            before, text = text, part(text, new)
            if treatment != "keep" and text != before:
                changed.add(name)
        for name, step in self._steps:
            after = step(text)
            if after != text:
                text = after
                changed.add(name)
        text = stash.back(text)
        if self.settings.case == "lower" and (lowered := text.lower()) != text:
            text = lowered
            changed.add("case")
        return text


def clean(text: str, settings: CleaningSettings | None = None) -> str:
    """One text, cleaned; see ``Cleaner``."""
    return Cleaner(settings)(text)


def space(text: str) -> str:
    """White space without what nobody reads; paragraphs stay apart."""
    text = _GAPS.sub(" ", _LINE_ENDS.sub("\n", text))
    if " \n" in text or "\n " in text:
        text = _EDGES.sub("\n", text)
    return _BLANK.sub("\n\n", text).strip()


def _steps(settings: CleaningSettings) -> list[tuple[str, Callable[[str], str]]]:
    """The steps that look at prose and are switched on."""
    whole = {"html": html, "markdown": markdown, "space": space}
    steps: list[tuple[str, Callable[[str], str]]] = []
    for name in STEPS:
        value = getattr(settings, name)
        if name in whole and value:
            steps.append((name, whole[name]))
        elif name in _NAMED and value != "keep":
            steps.append((name, _set(_NAMED[name], value)))
    return steps


def _always(new: str) -> Callable[[str], str]:
    return lambda piece: new


def _set(step: Callable[[str, Treatment], str], treatment: Treatment) -> Callable[[str], str]:
    return lambda text: step(text, treatment)
