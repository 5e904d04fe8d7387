"""What holds for every kind of index, exact, approximate and served, in one suite."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from quern.errors import StoreError, VectorError
from quern.index import ApproximateIndex, ExactIndex, Index, ServedIndex, kind_for, unit

# The database in memory looks at everything anyway, and says so when it is asked to.
pytestmark = pytest.mark.filterwarnings("ignore:Local mode performs exact:UserWarning")

KINDS = ("exact", "approximate", "served")
Vectors = NDArray[np.float32]


@pytest.fixture(params=KINDS, scope="module")
def fresh(request: pytest.FixtureRequest) -> Iterator[Callable[[int], Index]]:
    """Makes empty indexes of a kind; an approximate one has cells from 16 vectors on.

    More candidates are taken than there are equal vectors in any test.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("quern.index.approximate._LEAST", 16)
        patch.setattr("quern.index.approximate._MORE", 30)
        patch.setattr("quern.index.served._MORE", 30)
        if request.param == "exact":
            yield ExactIndex
        elif request.param == "approximate":
            pytest.importorskip("faiss")
            yield ApproximateIndex
        else:
            client = pytest.importorskip("qdrant_client").QdrantClient(":memory:")
            names = iter(range(1_000_000))
            yield lambda dim: ServedIndex.made(client, f"vectors-{next(names)}", dim)


