"""What is found among vectors, against a slow and obvious search."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quern.evaluation import retrieval
from quern.evaluation.retrieval import (
    cut,
    evaluate_retrieval,
    grade_pairs,
    look_up,
    spearman,
    summarise_retrieval,
)
from quern.records import SentenceExample, SentencePair
from quern.sentences import unit_rows

ANGLES = st.lists(st.integers(0, 11), min_size=1, max_size=30)


class Turned:
    """Stands in for a model: a text is an angle in degrees; an empty one has no direction."""

    dim = 2

    def __call__(self, texts: list[str]) -> np.ndarray:
        rows = np.zeros((len(texts), 2), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            if text:
                row[:] = np.cos(np.radians(float(text))), np.sin(np.radians(float(text)))
        return rows


def rows(angles: list[int]) -> np.ndarray:
    return Turned()([str(30 * angle) for angle in angles])


def slowly(queries, of, known, known_of, own):
    for i, query in enumerate(queries):
        among = [j for j in range(len(known)) if not (own and i == j)]
        cosines = {j: float(query @ known[j]) for j in among}
        right = [cosines[j] for j in among if known_of[j] == of[i]]
        rank = 0
        if right:
            wrong = sum(c >= max(right) - 1e-6 for j, c in cosines.items() if known_of[j] != of[i])
            rank = 1 + wrong
        yield rank, max(cosines.values(), default=-2)


@settings(max_examples=60)
@given(ANGLES, ANGLES, st.integers(1, 4), st.booleans())
def test_look_up_is_what_a_slow_search_finds(first, second, groups, own) -> None:
    # Every twelfth of a turn: cosines are equal or far apart, so that rounding decides nothing.
    queries, of = rows(first), np.array(first) % groups
    known, known_of = (queries, of) if own else (rows(second), np.array(second) % groups)
    found = look_up(queries, of) if own else look_up(queries, of, known, known_of)
    wanted = list(slowly(queries, of, known, known_of, own))
    assert np.allclose(found.scores, [score for _, score in wanted], atol=1e-6)
    ranks = [rank for rank, _ in wanted]
    assert all(abs(a - b) <= 0 or a > b for a, b in zip(ranks, found.ranks.tolist(), strict=True))
    assert [rank == 0 for rank in ranks] == (found.ranks == 0).tolist()


@pytest.mark.parametrize("known", [None, 37])
def test_how_many_are_looked_for_at_once_changes_nothing(
    known: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    queries, of = rows(rng.integers(12, size=23).tolist()), rng.integers(4, size=23)
    among = () if known is None else (rows(list(range(known))), np.arange(known) % 4)
    whole = look_up(queries, of, *among)
    for cells in (1, 100):
        monkeypatch.setattr(retrieval, "_CELLS", cells)
        found = look_up(queries, of, *among)
        assert found.ranks.tolist() == whole.ranks.tolist()
        assert np.allclose(found.scores, whole.scores, atol=1e-6)


def test_of_equals_the_wrong_ones_count_first() -> None:
    vectors = Turned()(["0", "90", "90"])
    found = look_up(vectors, np.array([0, 0, 1]))
    assert found.ranks.tolist() == [2, 2, 0]


def test_a_text_without_direction_is_like_nothing() -> None:
    vectors = Turned()(["", "0", "180"])
    found = look_up(vectors, np.array([0, 0, 0]))
    assert found.nearest.tolist() == [-1, 2, 1]
    assert found.scores.tolist() == [-2, -1, -1]
    assert found.ranks.tolist() == [1, 1, 1]
    # Whose only fellow is like nothing is looked for in vain, and not left out.
    found = look_up(vectors, np.array([0, 0, 1]))
    assert found.ranks.tolist() == [2, 2, 0]


def test_a_cut_by_hand() -> None:
    known = [SentenceExample("0", "a"), SentenceExample("90", "b")]
    asked = [
        SentenceExample("10", "a"),
        SentenceExample("60", "a"),
        SentenceExample("80", "b"),
        SentenceExample("45", "c"),
        SentenceExample("100", "c"),
    ]
    found = evaluate_retrieval(Turned(), asked, known)
    assert (found.queries, found.known, found.answerable) == (5, 2, 3)
    assert found.top["1"] == pytest.approx(2 / 3)
    assert found.mrr == pytest.approx((1 + 1 / 2 + 1) / 3)
    numbers = np.array([0, 0, 1, 2, 2])
    made = look_up(
        Turned()([e.text for e in asked]), numbers, Turned()(["0", "90"]), np.array([0, 1])
    )
    at = cut(made, 0.9)  # 45 is far from both, and so is 60
    assert (at.answered, at.precision) == (pytest.approx(3 / 5), pytest.approx(2 / 3))
    assert (at.accuracy, at.refused) == (pytest.approx(2 / 3), pytest.approx(1 / 2))
    assert summarise_retrieval(made, 2) == found


def test_without_answers_there_is_no_precision() -> None:
    found = look_up(Turned()(["0", "90"]), np.array([0, 0]))
    assert cut(found, 0.5).precision is None
    assert cut(found, 0.5).refused is None


def test_spearman_by_hand() -> None:
    one = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    assert spearman(one, one**3) == pytest.approx(1)
    assert spearman(one, -one) == pytest.approx(-1)
    # 1 - 6·Σd²/(n·(n² - 1)) holds without ties: d = 0, 1, -1, 0, 0.
    assert spearman(one, np.array([1.0, 3.0, 2.0, 4.0, 5.0])) == pytest.approx(1 - 6 * 2 / 120)
    # With ties it is the correlation of mean ranks, here (1.5, 1.5, 3) and (1, 2, 3).
    tied = spearman(np.array([7.0, 7.0, 9.0]), np.array([1.0, 2.0, 3.0]))
    assert tied == pytest.approx(1.5 / (1.5 * 2) ** 0.5)
    assert spearman(one, np.ones(5)) is None


@given(st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=12))
def test_the_best_accuracy_of_pairs(pairs) -> None:
    given_ = [SentencePair("0", str(15 * at), float(same)) for at, same in pairs]
    graded = grade_pairs(Turned(), given_)
    cosines = [float(np.cos(np.radians(15 * at))) for at, _ in pairs]
    tried = [2.0, *(c - 1e-4 for c in cosines)]
    best = max(
        sum((c >= t) == same for c, (_, same) in zip(cosines, pairs, strict=True)) for t in tried
    )
    assert graded.accuracy == pytest.approx(best / len(pairs))
    assert graded.threshold is not None
    ours = [float(np.float32(c)) for c in (Turned()([p.other])[0, 0] for p in given_)]
    reached = [(c >= graded.threshold) == same for c, (_, same) in zip(ours, pairs, strict=True)]
    assert sum(reached) == best


def test_scores_that_are_no_labels_have_no_accuracy() -> None:
    graded = grade_pairs(Turned(), [SentencePair("0", "10", 4.5), SentencePair("0", "90", 1.0)])
    assert (graded.spearman, graded.accuracy, graded.threshold) == (pytest.approx(1), None, None)


def test_unit_rows() -> None:
    made = unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]], dtype=np.float32))
    assert made.tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0, 0]]
