"""Figures made from judged texts: the record that ``quern evaluate`` prints and writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby

import msgspec

from quern import __version__
from quern.calibration import PlattScaling
from quern.evaluation.figures import (
    FORMAT,
    Bootstrap,
    Calibration,
    CurvePoint,
    Figures,
    Grade,
    LeastScore,
    at_recalls,
    bootstrap,
    curve,
    cuts,
    least_score,
    reliability,
)
from quern.evaluation.judging import Comparison, Fact, Judged, Reason, tally


class PredicateRow(msgspec.Struct, frozen=True):
    """The figures of one predicate, and whether the model knows it at all."""

    predicate: str
    known: bool
    figures: Figures


class Unreachable(msgspec.Struct, frozen=True):
    """Labels that no model with this codec can give; they count as missed.

    Attributes:
        lines: lines with such labels.
        labels: such labels.
        reasons: how many for each reason.
    """

    lines: int
    labels: int
    reasons: dict[Reason, int]


class Evaluation(msgspec.Struct, frozen=True):
    """All that was measured; ``docs/evaluation.md`` describes every field.

    Attributes:
        format: version of this record.
        quern: version that measured.
        comparison: what must agree for a triple to be right.
        lines: texts measured.
        left_out: texts that a strict comparison cannot use, for want of places.
        unjudged: given triples whose predicates nobody looked for in their texts; they
            count as neither right nor wrong.
        overall: figures over all texts.
        interval: 95 % intervals of the overall figures.
        complete: figures over lines with complete labels, where not all lines have them.
        incomplete: figures over lines with incomplete labels, where there are any.
        predicates: figures by predicate, the most wanted first.
        curve: figures over least scores.
        at_recall: the best precision that leaves so much recall.
        target: the most recall at the precision that was asked for, None where none was.
        calibration: whether scores can be trusted; None where nothing was given.
        unreachable: labels that cannot be given.
    """

    format: int
    quern: str
    comparison: Comparison
    lines: int
    left_out: int
    unjudged: int
    overall: Figures
    interval: Bootstrap
    complete: Figures | None
    incomplete: Figures | None
    predicates: list[PredicateRow]
    curve: list[CurvePoint]
    at_recall: list[LeastScore]
    target: LeastScore | None
    calibration: Calibration | None
    unreachable: Unreachable


def summarise(
    judged: Sequence[Judged],
    comparison: Comparison,
    known: frozenset[str],
    left_out: int = 0,
    scaling: PlattScaling | None = None,
    target: float | None = None,
) -> Evaluation:
    """All figures of judged texts.

    Args:
        judged: the texts.
        comparison: how they were judged.
        known: the predicates of the model.
        left_out: texts that could not be judged this way.
        scaling: how the model calibrates its scores.
        target: a precision to find the least score for.
    """
    facts = [fact for text in judged for fact in text.facts]
    kinds = {text.example.complete for text in judged}
    complete = [fact for text in judged if text.example.complete for fact in text.facts]
    incomplete = [fact for text in judged if not text.example.complete for fact in text.facts]
    split = False in kinds
    points = cuts(facts)
    return Evaluation(
        format=FORMAT,
        quern=__version__,
        comparison=comparison,
        lines=len(judged),
        left_out=left_out,
        unjudged=sum(text.unjudged for text in judged),
        overall=Figures.of(tally(facts)),
        interval=bootstrap([text.counts for text in judged]),
        complete=Figures.of(tally(complete)) if split and True in kinds else None,
        incomplete=Figures.of(tally(incomplete)) if split else None,
        predicates=by_predicate(facts, known),
        curve=curve(facts),
        at_recall=at_recalls(points),
        target=None if target is None else LeastScore.of(target, least_score(points, target)),
        calibration=_reliability(judged, scaling),
        unreachable=unreachable(judged),
    )


def by_predicate(facts: Sequence[Fact], known: frozenset[str]) -> list[PredicateRow]:
    """One row for each predicate that was wanted or given."""
    ordered = sorted(facts, key=lambda fact: fact.predicate)
    rows = [
        PredicateRow(predicate, predicate in known, Figures.of(tally(list(group))))
        for predicate, group in groupby(ordered, key=lambda fact: fact.predicate)
    ]
    return sorted(rows, key=lambda row: (-row.figures.wanted, row.predicate))


def rescored(facts: Sequence[Fact], change: Callable[[float], float]) -> list[Fact]:
    """The given ones of some facts, with other scores."""
    return [
        msgspec.structs.replace(fact, score=change(fact.score))
        for fact in facts
        if fact.score is not None
    ]


def trusted(judged: Sequence[Judged]) -> tuple[str, list[Judged]]:
    """The texts that say best whether a given fact is right: the complete ones, if any."""
    complete = [text for text in judged if text.example.complete]
    return ("complete", complete) if complete else ("incomplete", list(judged))


def _reliability(judged: Sequence[Judged], scaling: PlattScaling | None) -> Calibration | None:
    lines, texts = trusted(judged)
    facts = [fact for text in texts for fact in text.facts]
    measured = calibration(facts, lines)
    raw = calibration(rescored(facts, scaling.inverse), lines) if scaling else None
    if measured is None or raw is None:
        return measured
    return msgspec.structs.replace(measured, raw_error=raw.error)


def calibration(facts: Sequence[Fact], lines: str) -> Calibration | None:
    """Scores held against the share that is right, in bins of equal width."""
    return reliability(graded(facts), lines)


def graded(facts: Sequence[Fact]) -> list[Grade]:
    """The scores of given facts, and whether each is right."""
    return [(fact.score, fact.status == "right") for fact in facts if fact.score is not None]


def unreachable(judged: Sequence[Judged]) -> Unreachable:
    """Count missed labels that could not have been found."""
    lost = [[fact.reason for fact in text.facts if fact.reason] for text in judged]
    reasons: Mapping[Reason, int] = Counter(reason for some in lost for reason in some)
    return Unreachable(
        lines=sum(bool(some) for some in lost),
        labels=sum(map(len, lost)),
        reasons=dict(sorted(reasons.items())),
    )
