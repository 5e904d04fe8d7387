"""What speaks for a candidate, in numbers: its name, its labels, and the words it shares."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from quern.links.candidates import Proposal
from quern.links.described import described
from quern.links.exchanges import singular
from quern.links.frequencies import Frequencies, Weighted, cosine, shared
from quern.records import TOGETHER, Entity
from quern.text.grams import grams_of_names
from quern.text.keys import BREAK, key_of, keyed, keys_of

Floats = NDArray[np.float32]

# One number for each, in this order.
NAMES = (
    "same name",  # the mention is one of its names
    "fit",  # see ``Proposal``
    "main name",  # the mention is what it is mostly called
    "labelled",  # log of how often training texts meant it by this name
    "was labelled",  # whether any did
    "share",  # of the labels of this name
    "known",  # log of how often they meant it by any name
    "was known",  # whether any did
    "words",  # telling words in common with its best name, plurals aside
    "words of main name",  # the same with what it is mostly called
    "spelling",  # n-grams in common with its best name
    "text",  # cosine of the text around the mention and the description
    "near",  # the same of the words next to the mention
    "types",  # of the text and its types
    "telling share",  # of the telling words of its description, how much the text has
    "pairs",  # pairs of words in common, by the size of the text
    "best pair",  # the most telling pair or word in common
    "company",  # share of the text's other mentions that its description has
    "popularity",  # log of it
    "popular",  # share of the candidates that are not more popular
    "rank",  # its place among the candidates, from 1 for the first down to 0
    "few",  # one by the number of candidates
    "length",  # log of the characters of its description
    "together",  # several entities at once
)
SCALARS = len(NAMES)
_NEAR = 16  # characters on either side of a mention
_SMALL = 5.0  # weight that is added to that of a description, so that short ones do not win


def scalars(
    text: str,
    places: Sequence[tuple[int, int]],
    proposals: Sequence[Sequence[Proposal]],
    frequencies: Frequencies,
) -> list[Floats]:
    """What speaks for each candidate of each place of a text, (candidates, ``SCALARS``)."""
    spoken = keys_of([text[start:end] for start, end in places]) if places else []
    found = []
    for n, ((start, end), of_place) in enumerate(zip(places, proposals, strict=True)):
        if not of_place:
            found.append(np.zeros((0, SCALARS), dtype=np.float32))
            continue
        around = frequencies.weighted(f"{text[:start]}\n{text[end:]}")
        next_to = f"{text[max(0, start - _NEAR) : start]}\n{text[end : end + _NEAR]}"
        near = frequencies.weighted(next_to)
        others = {key for key in spoken if key != spoken[n]}
        popular = [proposal.entity.popularity or 0.0 for proposal in of_place]
        rows = []
        for rank, proposal in enumerate(of_place):
            count = len(of_place)
            rows.append(
                (
                    *_of_name(text[start:end], spoken[n], proposal, frequencies),
                    *_of_text(around, near, proposal.entity, frequencies),
                    _company(others, proposal.entity),
                    math.log1p(popular[rank]),
                    sum(each <= popular[rank] for each in popular) / count,
                    1 - rank / count,
                    1 / count,
                    math.log1p(len(described(proposal.entity))),
                    float(TOGETHER in proposal.entity.id),
                )
            )
        found.append(np.array(rows, dtype=np.float32))
    return found


def _of_name(
    mention: str, key: str, proposal: Proposal, frequencies: Frequencies
) -> tuple[float, ...]:
    entity = proposal.entity
    mine = frequencies.weighted(_singular(key))
    names = [_singular(each) for each in keys_of(entity.names)]
    words = [_overlap(mine, frequencies.weighted(name)) for name in dict.fromkeys(names)]
    labelled, total, known = proposal.labelled, proposal.total, proposal.known
    return (
        float(proposal.fit == 1),
        proposal.fit,
        float(key == key_of(entity.name)),
        math.log1p(labelled),
        float(labelled > 0),
        labelled / total if total else 0.0,
        math.log1p(known),
        float(known > 0),
        max(words),
        words[0],
        _spelling(mention, entity.names),
    )


def _of_text(
    around: Weighted, near: Weighted, entity: Entity, frequencies: Frequencies
) -> tuple[float, ...]:
    of_entity = frequencies.weighted(described(entity))
    types = frequencies.weighted("\n".join(entity.types))
    both = shared(around, of_entity)
    single = around.single
    telling = float(around.telling[both & single].sum())
    whole = float(of_entity.telling[of_entity.single].sum())
    pairs = around.telling[both & ~single]
    return (
        cosine(around, of_entity),
        cosine(near, of_entity),
        cosine(around, types),
        telling / (_SMALL + whole),
        float(pairs.sum()) / (1 + len(around.terms)),
        float(around.telling[both].max(initial=0.0)) / 10,
    )


def _singular(key: str) -> str:
    return " ".join(map(singular, key.replace(BREAK, " ").split(" ")))


def _overlap(one: Weighted, other: Weighted) -> float:
    """Share of the telling words of two names that both have (Dice, 1945)."""
    a, b = one.telling[one.single].sum(), other.telling[other.single].sum()
    both = one.telling[shared(one, other) & one.single].sum()
    return float(2 * both / (a + b)) if a + b else 0.0


def _spelling(mention: str, names: Sequence[str]) -> float:
    """The largest share of n-grams that a mention has in common with one of some names."""
    found = grams_of_names(keyed([mention, *names]))
    plain = found.grams > 0
    grams, of = found.grams[plain], found.names[plain]
    sizes = np.bincount(of, minlength=1 + len(names))
    both = np.bincount(of[np.isin(grams, grams[of == 0])], minlength=1 + len(names))
    dice = 2 * both[1:] / np.maximum(1, sizes[1:] + sizes[0])
    return float(dice.max(initial=0.0))


def _company(others: set[str], entity: Entity) -> float:
    if not others:
        return 0.0
    key = key_of(described(entity))
    return sum(other in key for other in others) / len(others)
