"""HTML in posts: tags out, entities resolved.

Not by ``html.parser``: it takes ``Vec<T>`` for a tag, and its time grows with the square of some
hostile texts in the Python versions that quern runs on.
"""

from __future__ import annotations

import re
from html import unescape
from html.entities import html5
from unicodedata import category

# Each pattern stops where the next of its kind could begin, so that time is linear.
_COMMENT = re.compile(r"<!--(?:[^<-]|-(?!->)|<(?!!--))*+-->")
_SILENT = re.compile(
    r"<(script|style)\b[^<>]*+>(?:[^<]|<(?!/?(?:script|style)\b))*+</\1\s*+>", re.IGNORECASE
)
_TAG = re.compile(
    r"</?([A-Za-z][A-Za-z0-9]*+)(?:\s(?:[^<>\"']|\"[^<\"]*+\"|'[^<']*+'|[\"'])*)?+\s*+/?>"
)
_AMPERSANDS = re.compile(r"&(?:(?:amp|AMP|#38|#[xX]26);)+")
_ENTITY = re.compile(r"&(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")

_OF_BLOCKS = (
    "address article aside blockquote br caption center dd details dir div dl dt fieldset "
    "figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr legend li main menu nav ol option "
    "p pre section summary table tbody td tfoot th thead tr ul"
)
_WITHIN_LINES = (
    "a abbr acronym area audio b bdi bdo big body button canvas cite code col colgroup data "
    "datalist del dfn em embed font head html i iframe img input ins kbd label link map mark meta "
    "meter noscript object optgroup output param picture progress q rp rt ruby s samp script "
    "select small source span strike strong style sub sup svg template textarea time title tt u "
    "var video wbr"
)
_BLOCKS, _INLINE = frozenset(_OF_BLOCKS.split()), frozenset(_WITHIN_LINES.split())


def html(text: str) -> str:
    """Take HTML out: comments, scripts and styles whole, tags by themselves; resolve entities.

    Tags of a block become line ends, others nothing. A name that HTML does not know is no tag,
    nor is a single capital: ``Vec<T>`` and ``Box<A>`` stay.
    """
    if "<" in text:
        text = _COMMENT.sub("", text)
        text = _SILENT.sub("", text)
        text = _TAG.sub(_instead, text)
    if "&" in text:
        text = _ENTITY.sub(_resolved, _AMPERSANDS.sub("&", text))
    return text


def _instead(found: re.Match[str]) -> str:
    name = found[1]
    if len(name) == 1 and name.isupper():
        return found[0]
    name = name.lower()
    if name in _BLOCKS:
        return "\n"
    return "" if name in _INLINE else found[0]


def _resolved(found: re.Match[str]) -> str:
    name = found[1]
    new = unescape(found[0]) if name[0] == "#" else html5.get(f"{name};", found[0])
    return found[0] if category(new[:1] or " ") == "Co" else new  # for private use: means nothing
