"""The thresholds that suit labelled texts best: the graphs run once, all else is arithmetic.

A pair of a start and an end is decoded if both reach their thresholds and no end between
them does. So three numbers say of a pair under which thresholds it is decoded: the
probabilities of its start and its end, and the highest of the ends in between. A triple is
two such pairs, six numbers; with these of all texts in six columns, any thresholds are
tried in one comparison of columns, and what comes out is what ``decode`` gives.
"""

from __future__ import annotations

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

_Key = tuple[str, str, str]


class Board:
    """Every triple that some thresholds would decode, and how to decode it again."""

    def __init__(self) -> None:
        """Begin with no text."""
        self._rows: list[tuple[float, float, float, float, float, float, int]] = []
        self._right: list[bool] = []  # for each key: whether it is wanted
        self._wanted = 0
        self._subjects: NDArray[np.float32] | None = None

    def add(self, wanted: set[_Key], found: Sequence[tuple[_Key, tuple[float, ...]]]) -> None:
        """Add one text: what is wanted of it, and its candidates with their six numbers."""
        first = len(self._right)
        ids: dict[_Key, int] = {}
        for key, numbers in found:
            at = ids.setdefault(key, first + len(ids))
            self._rows.append((*numbers, at))  # type: ignore[arg-type]
        self._right += [key in wanted for key in ids]
        self._wanted += len(wanted)
        self._subjects = None

    def counts(self, thresholds: Thresholds) -> Counts:
        """What decoding with these thresholds gives, each triple once a text."""
        if self._subjects is None:
            self._pack()
        assert self._subjects is not None
        # Subjects are compared in single precision and objects in double, as in decoding.
        start, end, between = self._subjects
        held = (start >= np.float32(thresholds.subject_start)) & (
            (end >= np.float32(thresholds.subject_end))
            & (between < np.float32(thresholds.subject_end))
        )
        start_, end_, between_ = self._objects
        held &= (start_ >= thresholds.object_start) & (
            (end_ >= thresholds.object_end) & (between_ < thresholds.object_end)
        )
        given = np.zeros(len(self._is_right), dtype=bool)
        given[self._keys[held]] = True
        return Counts(self._wanted, int(given.sum()), int((given & self._is_right).sum()))

    def _pack(self) -> None:
        rows = np.array(self._rows, dtype=np.float64).reshape(-1, 7)
        self._subjects = np.ascontiguousarray(rows[:, :3].T.astype(np.float32))
        self._objects = np.ascontiguousarray(rows[:, 3:6].T)
        self._keys = rows[:, 6].astype(np.int64)
        self._is_right = np.array(self._right, dtype=bool)


def candidates_of(scores: Scores) -> Iterator[tuple[Found, tuple[float, ...]]]:
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
    board = Board()
    for at in range(0, len(examples), model.chunk):
        some = examples[at : at + model.chunk]
        encodings = [model.codec.encode(example.text) for example in some]
        found: list[list[tuple[_Key, tuple[float, ...]]]] = [[] for _ in some]
        for i, window, scores in model.scores(encodings, candidates):
            found[i] += [
                (model.key(encodings[i], window.first, triple), numbers)
                for triple, numbers in candidates_of(scores)
            ]
        for example, rows in zip(some, found, strict=True):
            counted = [(key, n) for key, n in rows if was_sought(example, key[1])]
            board.add({triple.key for triple in example.triples}, counted)
    return board


def tune(
    model: TripleModel, examples: Sequence[TripleExample], candidates: Sequence[Thresholds] = ()
) -> tuple[Thresholds, dict[Thresholds, Counts]]:
    """Choose the thresholds with the best F1; the graphs run once.

    Args:
        model: the model; its own thresholds play no part.
        examples: texts with their labels.
        candidates: what to choose from. Without them, a coarse grid is tried, then each of
            the four thresholds is moved in turn until none of them brings more.

    Returns:
        The best thresholds, of equals those nearest to the defaults, and the counts of all
        that were tried.
    """
    if candidates:
        board = gather(model, examples, candidates)
        totals = {candidate: board.counts(candidate) for candidate in candidates}
        return _best(totals), totals
    values = [round(_FLOOR + _STEP * i, 3) for i in range(_COUNT)]
    # Which pairs are subjects depends on the least end alone once starts reach the floor.
    board = gather(model, examples, [Thresholds(_FLOOR, end, _FLOOR, _FLOOR) for end in values])
    coarse = [Thresholds(s, s, o, o) for s, o in product(values[::_COARSE], repeat=2)]
    totals = {candidate: board.counts(candidate) for candidate in [Thresholds(), *coarse]}
    for start in sorted(totals, key=lambda tried: _rank(tried, totals), reverse=True)[:_CLIMBS]:
        _climb(board, start, values, totals)
    return _best(totals), totals


def _climb(
    board: Board, start: Thresholds, values: Sequence[float], totals: dict[Thresholds, Counts]
) -> None:
    """Move one threshold after the other to its best value until all stand still."""
    here, still = start, 0
    names = Thresholds.__struct_fields__
    turn = 0
    while still < len(names):
        name = names[turn % len(names)]
        tried = [here, *(msgspec.structs.replace(here, **{name: value}) for value in values)]
        for candidate in tried:
            if candidate not in totals:
                totals[candidate] = board.counts(candidate)
        best = max(tried, key=lambda candidate: _rank(candidate, totals))
        still = still + 1 if best == here else 0
        here, turn = best, turn + 1


def _best(totals: dict[Thresholds, Counts]) -> Thresholds:
    return max(totals, key=lambda candidate: _rank(candidate, totals))


def _rank(candidate: Thresholds, totals: dict[Thresholds, Counts]) -> tuple[float, float]:
    """F1, then nearness to the defaults."""
    far = zip(
        msgspec.structs.astuple(candidate), msgspec.structs.astuple(Thresholds()), strict=True
    )
    return totals[candidate].f1, -sum(abs(a - b) for a, b in far)
