"""Code in Markdown: where it stands, and how it is kept from steps that are made for prose."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence

Replace = Callable[[str], str]

_FENCE = re.compile(r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?(`{3,}+(?!.*`)|~{3,}+)")
_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]")
_INDENT = re.compile(r"(?: {4}| {0,3}\t)[ \t]*+\S")
_PRE = re.compile(r"<pre\b[^<>]*+>(?:[^<]|<(?!/?pre\b))*+</pre\s*+>", re.IGNORECASE)
_RUN = re.compile(r"`+|\n[^\S\n]*+(?=\n)")

# A hidden piece is its number in hexadecimal digits of a private use area, and an end.
_DIGITS = {ord(digit): 0xE000 + at for at, digit in enumerate("0123456789abcdef")}
_END = "\ue010"
_HIDDEN = re.compile("([\ue000-\ue00f]+)\ue010")
_OWN = re.compile("[\ue000-\ue010]+")


def blocks(text: str, replace: Replace) -> str:
    """Replace every block of code: fenced, ``<pre>``, or indented by four spaces or a tab.

    A fence that is never closed runs to the end of the text. Indented is what stands behind a
    blank line and in no list, where it would be a paragraph.
    """
    lines, out, at = text.split("\n"), [], 0
    blank, listed, fences = True, False, "```" in text or "~~~" in text
    while at < len(lines):
        line = lines[at]
        stop = (fences and _fenced(lines, at)) or at
        if blank and not listed:
            stop = max(stop, _indented(lines, at))
        if stop > at:
            out.append(replace("\n".join(lines[at:stop])))
            at, blank = stop, False
            continue
        out.append(line)
        if line.strip():
            # A paragraph at the margin ends a list; a line right behind an item goes on with it.
            listed = _ITEM.match(line) is not None or (listed and (not blank or line[0].isspace()))
        blank = not line.strip()
        at += 1
    text = "\n".join(out)
    return _PRE.sub(lambda found: replace(found[0]), text) if "<" in text else text


def _fenced(lines: Sequence[str], at: int) -> int:
    """The line behind the fenced block that begins here; 0 where none does."""
    opened = _FENCE.match(lines[at])
    if opened is None:
        return 0
    fence = opened[1]
    for number in range(at + 1, len(lines)):
        line = lines[number].strip(" \t\r>")
        if len(line) >= len(fence) and line == fence[0] * len(line):
            return number + 1
    return len(lines)


def _indented(lines: Sequence[str], at: int) -> int:
    """The line behind the indented block that begins here; ``at`` where none does."""
    if not _INDENT.match(lines[at]):
        return at
    stop = at + 1
    for number in range(stop, len(lines)):
        if _INDENT.match(lines[number]):
            stop = number + 1
        elif lines[number].strip():
            break
    return stop


def spans(text: str, replace: Replace) -> str:
    """Replace every piece of code within a paragraph: so many backticks, and as many again."""
    if "`" not in text:
        return text
    runs, paragraph = [], 0
    for found in _RUN.finditer(text):
        if found[0][0] == "`":
            runs.append((*found.span(), paragraph))
        else:
            paragraph += 1
    ahead: dict[tuple[int, int], list[int]] = defaultdict(list)  # the next run of a length is last
    for start, end, paragraph in reversed(runs):
        ahead[paragraph, end - start].append(start)
    out, at = [], 0
    for start, end, paragraph in runs:
        if start < at:
            continue
        same = ahead[paragraph, end - start]
        while same and same[-1] < end:
            same.pop()
        if same:
            stop = same.pop() + end - start
            out += [text[at:start], replace(text[start:stop])]
            at = stop
    return "".join([*out, text[at:]])


class Stash:
    """Pieces of a text that are taken out of sight and put back as they were."""

    def __init__(self) -> None:
        self._pieces: list[str] = []

    def free(self, text: str) -> str:
        """Hide what looks like a hidden piece already, so that nothing is put back twice."""
        return text if text.isascii() else _OWN.sub(lambda found: self._put(found[0]), text)

    def hide(self, piece: str) -> str:
        """What stands for a piece until ``back``: characters that no step looks for."""
        return self._put(self.back(piece))

    def _put(self, piece: str) -> str:
        self._pieces.append(piece)
        return f"{len(self._pieces) - 1:x}".translate(_DIGITS) + _END

    def back(self, text: str) -> str:
        """The text with its pieces in their places."""
        return (
            text
            if _END not in text
            else _HIDDEN.sub(lambda found: self._pieces[_number(found[1])], text)
        )


def _number(digits: str) -> int:
    number = 0
    for digit in digits:
        number = number * 16 + ord(digit) - 0xE000
    return number
