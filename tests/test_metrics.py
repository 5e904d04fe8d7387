"""Counts: what holds of precision, recall and F1 whatever is counted."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quern.metrics import Counts, count

sets = st.sets(st.integers(0, 9), max_size=6)
pairs = st.lists(st.tuples(sets, sets), max_size=5)


@given(sets, sets)
def test_figures_follow_from_the_sets(wanted: set[int], given_: set[int]) -> None:
    found = count([(wanted, given_)])
    assert found == Counts(len(wanted), len(given_), len(wanted & given_))
    assert 0 <= found.f1 <= 1
    if wanted and given_:
        p, r = len(wanted & given_) / len(given_), len(wanted & given_) / len(wanted)
        assert (found.precision, found.recall) == (p, r)
        assert found.f1 == pytest.approx(2 * p * r / (p + r) if p + r else 0)


@given(pairs)
def test_counts_add_up_over_texts(texts: list[tuple[set[int], set[int]]]) -> None:
    whole = count(texts)
    parts = [count([pair]) for pair in texts]
    assert whole.wanted == sum(part.wanted for part in parts)
    assert whole.given == sum(part.given for part in parts)
    assert whole.right == sum(part.right for part in parts)
    # Micro-averaged: as if every text's facts bore its number and lay in one set.
    marked = [{(i, x) for i, pair in enumerate(texts) for x in pair[side]} for side in (0, 1)]
    assert whole == count([(marked[0], marked[1])])


@given(pairs)
def test_to_swap_what_is_wanted_and_given_swaps_the_figures(
    texts: list[tuple[set[int], set[int]]],
) -> None:
    one, other = count(texts), count([(b, a) for a, b in texts])
    assert (one.precision, one.recall, one.f1) == (other.recall, other.precision, other.f1)


@given(sets.filter(bool))
def test_all_right_is_one_and_none_right_is_zero(facts: set[int]) -> None:
    assert count([(facts, facts)]).figures() == {"f1": 1, "precision": 1, "recall": 1}
    others = {-1 - fact for fact in facts}
    assert count([(facts, others)]).figures() == {"f1": 0, "precision": 0, "recall": 0}


def test_where_nothing_is_wanted_or_given() -> None:
    assert count([]).figures() == {"f1": 1, "precision": 1, "recall": 1}
    assert count([(set(), set())] * 3) == Counts(0, 0, 0)
    assert count([({1}, set())]).figures() == {"f1": 0, "precision": 1, "recall": 0}
    assert count([(set(), {1})]).figures() == {"f1": 0, "precision": 0, "recall": 1}


def test_the_order_of_texts_does_not_matter() -> None:
    texts: list[tuple[set[int], set[int]]] = [({1, 2}, {2}), (set(), {1}), ({3}, {3, 4})]
    found = [count(order) for order in permutations(texts)]
    assert found == [Counts(3, 4, 2)] * 6
    assert found[0].figures() == pytest.approx({"f1": 4 / 7, "precision": 0.5, "recall": 2 / 3})


def test_the_same_fact_counts_once_a_text() -> None:
    counts = Counts()
    for _ in range(2):
        counts.add({"a"}, {"a", "b"})
    assert counts == Counts(2, 4, 2)
