"""Frames: sentences of our own for the two ends of a triple, most of which state no fact.

Data that was labelled by looking known facts up in texts (distant supervision) holds hardly a
sentence without a fact. A model that learns from it takes any two names that go together for
one. A frame shows it the names of a fact where nothing is said of them, or where the very
predicate is denied or asked for; and, so that a frame alone tells nothing, where it is stated.

``frames_zh.txt`` and ``frames_en.txt`` hold one on each line: ``+`` if it states the fact and
``-`` if not, what its object may be, and the sentence with its slots.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from itertools import zip_longest
from typing import Literal, NamedTuple, get_args

import numpy as np

from quern.shipped import Language
from quern.text import han_share

Kind = Literal["any", "name", "value"]
Slice = tuple[int, int]  # start and end, in code points

_LINE = re.compile(r"([+-]) (any|name|value) +(\S.*)")
_SLOT = re.compile(r"\{(subject|object|predicate|link)\}")
_MARKS = {"《": "》", "「": "」", "『": "』", "“": "”", "‘": "’", '"': '"', "'": "'"}
_PREPOSITIONS = frozenset(("as", "at", "by", "for", "from", "in", "into", "of", "on", "to", "with"))
_VERBS = frozenset(("are", "did", "does", "had", "has", "have", "is", "was", "were"))
_PRONOUNS = frozenset(
    (
        *("he", "him", "his", "she", "her", "hers", "it", "its", "they", "them", "their", "theirs"),
        *("i", "me", "my", "we", "us", "our", "you", "your", "who", "whom", "whose", "which"),
        *("that", "this", "these", "those", "他", "她", "它", "其", "他们", "她们", "它们", "该"),
    )
)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORD = re.compile(r"[^\W\d_]+")


class Frame(NamedTuple):
    """A sentence with slots.

    Attributes:
        states: whether it states the fact whose ends it is filled with.
        kind: what the object may be: a "name", a "value" (a date or number), or "any" of them.
        parts: text and the slot that follows it, in turn; the last has none.
    """

    states: bool
    kind: Kind
    parts: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, line: str) -> Frame:
        """Read a line of a file.

        Raises:
            ValueError: it is not of that form, or subject or object do not stand there once.
        """
        match = _LINE.fullmatch(line)
        pieces = _SLOT.split(match[3]) if match else []
        slots = pieces[1::2]
        if match is None or any(slots.count(end) != 1 for end in ("subject", "object")):
            raise ValueError(f"not a frame: {line}")
        kind = next(kind for kind in get_args(Kind) if kind == match[2])
        parts = zip_longest(pieces[::2], slots, fillvalue="")
        return cls(match[1] == "+", kind, tuple(parts))

    @property
    def slots(self) -> set[str]:
        """What has to be filled in."""
        return {slot for _, slot in self.parts if slot}

    def filled(self, subject: End, object_: End, words: Mapping[str, str]) -> Filled:
        """Fill all slots; ``words`` are those of the predicate, by slot."""
        ends = {"subject": subject, "object": object_}
        text, places = "", {}
        for before, slot in self.parts:
            text += before
            if slot in ends:
                end = ends[slot]
                places[slot] = len(text) + end.start, len(text) + end.end
                text += end.text
            elif slot:
                text += words[slot]
        return Filled(text, places["subject"], places["object"], self.states)


class End(NamedTuple):
    """An end of a triple, ``text[start:end]``, with the marks of a title or quotation around it."""

    text: str
    start: int
    end: int

    @classmethod
    def of(cls, text: str, start: int, end: int) -> End:
        """The end ``text[start:end]`` with the marks that stand around it there."""
        if start > 0 and end < len(text) and _MARKS.get(text[start - 1]) == text[end]:
            return cls(text[start - 1 : end + 1], 1, 1 + end - start)
        return cls(text[start:end], 0, end - start)

    @property
    def is_pronoun(self) -> bool:
        """Whether it names nothing in a sentence of its own; some data label such words too."""
        return self.text[self.start : self.end].lower() in _PRONOUNS

    @property
    def is_value(self) -> bool:
        """Whether it is a date or number, which is told by a digit."""
        return any(map(str.isdigit, self.text))


class Filled(NamedTuple):
    """A frame with the ends of a triple.

    Attributes:
        text: the sentence.
        subject: its place.
        object: likewise.
        states: whether the triple can be read there; if not, there is nothing to be read.
    """

    text: str
    subject: Slice
    object: Slice
    states: bool


@cache
def frames(language: Language) -> tuple[Frame, ...]:
    """All frames of a language."""
    return tuple(map(Frame.of, lines(language)))


def lines(language: Language) -> Iterator[str]:
    """The lines of a file that hold frames; others are empty or remarks."""
    text = files("quern.train").joinpath(f"frames_{language}.txt").read_text("utf-8")
    return (line for line in text.splitlines() if line and not line.startswith("#"))


def draw(
    language: Language, ends: tuple[End, End], predicate: str, rng: np.random.Generator
) -> Filled:
    """Fill one of the frames that suit a triple.

    Args:
        language: of the frame.
        ends: subject and object.
        predicate: its name in the data.
        rng: draws.
    """
    words = in_words(predicate, language)
    known = {"subject", "object", *words}
    unfit: Kind = "name" if ends[1].is_value else "value"
    fit = [f for f in frames(language) if f.kind != unfit and f.slots <= known]
    return fit[rng.integers(len(fit))].filled(*ends, words)


def in_words(predicate: str, language: Language) -> dict[str, str]:
    """A predicate's name as words of a sentence, by the slot that they fit; empty if it is a code.

    In Chinese a name all in Han characters is taken for a noun. In English names are cut at
    underscores, hyphens and capitals: ``birthPlace`` and ``PLACE_OF_BIRTH`` are nouns too;
    ``educated_at`` and ``isPartOf``, which end in a preposition, link subject and object.
    """
    if language == "zh":
        return {"predicate": predicate} if han_share(predicate) == 1 else {}
    words = _CAMEL.sub(" ", predicate).replace("_", " ").replace("-", " ").lower().split()
    if not words or not all(_WORD.fullmatch(word) and han_share(word) == 0 for word in words):
        return {}
    verb = words[0] in _VERBS
    if words[-1] in _PREPOSITIONS:
        return {"link": " ".join(words[verb:])} if len(words) > 1 + verb else {}
    return {} if verb else {"predicate": " ".join(words)}
