"""How good a mention model is on labelled texts, and the thresholds that suit it best."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from quern import __version__
from quern.alignment import UnitSpan
from quern.evaluation.calibrating import fit_grades, keep_scaling
from quern.evaluation.choosing import PARTS, Parts, best_of, clearly_better, total
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
from quern.evaluation.judging import Place, Status, in_chunks
from quern.links import (
    LINK_SPAN,
    LinkThresholds,
    MentionModel,
    ReadsMentions,
    apart,
    candidates,
    gather,
    link_grid,
)
from quern.metrics import Counts, added
from quern.records import LinkExample


class MentionFact(msgspec.Struct, frozen=True):
    """A place that was wanted, given, or both.

    Attributes:
        status: given and wanted ("right"), only wanted ("missed") or only given ("wrong").
        start: where it begins.
        end: where it ends.
        text: its words.
        nil: whether the label says that the knowledge base lacks its entity.
        score: the model's, None for what it missed.
    """

    status: Status
    start: int
    end: int
    text: str
    nil: bool = False
    score: float | None = None


class JudgedMentions(msgspec.Struct, frozen=True):
    """A labelled text and every place that was wanted of it or given for it, each once."""

    example: LinkExample
    facts: tuple[MentionFact, ...]

    @property
    def counts(self) -> Counts:
        """Wanted, given and right of this text."""
        right = sum(fact.status == "right" for fact in self.facts)
        missed = sum(fact.status == "missed" for fact in self.facts)
        return Counts(right + missed, len(self.facts) - missed, right)

    @property
    def grades(self) -> list[Grade]:
        """The scores of what was given, and whether each is right."""
        return [(f.score, f.status == "right") for f in self.facts if f.score is not None]


class MentionEvaluation(msgspec.Struct, frozen=True):
    """The figures of a mention model, by place; ``docs/evaluation.md`` describes every field.

    Attributes:
        format: version of this record.
        quern: version that measured.
        texts: how many were judged.
        overall: of all mentions.
        interval: 95 % intervals of these.
        found_nil: share of the NIL mentions that were found; None where there are none.
        found_linked: the same of the others.
        curve: figures over least scores.
        at_recall: the best precision that leaves so much recall.
        target: the most recall at the precision that was asked for, None where none was.
        calibration: whether scores can be read as probabilities.
    """

    format: int
    quern: str
    texts: int
    overall: Figures
    interval: Bootstrap
    found_nil: float | None
    found_linked: float | None
    curve: list[CurvePoint]
    at_recall: list[LeastScore]
    target: LeastScore | None
    calibration: Calibration | None


def judge_mentions(
    model: ReadsMentions, examples: Sequence[LinkExample], threads: int = 1
) -> Iterator[JudgedMentions]:
    """Run the model over labelled texts and judge its answers, in the order of the texts."""

    def work(chunk: Sequence[LinkExample]) -> list[JudgedMentions]:
        found = model([example.text for example in chunk])
        return [
            judge_places(example, {(m.start, m.end): m.score for m in mentions})
            for example, mentions in zip(chunk, found, strict=True)
        ]

    yield from in_chunks(work, examples, threads)


def judge_places(example: LinkExample, given: Mapping[Place, float]) -> JudgedMentions:
    """Judge the places that were given for a text, each with its score."""
    wanted = {m.place: m.kb_id is None for m in example.mentions}
    facts = []
    for place in sorted({*wanted, *given}):
        status: Status = "wrong"
        if place in wanted:
            status = "right" if place in given else "missed"
        words = example.text[slice(*place)]
        facts.append(MentionFact(status, *place, words, wanted.get(place, False), given.get(place)))
    return JudgedMentions(example, tuple(facts))


def summarise_mentions(
    judged: Sequence[JudgedMentions], target: float | None = None
) -> MentionEvaluation:
    """Figures of judged texts.

    Args:
        judged: the texts.
        target: a precision to find the least score for.
    """
    facts = [fact for text in judged for fact in text.facts]
    wanted = [fact for fact in facts if fact.status != "wrong"]
    tallies = [text.counts for text in judged]
    points = cuts(facts)
    return MentionEvaluation(
        format=FORMAT,
        quern=__version__,
        texts=len(judged),
        overall=Figures.of(added(tallies)),
        interval=bootstrap(tallies),
        found_nil=_share_found([f for f in wanted if f.nil]),
        found_linked=_share_found([f for f in wanted if not f.nil]),
        curve=curve(facts),
        at_recall=at_recalls(points),
        target=None if target is None else LeastScore.of(target, least_score(points, target)),
        calibration=reliability([g for text in judged for g in text.grades], "complete"),
    )


def _share_found(wanted: Sequence[MentionFact]) -> float | None:
    found = sum(fact.status == "right" for fact in wanted)
    return found / len(wanted) if wanted else None


def score_mentions(model: ReadsMentions, examples: Sequence[LinkExample]) -> Counts:
    """Micro-averaged counts over places."""
    return added(text.counts for text in judge_mentions(model, examples))


def tune_mentions(
    model: MentionModel, examples: Sequence[LinkExample], tried: Sequence[LinkThresholds] = ()
) -> tuple[LinkThresholds, dict[LinkThresholds, Counts]]:
    """Choose the thresholds with the best F1; the graph runs once, decoding for each.

    Args:
        model: the model; of its own thresholds it only matters whether they ask for spans.
        examples: texts with their labels.
        tried: what to choose from; the best is taken. Without them a grid is tried, and the
            defaults stay unless another of it is clearly better.

    Returns:
        The thresholds, and the counts of all that were tried.
    """
    spans = model.thresholds.span is not msgspec.UNSET
    usual = LinkThresholds(span=LINK_SPAN) if spans else LinkThresholds()
    measured = _measure(model, examples, tried or [usual, *link_grid(usual)])
    best = best_of(measured, usual)
    if not tried and not clearly_better(measured[best], measured[usual]):
        best = usual
    return best, {each: total(parts) for each, parts in measured.items()}


def _measure(
    model: MentionModel, examples: Sequence[LinkExample], tried: Sequence[LinkThresholds]
) -> dict[LinkThresholds, Parts]:
    """What every threshold gives; neighbouring texts lie in one part, as they may be alike."""
    count = min(PARTS, len(examples))
    measured = {each: np.zeros((count, 3), dtype=np.int64) for each in tried}
    for at in range(0, len(examples), model.chunk):
        some = examples[at : at + model.chunk]
        encodings = [model.codec.encode(example.text) for example in some]
        found: list[dict[LinkThresholds, dict[UnitSpan, float]]] = [
            {each: {} for each in tried} for _ in some
        ]
        for i, window, scores in model.scores(encodings):
            for each, spans in found[i].items():
                gather(spans, window, candidates(scores.marks, scores.spans, each))
        for i, (example, encoding) in enumerate(zip(some, encodings, strict=True)):
            part = (at + i) * count // len(examples)
            wanted = {mention.place for mention in example.mentions}
            for each, spans in found[i].items():
                places = (model.codec.span(encoding, *span) for span in apart(spans))
                given = {(place.start, place.end) for place in places}
                measured[each][part] += (len(wanted), len(given), len(wanted & given))
    return measured


def calibrate_mentions(
    path: Path, model: MentionModel, examples: Sequence[LinkExample]
) -> dict[str, Any]:
    """Fit the scores of a folder that is being written; its manifest is written anew.

    Args:
        path: the folder.
        model: what it holds.
        examples: texts with their labels, not among those it was trained on.

    Returns:
        A row for ``metrics.json``: ``facts``, and the calibration error ``before`` and ``after``.
    """
    raw = copy.copy(model)
    raw.calibration = None
    grades = [text.grades for text in judge_mentions(raw, examples)]
    return keep_scaling(path, fit_grades(grades))
