"""From the scores of candidates to one answer: an entity, or NIL."""

from __future__ import annotations

from collections.abc import Sequence

from quern.records import Choice

NIL_THRESHOLD = 0.5  # the more probable of the two is the answer


def decide(choices: Sequence[Choice], threshold: float = NIL_THRESHOLD) -> tuple[str | None, float]:
    """What is answered for one mention.

    The scores of all candidates and that of NIL sum to 1. NIL is held against the best
    candidate alone: it is the answer where its share of the two exceeds the threshold. So a
    mention with two good candidates, and little to tell them apart, is not NIL for that; and a
    threshold is the same as a constant added to the logit of NIL.

    Args:
        choices: every candidate, the best first, with its probability as the model gives it.
        threshold: 1 for NIL only where there is no candidate.

    Returns:
        The entity, None for NIL, and its probability.
    """
    if not choices:
        return None, 1.0
    best, nil = choices[0], max(0.0, 1.0 - sum(choice.score for choice in choices))
    if nil > threshold * (nil + best.score):
        return None, nil
    return best.id, best.score
