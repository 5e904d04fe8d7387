"""A mention in its text beside an entity as it is described, as arrays."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from quern.alignment import UnitSpan
from quern.text import UNKNOWN, Encoding, TextCodec, Window

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

BEFORE, INSIDE, AFTER = 1, 2, 3  # where a unit of the text stands to the mention; 0 pads
NAME, REST = 1, 2  # which part of a description a unit is in; 0 pads

_GRAMS = 2  # column of ``Encoding.features`` at which n-grams begin; that of words is the last
_MIXED = 0x9E3779B1  # an odd number, to mix n-grams into one


class Context(NamedTuple):
    """A mention and what stands around it.

    Attributes:
        window: the part of the text that it is read in.
        first: the first unit of the text that is looked at.
        stop: the first unit behind.
        place: (stop - first,), where each unit stands to the mention.
        keys: (stop - first,), see ``unit_keys``.
    """

    window: Window
    first: int
    stop: int
    place: Ints
    keys: Ints


class Described(NamedTuple):
    """What is read of an entity.

    Attributes:
        encoding: its description, cut to what is read.
        part: (units,), which part each unit is in.
        keys: (units,), see ``unit_keys``.
        whole: whether all of the description is read.
    """

    encoding: Encoding
    part: Ints
    keys: Ints
    whole: bool

    @property
    def length(self) -> int:
        """Units that are read."""
        return self.encoding.length

    @property
    def window(self) -> Window:
        """All of them."""
        return Window(0, self.length)


class Units(Protocol):
    """The units of a description, with or without what else is known of it."""

    @property
    def part(self) -> Ints:
        """Which part each is in."""

    @property
    def keys(self) -> Ints:
        """See ``unit_keys``."""


class Pair(NamedTuple):
    """A mention and one of its candidates.

    Attributes:
        context: of the mention.
        described: the candidate.
        objects: (units of the context,), 1 in what is an object of one of its facts.
        scalars: (``SCALARS``,), see ``pair_features``.
    """

    context: Context
    described: Units
    objects: Floats
    scalars: Floats


def unit_keys(features: Ints) -> Ints:
    """A number for each unit, (units,), the same for the same unit.

    That of a unit with an id is its id, that of any other is below 0 and made of its n-grams.
    """
    ids = features[:, 0]
    strange = ids == UNKNOWN
    if not strange.any():
        return np.ascontiguousarray(ids)
    grams = features[strange, _GRAMS : _GRAMS + 8].astype(np.uint64)
    powers = np.uint64(_MIXED) ** np.arange(grams.shape[1], dtype=np.uint64)
    mixed = (grams * powers).sum(axis=1, dtype=np.uint64)
    keys = ids.copy()
    keys[strange] = -1 - ((mixed >> np.uint64(20)) & np.uint64(0x3FFFFFFF)).astype(np.int32)
    return keys


def contexts(
    codec: TextCodec, encoding: Encoding, places: Sequence[tuple[int, int]], reach: int
) -> list[Context]:
    """What is looked at of a text for each of some mentions.

    A mention is read in the window in which it has most around it, and only that is looked at.

    Args:
        codec: cuts the text into windows.
        encoding: the text.
        places: where each mention begins and ends, in code points; one that cuts through a unit
            has all of it, one that is longer than a window is cut.
        reach: units on either side.
    """
    windows, keys = codec.windows(encoding), unit_keys(encoding.features)
    found = []
    for start, end in places:
        first = bisect_right(encoding.ends, start)
        last = bisect_left(encoding.starts, end) - 1
        window = max(windows, key=lambda w: (min(first - w.first, w.stop - 1 - last), -w.first))
        begin, stop = max(window.first, first - reach), min(window.stop, last + 1 + reach)
        place = np.full(stop - begin, INSIDE, dtype=np.int32)
        place[: max(0, first - begin)] = BEFORE
        place[last + 1 - begin :] = AFTER
        found.append(Context(window, begin, stop, place, keys[begin:stop]))
    return found


def read_described(codec: TextCodec, text: str, limit: int) -> Described:
    """The beginning of a description, ``limit`` units of it; its first line is the name."""
    whole = codec.encode(text)
    starts, ends = whole.starts[:limit], whole.ends[:limit]
    encoding = Encoding(text, starts, ends, whole.features[:limit])
    line = text.find("\n")
    named = starts < (len(text) if line < 0 else line)
    part = np.where(named, NAME, REST).astype(np.int32)
    return Described(encoding, part, unit_keys(encoding.features), whole.length <= limit)


def objects_in(
    encoding: Encoding, codec: TextCodec, facts: Sequence[tuple[str, str]]
) -> list[UnitSpan]:
    """Where a text has the objects of some facts, to the letter, as units; single letters apart."""
    text, found = encoding.text, []
    for object_ in dict.fromkeys(object_ for _, object_ in facts):
        if len(object_) < 2:
            continue
        at = text.find(object_)
        while at >= 0:
            place = codec.locate(encoding, at, at + len(object_))
            if place is not None:
                found.append(place)
            at = text.find(object_, at + len(object_))
    return found


def object_marks(context: Context, spans: Sequence[UnitSpan]) -> Floats:
    """1 in the units of a context that some spans cover."""
    marks = np.zeros(context.stop - context.first, dtype=np.float32)
    for first, last in spans:
        marks[max(0, first - context.first) : max(0, last + 1 - context.first)] = 1
    return marks


def of_mentions(pairs: Sequence[Pair]) -> tuple[list[int], NDArray[np.int64]]:
    """Where the pairs of each mention begin, and of which mention each pair is."""
    same = [one.context is other.context for one, other in pairwise(pairs)]
    new = np.array([True, *(not each for each in same)])
    return np.flatnonzero(new).tolist(), np.cumsum(new) - 1


def match_arrays(
    pairs: Sequence[Pair], length: int, described: int
) -> dict[str, NDArray[np.generic]]:
    """The inputs of the matcher but for the states, of pairs padded to some units.

    Args:
        pairs: one at least.
        length: units to which contexts are padded.
        described: units to which descriptions are padded.

    Returns:
        ``place``, ``text_keys`` and ``objects`` (N, length); ``part`` and ``described_keys``
        (N, described); ``scalars`` (N, ``SCALARS``).
    """
    count = len(pairs)
    first, which = of_mentions(pairs)
    place, text_keys = (np.zeros((len(first), length), dtype=np.int32) for _ in range(2))
    for i, n in enumerate(first):
        context = pairs[n].context
        units = len(context.place)
        place[i, :units], text_keys[i, :units] = context.place, context.keys
    objects = np.zeros((count, length), dtype=np.float32)
    part, described_keys = (np.zeros((count, described), dtype=np.int32) for _ in range(2))
    for i, (_, entity, marks, _) in enumerate(pairs):
        units = len(entity.part)
        part[i, :units], described_keys[i, :units] = entity.part, entity.keys
        objects[i, : len(marks)] = marks
    return {
        "place": place[which],
        "text_keys": text_keys[which],
        "objects": objects,
        "part": part,
        "described_keys": described_keys,
        "scalars": np.stack([pair.scalars for pair in pairs]),
    }
