"""Titles: for a document, what a person might call it.

After See, Liu and Manning, "Get To The Point: Summarization with Pointer-Generator Networks"
(2017): each step writes a piece of a word, or takes a unit over from the document.
"""

from quern.titles.decoding import Begun, Hypothesis, write
from quern.titles.model import Titled, TitleModel
from quern.titles.pieces import END, RESERVED, Pieces, Reading, plain, read, source_arrays
from quern.titles.settings import (
    GREEDY,
    TITLE_PRESETS,
    Decoding,
    TitleFitting,
    TitleReading,
    TitleSettings,
)

__all__ = [
    "END",
    "GREEDY",
    "RESERVED",
    "TITLE_PRESETS",
    "Begun",
    "Decoding",
    "Hypothesis",
    "Pieces",
    "Reading",
    "TitleFitting",
    "TitleModel",
    "TitleReading",
    "TitleSettings",
    "Titled",
    "plain",
    "read",
    "source_arrays",
    "write",
]
