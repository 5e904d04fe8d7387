"""Markdown in posts: the text without its marks."""

from __future__ import annotations

import re

# Each pattern stops where the next of its kind could begin, so that time is linear.
_DEFINITION = re.compile(
    r"^ {0,3}\[([^\[\]\n]+)\]:[ \t]*+(?:<[^<>\n]*>|(?=\S*[/#])\S+)"
    r"(?:[ \t]+(?:\"[^\"\n]*\"|'[^'\n]*'|\([^()\n]*\)))?[ \t]*$\n?",
    re.MULTILINE,
)
_TEXT = r"\[((?:[^\[\]\n]|\[[^\[\]\n]*\])*+)\]"
_TARGET = r"\((?:[^()\n]|\([^()\n]*\))*+\)"
_IMAGE = re.compile(rf"!{_TEXT}{_TARGET}")
_LINK = re.compile(rf"{_TEXT}{_TARGET}")
_REFERRED = re.compile(rf"!?{_TEXT}(?:[ ]?\[([^\[\]\n]*)\])?")
_AUTOLINK = re.compile(r"<((?:https?|ftp|mailto):[^<>\s]*)>")
_ROW = re.compile(r"[ \t]*\|?(?:[ \t]*:?-+:?[ \t]*\|)+(?:[ \t]*:?-+:?)?\s*\Z")
_FRONT = re.compile(
    r"^[ \t]*+(?:(?:#{1,6}|[-*+](?:[ \t]+\[[ xX]\])?)[ \t]++|>++[ \t]*+)++", re.MULTILINE
)
_RULE = re.compile(
    r"^[ \t]*+(?:(?:-[ \t]*+){3,}|(?:\*[ \t]*+){3,}|(?:_[ \t]*+){3,}|={3,}[ \t]*)$", re.MULTILINE
)
_STARS = re.compile(r"(?<![\w*])(\*{1,3})(?=[^\s*])([^*\n]*[^\s*])\1(?![\w*])")
_LINES = re.compile(r"(?<![\w_])(_{1,3})(?=[^\s_])([^_\n]*[^\s_])\1(?![\w_])")
_STRUCK = re.compile(r"(?<![\w~])~~(?=[^\s~])([^~\n]*[^\s~])~~(?![\w~])")


def markdown(text: str) -> str:
    """Take the marks of Markdown off.

    Links and images become their text, definitions of links go; headings, quotes and items lose
    what they begin with, tables their bars, words their stars and underscores. Numbers of items
    stay, as does ``__name__``, which is rather a name than bold.
    """
    if "[" in text:
        text = _linked(text)
    if "<" in text:
        text = _AUTOLINK.sub(r"\1", text)
    if "|" in text:
        text = _without_bars(text)
    text = _RULE.sub("", text)
    text = _FRONT.sub("", text)
    if "*" in text:
        text = _STARS.sub(r"\2", text)
    if "_" in text:
        text = _LINES.sub(_unlined, text)
    return _STRUCK.sub(r"\1", text) if "~~" in text else text


def _linked(text: str) -> str:
    known = {found[1].strip().casefold() for found in _DEFINITION.finditer(text)}
    text = _DEFINITION.sub("", text)
    text = _LINK.sub(r"\1", _IMAGE.sub(r"\1", text))
    if not known:
        return text

    def shown(found: re.Match[str]) -> str:
        name = found[2] or found[1]  # ``[text][name]``, ``[name][]`` or ``[name]``
        return found[1] if name.strip().casefold() in known else found[0]

    return _REFERRED.sub(shown, text)


def _without_bars(text: str) -> str:
    """Tables are lines with bars around a line of hyphens and bars."""
    lines = text.split("\n")
    at, above = 0, -1  # rows up to ``above`` are done
    gone = set()
    while at < len(lines):
        if "|" not in lines[at] or not _ROW.match(lines[at]):
            at += 1
            continue
        gone.add(at)
        if at - 1 > above:
            lines[at - 1] = _cells(lines[at - 1])
        at += 1
        while at < len(lines) and "|" in lines[at]:
            if _ROW.match(lines[at]):
                gone.add(at)
            lines[at] = _cells(lines[at])
            at += 1
        above = at - 1
    return "\n".join(line for number, line in enumerate(lines) if number not in gone)


def _cells(line: str) -> str:
    return "  ".join(filter(None, map(str.strip, line.split("|"))))


def _unlined(found: re.Match[str]) -> str:
    bold = len(found[1]) > 1
    return found[0] if bold and not any(map(str.isspace, found[2])) else found[2]
