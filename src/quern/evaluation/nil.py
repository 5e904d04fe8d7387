"""The threshold of NIL that suits labelled texts best, and scores that mean the share right."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from quern.evaluation.calibrating import Fitted, fit_grades
from quern.evaluation.choosing import PARTS, Parts, best_of, clearly_better
from quern.evaluation.figures import Grade
from quern.links.choosing import NIL_THRESHOLD, decide
from quern.records import LabelledMention, Link, LinkExample, ids_of

_STEPS = 20  # thresholds from 0 to 1


class _Nil(msgspec.Struct, frozen=True):
    threshold: float


def tune_choice(
    examples: Sequence[LinkExample], answers: Sequence[Sequence[Link]]
) -> tuple[float, Fitted]:
    """The threshold of NIL with the most right answers, and scores fitted to what it gives.

    Args:
        examples: texts with their labels, not among those the model was trained on.
        answers: for each text a link for every labelled place, with *all* candidates in
            ``choices``, the best first, and their scores as the model gives them: not
            calibrated, and with what is left of 1 for NIL. ``id`` and ``link_score`` play no
            part; both follow from ``choices`` (see ``quern.links.choosing.decide``).

    Returns:
        The threshold, ``NIL_THRESHOLD`` unless another is clearly better; and how
        ``link_score`` is calibrated where it is decided by that threshold. ``keep_scaling``
        writes the latter into a folder; its ``scaling`` is None where none helps.

    Raises:
        ValueError: a labelled place has no answer.
    """
    given = [
        [(mention, _at(mention, links).choices) for mention in example.mentions]
        for example, links in zip(examples, answers, strict=True)
    ]
    usual = _Nil(NIL_THRESHOLD)
    tried = [usual, *(_Nil(step / _STEPS) for step in range(_STEPS + 1))]
    graded = {
        each: [
            [_grade(mention, *decide(choices, each.threshold)) for mention, choices in text]
            for text in given
        ]
        for each in tried
    }
    measured = {each: _parts(texts) for each, texts in graded.items()}
    best = best_of(measured, usual)
    if not clearly_better(measured[best], measured[usual]):
        best = usual
    return best.threshold, fit_grades(graded[best])


def _at(mention: LabelledMention, links: Sequence[Link]) -> Link:
    for link in links:
        if (link.start, link.end) == mention.place:
            return link
    raise ValueError(f"no answer for the mention '{mention.mention}' at {mention.start}")


def _grade(mention: LabelledMention, id_: str | None, score: float) -> Grade:
    return score, ids_of(id_) == ids_of(mention.kb_id)


def _parts(texts: Sequence[Sequence[Grade]]) -> Parts:
    """Mentions, answers and right answers; neighbouring texts lie in one part."""
    count = min(PARTS, len(texts))
    parts = np.zeros((count, 3), dtype=np.int64)
    for i, grades in enumerate(texts):
        right = sum(hit for _, hit in grades)
        parts[i * count // len(texts)] += (len(grades), len(grades), right)
    return parts
