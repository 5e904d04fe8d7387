"""Figures of chosen entities, the mentions given or found; the ceiling beside every score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import msgspec

from quern import __version__
from quern.evaluation.figures import (
    FORMAT,
    Bootstrap,
    Calibration,
    Figures,
    Interval,
    bootstrap,
    reliability,
)
from quern.evaluation.linking import JudgedLinks, Kind, LinkFact
from quern.evaluation.mentions import MentionEvaluation, summarise_mentions
from quern.metrics import Counts, added
from quern.records import ids_of

FIRST = (1, 5, 16)  # candidates among which the entity is looked for


class Accuracy(msgspec.Struct, frozen=True):
    """How many of some mentions are answered right; None where there are none.

    Attributes:
        mentions: how many there are.
        right: those answered right.
        accuracy: their share.
        interval: where it lies, with 95 %, for other texts of the same kind.
        first: the share that would be right if the candidate that fits best were always taken.
        ceiling: the share that can be right: the entity is a candidate, or NIL is meant.
    """

    mentions: int
    right: int
    accuracy: float | None
    interval: Interval | None
    first: float | None
    ceiling: float | None


class RecallAt(msgspec.Struct, frozen=True):
    """The share of the mentions whose entity is among the ``k`` candidates that fit best."""

    k: int
    recall: float | None


class ChoiceEvaluation(msgspec.Struct, frozen=True):
    """The figures of the choice, mentions given; ``docs/evaluation.md`` describes every field.

    Attributes:
        format: version of this record.
        quern: version that measured.
        texts: how many were judged.
        mentions: labelled ones; a place with several labels counts for each.
        nil: those labelled NIL.
        lacking: those whose entity the base lacks, so that no answer is right.
        linked: of those whose entity the base has.
        overall: of all, NIL right where it is labelled.
        proposed: of those whose entity is a candidate.
        candidates: recall of the candidates, of those whose entity the base has.
        nils: precision and recall of NIL; mentions whose entity the base lacks left out.
        kinds: how many were right, and how many wrong in which way.
        calibration: whether scores of the choice can be read as probabilities; without the
            mentions whose entity the base lacks.
    """

    format: int
    quern: str
    texts: int
    mentions: int
    nil: int
    lacking: int
    linked: Accuracy
    overall: Accuracy
    proposed: Accuracy
    candidates: list[RecallAt]
    nils: Figures
    kinds: dict[Kind, int]
    calibration: Calibration | None


class LinkEvaluation(msgspec.Struct, frozen=True):
    """The figures from texts to entities; ``docs/evaluation.md`` describes every field.

    Attributes:
        format: version of this record.
        quern: version that measured.
        texts: how many were judged.
        mentions: of the places alone.
        links: of places with their entities; NIL is one where it is labelled or answered.
        interval: 95 % intervals of these.
        ceiling: of places with their entities, if every choice were right that can be.
        linked: of places with their entities, labels and answers that are NIL left out.
        kinds: how many were right, and how many wrong in which way.
        calibration: whether scores of the choice can be read as probabilities, at the places
            that are labelled.
        given: the figures of the choice with the labelled mentions given.
    """

    format: int
    quern: str
    texts: int
    mentions: MentionEvaluation
    links: Figures
    interval: Bootstrap
    ceiling: Figures
    linked: Figures
    kinds: dict[Kind, int]
    calibration: Calibration | None
    given: ChoiceEvaluation


# -- mentions given ----------------------------------------------------------------------


def summarise_choices(judged: Sequence[JudgedLinks]) -> ChoiceEvaluation:
    """Figures of texts whose mentions were given."""
    facts = [fact for text in judged for fact in text.facts]
    linked = [fact for fact in facts if _in_base(fact)]
    return ChoiceEvaluation(
        format=FORMAT,
        quern=__version__,
        texts=len(judged),
        mentions=len(facts),
        nil=sum(fact.wanted is None for fact in facts),
        lacking=sum(not fact.known for fact in facts),
        linked=_accuracy(judged, _in_base),
        overall=_accuracy(judged, lambda fact: True),
        proposed=_accuracy(judged, lambda fact: _in_base(fact) and fact.rank is not None),
        candidates=[RecallAt(k, _share(_within(fact, k) for fact in linked)) for k in FIRST],
        nils=Figures.of(_nils(facts)),
        kinds=_kinds(facts),
        calibration=_reliability(judged),
    )


def _in_base(fact: LinkFact) -> bool:
    return fact.wanted is not None and fact.known


def _within(fact: LinkFact, k: int) -> bool:
    return fact.rank is not None and fact.rank <= k


def _accuracy(judged: Sequence[JudgedLinks], counts: Callable[[LinkFact], bool]) -> Accuracy:
    texts = [[fact for fact in text.facts if counts(fact)] for text in judged]
    tallies = [Counts(len(some), len(some), sum(map(_right, some))) for some in texts]
    facts = [fact for some in texts for fact in some]
    return Accuracy(
        mentions=len(facts),
        right=sum(map(_right, facts)),
        accuracy=_share(map(_right, facts)),
        interval=bootstrap(tallies).recall,
        first=_share(ids_of(fact.first) == ids_of(fact.wanted) for fact in facts),
        ceiling=_share(map(_possible, facts)),
    )


def _right(fact: LinkFact) -> bool:
    return fact.kind == "right"


def _possible(fact: LinkFact) -> bool:
    return fact.wanted is None or fact.rank is not None


def _share(held: Iterable[bool]) -> float | None:
    every = list(held)
    return sum(every) / len(every) if every else None


def _nils(facts: Sequence[LinkFact]) -> Counts:
    some = [fact for fact in facts if fact.known]
    given = [fact for fact in some if fact.link is not None and fact.link.id is None]
    wanted = sum(fact.wanted is None for fact in some)
    return Counts(wanted, len(given), sum(fact.wanted is None for fact in given))


def _kinds(facts: Sequence[LinkFact]) -> dict[Kind, int]:
    return dict(Counter(fact.kind for fact in facts).most_common())


def _reliability(judged: Sequence[JudgedLinks]) -> Calibration | None:
    return reliability([grade for text in judged for grade in text.grades], "complete")


# -- mentions found ----------------------------------------------------------------------


def summarise_links(judged: Sequence[JudgedLinks], given: ChoiceEvaluation) -> LinkEvaluation:
    """Figures of texts whose mentions were found.

    Args:
        judged: the texts.
        given: the figures of the same texts with their mentions given.
    """
    facts = [fact for text in judged for fact in text.facts]
    tallies = [_tally(text.facts, _right) for text in judged]
    possible = [_tally(text.facts, _answerable) for text in judged]
    linked = [_without_nil(text.facts) for text in judged]
    return LinkEvaluation(
        format=FORMAT,
        quern=__version__,
        texts=len(judged),
        mentions=summarise_mentions([text.mentions for text in judged]),
        links=Figures.of(added(tallies)),
        interval=bootstrap(tallies),
        ceiling=Figures.of(added(possible)),
        linked=Figures.of(added(linked)),
        kinds=_kinds(facts),
        calibration=_reliability(judged),
        given=given,
    )


def _answerable(fact: LinkFact) -> bool:
    """Whether the choice could be right: the mention was found, and see ``_possible``."""
    return fact.labelled and fact.link is not None and _possible(fact)


def _tally(facts: Sequence[LinkFact], right: Callable[[LinkFact], bool]) -> Counts:
    """Labels and answers of one text, and those that are right; a place has one answer."""
    given = {fact.place for fact in facts if fact.link is not None}
    hits = {fact.place for fact in facts if right(fact)}
    return Counts(sum(fact.labelled for fact in facts), len(given), len(hits))


def _without_nil(facts: Sequence[LinkFact]) -> Counts:
    """The same of labels and answers that are entities."""
    wanted = [fact for fact in facts if fact.wanted is not None]
    given = {f.place for f in facts if f.link is not None and f.link.id is not None}
    return Counts(len(wanted), len(given), sum(map(_right, wanted)))
