"""The order of training: every item once, like lengths together, nothing held."""

from __future__ import annotations

from itertools import islice

import pytest

pytest.importorskip("torch")

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from quern.train.batches import Order, Places, permuted

MANY = 10**12  # items that no memory could hold


def order(count: int, size: int, seed: int = 0) -> Order:
    """Items of up to 100 units."""
    return Order(
        count,
        size,
        [seed],
        lambda places: permuted(places, count, [seed]),
        lambda items: items * 7919 % 100,
    )


@given(st.integers(1, 600), st.integers(0, 5))
def test_a_permutation_reaches_every_place_once(size: int, seed: int) -> None:
    everywhere = permuted(np.arange(size), size, [seed])
    assert sorted(everywhere.tolist()) == list(range(size))
    some = np.arange(size)[::3]
    assert np.array_equal(permuted(some, size, [seed]), everywhere[::3])


def test_every_place_leads_everywhere_alike() -> None:
    draws = np.array([permuted(np.arange(6), 6, [seed]) for seed in range(3000)])
    for place in range(6):
        counts = np.bincount(draws[:, place], minlength=6)
        assert abs(counts - 500).max() < 90, counts  # four standard deviations
        followers = np.bincount(draws[draws[:, place] == 0][:, place - 1], minlength=6)[1:]
        assert abs(followers - 100).max() < 40, followers


@given(st.integers(0, 900), st.integers(1, 17))
def test_an_epoch_holds_every_item_once(count: int, size: int) -> None:
    batches = list(order(count, size))
    assert len(batches) == len(order(count, size))
    assert sorted(i for batch in batches for i in batch) == list(range(count))
    assert sum(len(batch) < size for batch in batches) <= 1


def test_batches_are_the_same_for_a_seed_and_hold_like_lengths() -> None:
    batches = list(order(4000, 16))
    assert batches == list(order(4000, 16)) != list(order(4000, 16, seed=1))
    apart = [np.ptp(np.array(batch) * 7919 % 100) for batch in batches]
    assert np.mean(apart) < 5
    means = [np.mean(np.array(batch) * 7919 % 100) for batch in batches]
    assert abs(np.corrcoef(means[:-1], means[1:])[0, 1]) < 0.3  # and lengths come mixed


def test_more_items_than_memory_can_hold_are_drawn_from() -> None:
    drawn: list[Places] = []

    def lengths(items: Places) -> Places:
        drawn.append(items)
        return items % 100

    vast = Order(MANY, 64, [0], lambda places: permuted(places, MANY, [0]), lengths)
    assert len(vast) == -(-MANY // 64)
    first = list(islice(vast, 60))
    assert max(map(max, first)) > MANY // 2
    assert [len(pool) for pool in drawn] == [3200, 3200]
