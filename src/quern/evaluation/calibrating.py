"""Scores that mean the share that is right: fitted on labelled texts, kept where they help."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import msgspec

from quern.calibration import PlattScaling
from quern.card import write_card
from quern.evaluation.figures import Grade, reliability
from quern.evaluation.judging import judge
from quern.evaluation.summary import graded, trusted
from quern.folder import MANIFEST, ModelFolder, write_json, writing
from quern.records import TripleExample
from quern.tasks import load
from quern.triples import ReadsTriples

_FOLDS = 5
_EACH = 10  # right and wrong facts; of fewer a line cannot be told from chance


class Fitted(msgspec.Struct, frozen=True):
    """How scores are calibrated, and what that brings.

    Attributes:
        scaling: what to do to scores, None where the facts are too few, or where it does not
            help on texts that it was not fitted on.
        facts: given facts that were looked at.
        before: expected calibration error of raw scores, None where nothing was given.
        after: the same of calibrated scores, every text calibrated by a fit to the others.
    """

    scaling: PlattScaling | None
    facts: int
    before: float | None
    after: float | None

    def row(self) -> dict[str, Any]:
        """For ``metrics.json``."""
        return {"facts": self.facts, "before": self.before, "after": self.after}


def fit_scaling(model: ReadsTriples, examples: Sequence[TripleExample]) -> Fitted:
    """Fit the scores of a model to labelled texts.

    Where there are lines with complete labels, the others are left out: on them a fact that
    counts as wrong may be true. So are facts with predicates that nobody looked for.

    Args:
        model: the model; its own calibration plays no part.
        examples: texts with their labels, not among those it was trained on.
    """
    raw = copy.copy(model)
    raw.calibration = None
    _, texts = trusted(list(judge(raw, examples)))
    return fit_grades([graded(text.facts) for text in texts])


def fit_grades(texts: Sequence[Sequence[Grade]]) -> Fitted:
    """Fit scores to what is right and wrong of them, text by text."""
    grades = list(chain.from_iterable(texts))
    measured = reliability(grades, "complete")
    before = measured.error if measured else None
    good = sum(right for _, right in grades)
    if before is None or min(good, len(grades) - good) < _EACH:
        return Fitted(None, len(grades), before, None)
    crossed = reliability(_crossed(texts), "complete")
    after = crossed.error if crossed else None
    helps = after is not None and after < before
    return Fitted(_fit(grades) if helps else None, len(grades), before, after)


def calibrate(path: Path, examples: Sequence[TripleExample]) -> dict[str, Any]:
    """Fit the scores of a folder that is being written; its manifest is written anew.

    Returns:
        A row for ``metrics.json``: ``facts``, and the calibration error ``before`` and ``after``.
    """
    return keep_scaling(path, fit_scaling(load(path), examples))


def keep_scaling(path: Path, fitted: Fitted) -> dict[str, Any]:
    """Write what was fitted into the manifest of a folder that is being written.

    Returns:
        See ``calibrate``.
    """
    manifest = ModelFolder(path).manifest
    changed = msgspec.structs.replace(manifest, calibration=fitted.scaling)
    write_json(path / MANIFEST, changed)
    return fitted.row()


def recalibrate(path: Path, examples: Sequence[TripleExample]) -> dict[str, Any]:
    """Fit the scores of a model folder that is there; it is replaced whole or not at all.

    Args:
        path: the folder; whatever else lies in it stays.
        examples: texts with their labels, not among those it was trained on.

    Returns:
        What ``calibrate`` returns; it stands in the metrics and on the card, too.

    Raises:
        FolderError: it is not a model folder, or cannot be written.
    """
    metrics = ModelFolder(path).metrics()
    with writing(path, overwrite=True) as temporary:
        shutil.copytree(path, temporary, dirs_exist_ok=True)
        row = calibrate(temporary, examples)
        write_card(temporary, path.name, {**metrics, "calibration": row})
    return row


def _fit(grades: Sequence[Grade]) -> PlattScaling:
    return PlattScaling.fit([score for score, _ in grades], [right for _, right in grades])


def _crossed(texts: Sequence[Sequence[Grade]]) -> list[Grade]:
    """Grades with the scores that a fit to other texts gives; neighbours lie in one part."""
    borders = [part * len(texts) // _FOLDS for part in range(_FOLDS + 1)]
    grades: list[Grade] = []
    for start, stop in pairwise(borders):
        scaling = _fit(list(chain.from_iterable([*texts[:start], *texts[stop:]])))
        for text in texts[start:stop]:
            grades += [(scaling(score), right) for score, right in text]
    return grades
