"""The thresholds that suit labelled texts best: the graphs run once, all else is arithmetic.

A pair of a start and an end is decoded if both reach their thresholds and no end between
them does. So three numbers say of a pair under which thresholds it is decoded: the
probabilities of its start and its end, and the highest of the ends in between. A triple is
two such pairs, six numbers; with these of all texts in six columns, any thresholds are
tried in one comparison of columns, and what comes out is what ``decode`` gives.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product

import msgspec
import numpy as np
from numpy.typing import NDArray

from quern.evaluation.judging import was_sought
from quern.metrics import Counts
from quern.records import TripleExample
from quern.triples import Found, Scores, Thresholds, TripleModel

_FLOOR, _STEP, _COUNT = 0.1, 0.05, 17  # 0.1, 0.15 … 0.9
_COARSE = 2  # every second value, the same for starts and ends
_CLIMBS = 3  # how many of the best coarse points are refined
_PARTS = 20  # of the texts, to measure how much a difference wavers
_DOUBT = 1.5  # standard errors that a gain must exceed

_Key = tuple[str, str, str]
_Numbers = tuple[float, float, float, float, float, float]
_Parts = NDArray[np.int64]  # (parts, 3): wanted, given and right of each part of the texts


class Board:
    """Every triple that some thresholds would decode, and under which they would."""

    def __init__(self, texts: Sequence[tuple[set[_Key], list[tuple[_Key, _Numbers]]]]) -> None:
        """Take what is wanted of each text, and its candidates with their six numbers."""
        self._count = min(_PARTS, len(texts))
        rows: list[_Numbers] = []
        row_keys: list[int] = []
        right: list[bool] = []
        part: list[int] = []
        self._wanted = np.zeros(self._count, dtype=np.int64)
        for i, (wanted, found) in enumerate(texts):
            first, of = len(right), i * self._count // len(texts)
            ids: dict[_Key, int] = {}
            for key, numbers in found:
                row_keys.append(ids.setdefault(key, first + len(ids)))
                rows.append(numbers)
            right += [key in wanted for key in ids]
            part += [of] * len(ids)
            self._wanted[of] += len(wanted)
        columns = np.array(rows, dtype=np.float64).reshape(-1, 6).T
        # Subjects are compared in single precision and objects in double, as in decoding.
        self._subjects = np.ascontiguousarray(columns[:3], dtype=np.float32)
        self._objects = np.ascontiguousarray(columns[3:])
        self._keys = np.array(row_keys, dtype=np.int64)
        self._right = np.array(right, dtype=bool)
        self._part = np.array(part, dtype=np.int64)

    def parts(self, thresholds: Thresholds) -> _Parts:
        """What decoding with these thresholds gives, each triple once a text, part by part."""
        start, end, between = self._subjects
        least = np.float32(thresholds.subject_end)
        held = (start >= np.float32(thresholds.subject_start)) & (end >= least) & (between < least)
        start_, end_, between_ = self._objects
        held &= start_ >= thresholds.object_start
        held &= (end_ >= thresholds.object_end) & (between_ < thresholds.object_end)
        given = np.zeros(len(self._right), dtype=bool)
        given[self._keys[held]] = True
        count = self._count
        return np.stack(
            [
                self._wanted,
                np.bincount(self._part[given], minlength=count),
                np.bincount(self._part[given & self._right], minlength=count),
            ],
            axis=1,
        )

    def counts(self, thresholds: Thresholds) -> Counts:
        """What decoding with these thresholds gives over all texts."""
        return _sum(self.parts(thresholds))


def _sum(parts: _Parts) -> Counts:
    wanted, given, right = parts.sum(axis=0).tolist()
    return Counts(wanted, given, right)


def candidates_of(scores: Scores) -> Iterator[tuple[Found, _Numbers]]:
    """Every triple of a window that some thresholds decode, with its six numbers.

    Their order: start, end and highest end in between, of the subject, then of the object.
    """
    for subject, (starts, ends) in scores.objects.items():
        first, last = subject
        ends_between = scores.subjects[first:last, 1]
        of_subject = (
            float(scores.subjects[first, 0]),
            float(scores.subjects[last, 1]),
            float(ends_between.max()) if last > first else -1.0,
        )
        by_label: dict[int, list[tuple[int, float]]] = {}
        for unit, label, probability in ends:
            by_label.setdefault(label, []).append((unit, probability))
        for unit, label, probability in starts:
            highest = -1.0
            for stop, p_end in by_label.get(label, ()):
                if stop >= unit and p_end > highest:
                    found = Found(subject, label, (unit, stop), 0.0)
                    yield found, (*of_subject, probability, p_end, highest)
                    highest = p_end


def gather(
    model: TripleModel, examples: Sequence[TripleExample], candidates: Sequence[Thresholds]
) -> Board:
    """Run the graphs once, for all subjects that any of ``candidates`` would choose."""
    texts: list[tuple[set[_Key], list[tuple[_Key, _Numbers]]]] = []
    for at in range(0, len(examples), model.chunk):
        some = examples[at : at + model.chunk]
        encodings = [model.codec.encode(example.text) for example in some]
        held: list[list[tuple[_Key, _Numbers]]] = [[] for _ in some]
        for i, window, scores in model.scores(encodings, candidates):
            for found, numbers in candidates_of(scores):
                key = model.key(encodings[i], window.first, found)
                if was_sought(some[i], key[1]):
                    held[i].append((key, numbers))
        wanted = ({triple.key for triple in example.triples} for example in some)
        texts += zip(wanted, held, strict=True)
    return Board(texts)


def tune(
    model: TripleModel, examples: Sequence[TripleExample], candidates: Sequence[Thresholds] = ()
) -> tuple[Thresholds, dict[Thresholds, Counts]]:
    """Choose the thresholds with the best F1; the graphs run once.

    Args:
        model: the model; its own thresholds play no part.
        examples: texts with their labels.
        candidates: what to choose from. Without them, a coarse grid is tried, then each of
            the four thresholds is moved in turn until none of them brings more. The best of
            so many is best partly by luck, so the choice then is ``prudent``.

    Returns:
        The thresholds, and the counts of all that were tried.
    """
    if candidates:
        board = gather(model, examples, candidates)
        tried = {candidate: board.parts(candidate) for candidate in candidates}
        best = max(tried, key=lambda candidate: _rank(candidate, tried))
    else:
        tried = search(model, examples)
        best = prudent(tried)
    return best, {candidate: _sum(parts) for candidate, parts in tried.items()}


def search(model: TripleModel, examples: Sequence[TripleExample]) -> dict[Thresholds, _Parts]:
    """Try a coarse grid, then climb from its best points."""
    values = [round(_FLOOR + _STEP * i, 3) for i in range(_COUNT)]
    # Which pairs are subjects depends on the least end alone once starts reach the floor.
    board = gather(model, examples, [Thresholds(_FLOOR, end, _FLOOR, _FLOOR) for end in values])
    coarse = [Thresholds(s, s, o, o) for s, o in product(values[::_COARSE], repeat=2)]
    tried = {candidate: board.parts(candidate) for candidate in [Thresholds(), *coarse]}
    for start in sorted(tried, key=lambda t: _rank(t, tried), reverse=True)[:_CLIMBS]:
        _climb(board, start, values, tried)
    return tried


def _climb(
    board: Board, start: Thresholds, values: Sequence[float], tried: dict[Thresholds, _Parts]
) -> None:
    """Move one threshold after the other to its best value until all stand still."""
    here, still, turn = start, 0, 0
    names = Thresholds.__struct_fields__
    while still < len(names):
        name = names[turn % len(names)]
        line = [here, *(msgspec.structs.replace(here, **{name: value}) for value in values)]
        for candidate in line:
            if candidate not in tried:
                tried[candidate] = board.parts(candidate)
        best = max(line, key=lambda candidate: _rank(candidate, tried))
        still = still + 1 if best == here else 0
        here, turn = best, turn + 1


def prudent(tried: dict[Thresholds, _Parts], doubt: float = _DOUBT) -> Thresholds:
    """The thresholds nearest to the defaults that are not clearly worse than the best.

    Clearly worse is a difference of F1 over ``doubt`` of its standard errors, which are
    measured by leaving out one part of the texts after the other (the jackknife). Where the
    texts are too few to tell, the defaults stay.
    """
    best = max(tried, key=lambda candidate: _rank(candidate, tried))
    top, top_without = _sum(tried[best]).f1, _without_each(tried[best])
    count = len(top_without)

    def bears(candidate: Thresholds) -> bool:
        lead = top_without - _without_each(tried[candidate])
        error = float(np.sqrt((count - 1) / count * ((lead - lead.mean()) ** 2).sum()))
        return top - _sum(tried[candidate]).f1 <= doubt * error + 1e-12

    equals = [candidate for candidate in tried if count < 2 or bears(candidate)]
    return min(equals, key=lambda t: (_distance(t), -_sum(tried[t]).f1))


def _without_each(parts: _Parts) -> NDArray[np.float64]:
    """F1 without one part of the texts, for each part."""
    wanted, given, right = (parts.sum(axis=0) - parts).T
    total = wanted + given
    return np.where(total > 0, 2 * right / np.maximum(total, 1), 1.0)


def _rank(candidate: Thresholds, tried: dict[Thresholds, _Parts]) -> tuple[float, float]:
    """F1, then nearness to the defaults."""
    return _sum(tried[candidate]).f1, -_distance(candidate)


def _distance(thresholds: Thresholds) -> float:
    """How far thresholds lie from the defaults."""
    names, usual = Thresholds.__struct_fields__, Thresholds()
    return math.fsum(abs(getattr(thresholds, name) - getattr(usual, name)) for name in names)