def drawn(count: int, dim: int = 16, seed: int = 0) -> Vectors:
    """Unit vectors in clusters of about twenty."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((max(1, count // 20), dim))
    noise = 0.6 * random.standard_normal((count, dim))
    return unit(centres[random.integers(len(centres), size=count)] + noise)


def expected(held: dict[int, Vectors], queries: Vectors, k: int) -> list[list[tuple[int, float]]]:
    """By comparing all, number by number."""
    answers = []
    for query in queries.tolist():
        scores = {
            id_: float(np.float32(math.fsum(a * b for a, b in zip(query, vector, strict=True))))
            for id_, vector in ((i, v.tolist()) for i, v in held.items())
        }
        answers.append(sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:k])
    return answers


def answered(index: Index, queries: Vectors, k: int) -> list[list[tuple[int, float]]]:
    found = index.search(queries, k)
    assert found.ids.dtype == np.int64
    assert found.scores.dtype == np.float32
    assert found.ids.shape == found.scores.shape == (len(queries), min(k, len(index)))
    rows = zip(found.ids.tolist(), found.scores.tolist(), strict=True)
    return [list(zip(ids, scores, strict=True)) for ids, scores in rows]


# Few numbers, so that there are many equal vectors and equal scores.
vectors = st.lists(st.integers(-2, 2), min_size=3, max_size=3).filter(any)
rows_by_id = st.dictionaries(st.integers(0, 30), vectors, max_size=30)
changes = st.lists(st.tuples(st.sampled_from(["add", "add", "remove"]), rows_by_id), max_size=6)


@settings(max_examples=60, deadline=None)
@given(changes=changes, queries=st.lists(vectors, min_size=1, max_size=4), k=st.integers(0, 40))
def test_after_any_changes_it_answers_as_comparing_all_does(
    fresh: Callable[[int], Index], changes: list, queries: list, k: int
) -> None:
    index, held = fresh(3), {}
    if isinstance(index, ApproximateIndex):
        index.share = 1.0  # so that it misses nothing
    for what, rows in changes:
        if what == "add" and rows:
            new = unit(list(rows.values()))
            index.add(list(rows), new)
            held |= dict(zip(rows, new, strict=True))
        elif gone := [id_ for id_ in rows if id_ in held]:
            index.remove(gone)
            held = {id_: vector for id_, vector in held.items() if id_ not in gone}
    assert len(index) == len(held)
    asked = unit(queries)
    assert answered(index, asked, k) == expected(held, asked, k)


def test_alone_equals_in_a_batch_to_the_last_bit(fresh: Callable[[int], Index]) -> None:
    index, rows = fresh(128), drawn(700, dim=128)
    index.add(np.arange(600), rows[:600])
    queries = rows[530:]  # more than go through the vectors together
    together = index.search(queries, 7)
    for at in range(len(queries)):
        alone = index.search(queries[at : at + 1], 7)
        assert np.array_equal(alone.ids[0], together.ids[at])
        assert np.array_equal(alone.scores[0], together.scores[at])


def test_each_vector_finds_itself_first(fresh: Callable[[int], Index]) -> None:
    index, rows = fresh(16), drawn(300)
    ids = np.random.default_rng(1).permutation(10**12 + np.arange(300))
    index.add(ids, rows)
    found = index.search(rows, 1)
    assert found.ids[:, 0].tolist() == ids.tolist()
    assert np.abs(found.scores - 1).max() < 1e-6


def test_every_kind_gives_the_same_scores(fresh: Callable[[int], Index]) -> None:
    index, exact, rows = fresh(16), ExactIndex(16), drawn(500)
    for each in (index, exact):
        each.add(np.arange(400), rows[:400])
    found, right = index.search(rows[400:], 5), exact.search(rows[400:], 400)
    for at, (ids, scores) in enumerate(zip(*found, strict=True)):
        true = dict(zip(right.ids[at].tolist(), right.scores[at].tolist(), strict=True))
        assert [true[id_] for id_ in ids.tolist()] == scores.tolist()


def test_what_is_removed_is_never_found(fresh: Callable[[int], Index]) -> None:
    index, rows = fresh(16), drawn(200)
    index.add(np.arange(200), rows)
    index.remove(np.arange(0, 200, 3))
    assert len(index) == 133
    assert not (index.search(rows, 133).ids % 3 == 0).any()
    index.remove(np.flatnonzero(np.arange(200) % 3))
    assert len(index) == 0
    assert index.search(rows, 5).ids.shape == (200, 0)
    index.add([5], rows[:1])  # and it can be filled again
    assert answered(index, rows[:1], 5) == expected({5: rows[0]}, rows[:1], 5)


def test_a_replaced_vector_is_found_by_the_new_one_only(fresh: Callable[[int], Index]) -> None:
    index, rows = fresh(16), drawn(200)
    index.add(np.arange(100), rows[:100])
    index.add(np.arange(50, 150), rows[100:])  # fifty new, fifty replaced
    held = {**dict(enumerate(rows[:50])), **dict(enumerate(rows[100:], 50))}
    assert len(index) == 150
    assert answered(index, rows[::10], 150) == expected(held, rows[::10], 150)


def test_equal_scores_come_in_the_order_of_ids(fresh: Callable[[int], Index]) -> None:
    index, row = fresh(16), drawn(1)
    index.add([7, 3, 9, 1, 5], np.repeat(row, 5, axis=0))
    assert index.search(row, 4).ids.tolist() == [[1, 3, 5, 7]]


def test_few_vectors_and_none_and_no_query(fresh: Callable[[int], Index]) -> None:
    index, rows = fresh(16), drawn(30)
    none = np.empty((0, 16), np.float32)
    assert len(index) == 0
    assert index.dim == 16
    assert index.search(rows[:2], 3).ids.shape == (2, 0)
    index.add([], none)
    index.remove([])
    index.add(range(30), rows)
    assert index.search(rows, 100).ids.shape == (30, 30)
    assert index.search(rows, 0).scores.shape == (30, 0)
    assert index.search(none, 3).ids.shape == (0, 3)
    assert sorted(index.search(rows[:1], 30).ids[0].tolist()) == list(range(30))


def test_the_nearest_are_nearly_always_found(fresh: Callable[[int], Index]) -> None:
    index, exact, rows = fresh(16), ExactIndex(16), drawn(4000, seed=3)
    for each in (index, exact):
        each.add(np.arange(3000), rows[:3000])
        each.add(np.arange(3000, 3800), rows[3000:3800])  # when the cells are there already
    if isinstance(index, ApproximateIndex):
        assert index.cells is not None
        assert index.probes is not None
        assert index.probes < index.cells / 4  # most are not looked into
    pairs = zip(index.search(rows[3800:], 10).ids, exact.search(rows[3800:], 10).ids, strict=True)
    assert np.mean([len(np.intersect1d(found, right)) / 10 for found, right in pairs]) >= 0.95


def test_a_larger_share_misses_nothing() -> None:
    pytest.importorskip("faiss")
    index, exact, rows = ApproximateIndex(64), ExactIndex(64), drawn(12_000, dim=64)
    rows = unit(rows + np.random.default_rng(5).standard_normal(rows.shape) / 4)  # hardly clusters
    for each in (index, exact):
        each.add(np.arange(11_900), rows[:11_900])
    right = exact.search(rows[11_900:], 10).ids
    found = []
    for index.share in (0.0, 0.2, 1.0):
        pairs = zip(index.search(rows[11_900:], 10).ids, right, strict=True)
        found.append(sum(len(np.intersect1d(*pair)) for pair in pairs))
    assert found[0] < found[1] < found[2] == 1000


def row(*numbers: float) -> Vectors:
    return np.array([numbers], dtype=np.float32)


REFUSED = [
    ([1], row(math.nan, 0), "row 0 is not finite; leave it out, or mend what made it"),
    ([1], row(math.inf, 0), "row 0 is not finite; leave it out, or mend what made it"),
    ([1], row(0, 0), "row 0 is all zero and has no direction; leave it out"),
    ([1], row(3, 4), "row 0 has length 5, not 1; pass the vectors through unit() first"),
    ([1], row(1e-9, 0), "row 0 has length 1e-09, not 1; pass the vectors through unit() first"),
    ([1], row(1, 0, 0), "vectors have shape (1, 3), the index takes (count, 2)"),
    ([1], row(1, 0)[0], "vectors have shape (2,), the index takes (count, 2)"),
    ([1, 2], row(1, 0), "2 ids and 1 vectors; give one id to each"),
    ([-1], row(1, 0), "id -1 is not from 0 to 2**63 - 1"),
    ([2**63], row(1, 0), f"id {2**63} is not from 0 to 2**63 - 1"),
    (["a"], row(1, 0), "ids are <U1 of shape (1,); give whole numbers"),
    ([4, 4], np.eye(2), "id 4 is given twice, in rows 0 and 1; give each once"),
]  # fmt: skip


@pytest.mark.parametrize(("ids", "vectors", "message"), REFUSED)
def test_what_no_index_takes(
    fresh: Callable[[int], Index], ids: list, vectors: Vectors, message: str
) -> None:
    index = fresh(2)
    with pytest.raises(VectorError) as caught:
        index.add(ids, vectors)
    assert str(caught.value) == message
    assert len(index) == 0
    if message.startswith("row"):
        with pytest.raises(VectorError) as caught:
            index.search(vectors, 1)
        assert str(caught.value) == message


def test_a_bad_vector_keeps_the_good_ones_out_too(fresh: Callable[[int], Index]) -> None:
    index = fresh(2)
    with pytest.raises(VectorError, match=r"^row 2 is all zero"):
        index.add([1, 2, 3], np.array([[1, 0], [0, 1], [0, 0]], np.float32))
    assert len(index) == 0


def test_removing_what_is_not_there(fresh: Callable[[int], Index]) -> None:
    index, rows = fresh(16), drawn(3)
    index.add([1, 2, 3], rows)
    with pytest.raises(StoreError) as caught:
        index.remove([2, 5])
    assert str(caught.value) == "id 5 is not in the index; nothing was removed"
    with pytest.raises(StoreError) as caught:
        index.remove([6, 2, 5, 4])
    assert str(caught.value) == "id 6 and 2 others are not in the index; nothing was removed"
    assert len(index) == 3


def test_fewer_than_no_neighbours(fresh: Callable[[int], Index]) -> None:
    with pytest.raises(VectorError, match=r"^-1 neighbours cannot be found; ask for 0 or more$"):
        fresh(16).search(drawn(1), -1)


def test_threads_may_search_together(fresh: Callable[[int], Index]) -> None:
    index, rows = fresh(16), drawn(300)
    index.add(np.arange(300), rows)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda at: index.search(rows[at : at + 1], 5), range(0, 300, 5)))
    right = index.search(rows[::5], 5)
    assert np.array_equal(np.concatenate([found.ids for found in together]), right.ids)
    assert np.array_equal(np.concatenate([found.scores for found in together]), right.scores)


def test_vectors_are_copied_and_queries_left_alone(fresh: Callable[[int], Index]) -> None:
    index, rows = fresh(16), drawn(40)
    given_, before = rows.copy(), rows.copy()
    index.add(np.arange(40), given_)
    given_[:] = 0
    index.search(rows, 3)
    assert np.array_equal(rows, before)
    assert index.search(rows, 1).ids[:, 0].tolist() == list(range(40))


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1).filter(any))
def test_unit_vectors_are_what_an_index_takes(numbers: list[float]) -> None:
    index = ExactIndex(len(numbers))
    index.add([0], unit([numbers]))
    assert index.search(unit([numbers]), 1).scores[0, 0] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        ([[1, 0], [0, 0]], "row 1 is all zero and has no direction; leave it out"),
        ([[1, math.nan]], "row 0 is not finite; leave it out, or mend what made it"),
        ([1, 0], "vectors have shape (2,); give one a row: (count, dim)"),
    ],
)
def test_what_has_no_direction(vectors: list, message: str) -> None:
    with pytest.raises(VectorError) as caught:
        unit(vectors)
    assert str(caught.value) == message


def test_no_vectors_become_no_vectors() -> None:
    assert unit(np.empty((0, 4))).shape == (0, 4)


def test_the_kind_that_suits() -> None:
    assert kind_for(1000) == "exact"
    assert kind_for(10**6) == "approximate"


def test_paths_are_no_part_of_an_index_in_memory(tmp_path: Path) -> None:
    for index in (ExactIndex(2), ExactIndex(2, tmp_path / "a")):
        index.add([1], row(1, 0))
    assert list(tmp_path.iterdir()) == []
