"""The file of an index: it comes back as it was, is written whole, and is checked when opened."""

from __future__ import annotations

import math

import numpy as np
import pytest

from quern.errors import DataError, MissingExtra, StoreError
from quern.index import ApproximateIndex, ExactIndex, create_index, file, open_index, unit


@pytest.fixture(autouse=True)
def few_make_cells(monkeypatch):
    monkeypatch.setattr("quern.index.approximate._LEAST", 16)


@pytest.fixture(params=["exact", "approximate"])
def kind(request):
    if request.param == "approximate":
        pytest.importorskip("faiss")
    return request.param


def drawn(count, dim=8, seed=0):
    return unit(np.random.default_rng(seed).standard_normal((count, dim)))


@pytest.mark.parametrize("count", [0, 1, 300])
def test_it_comes_back_as_it_was(kind, count, tmp_path):
    path, rows = tmp_path / "index", drawn(count)
    index = create_index(kind, 8, path)
    index.add(np.arange(count), rows)
    if count > 10:
        index.remove(np.arange(0, count, 7))
    index.save()
    again = open_index(path)
    assert type(again) is type(index)
    assert (len(again), again.dim) == (len(index), 8)
    queries = drawn(50, seed=1)
    for mine, other in zip(index.search(queries, 10), again.search(queries, 10), strict=True):
        assert np.array_equal(mine, other)


def test_it_can_be_changed_after_opening_and_saved_over_itself(kind, tmp_path):
    path, rows = tmp_path / "index", drawn(100)
    index = create_index(kind, 8, path)
    index.add(np.arange(80), rows[:80])
    index.save()
    before = path.read_bytes()
    again = open_index(path)
    again.remove([3, 4])
    again.add(np.arange(79, 99), rows[80:])
    assert path.read_bytes() == before  # nothing is written before it is saved
    again.save()
    fresh = ExactIndex(8)
    fresh.add(np.delete(np.arange(99), [3, 4]), np.delete(rows, [3, 4, 79], axis=0))
    for index in (again, open_index(path)):
        assert len(index) == 97
        for mine, other in zip(index.search(rows, 97), fresh.search(rows, 97), strict=True):
            assert np.array_equal(mine, other)
    assert [entry.name for entry in tmp_path.iterdir()] == ["index"]


def test_opening_does_not_learn_cells_again(tmp_path, monkeypatch):
    pytest.importorskip("faiss")
    index = ApproximateIndex(8, tmp_path / "index")
    index.add(np.arange(100), drawn(100))
    index.save()
    monkeypatch.setattr("quern.index.cells.Cells.learned", None)
    again = ApproximateIndex.open(tmp_path / "index")
    assert again.cells == index.cells == 40
    again.add([100], drawn(1, seed=1))
    assert again.search(drawn(1, seed=1), 1).ids.tolist() == [[100]]


def test_what_is_interrupted_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "index"
    index = ExactIndex(8, path)
    index.add([1], drawn(1))
    index.save()
    before = path.read_bytes()

    def full(content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(file, "_arrays", full)
    with pytest.raises(DataError, match="No space left on device"):
        index.save()
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["index"]


def saved(path):
    index = ExactIndex(2, path)
    index.add([1, 2], np.eye(2))
    index.save()
    return path.read_bytes()


def test_the_layout(tmp_path):
    content = saved(tmp_path / "index")
    head = b'quern vectors {"format":1,"kind":"exact","dim":2,"count":2,"cells":0}'
    assert content[:256] == head.ljust(255) + b"\n"
    assert content[256:320] == np.array([1, 2], "<i8").tobytes().ljust(64, b"\0")
    assert content[320:384] == np.eye(2, dtype="<f4").tobytes().ljust(64, b"\0")
    assert len(content) == 384


ONE, NAN = np.float32(1).tobytes(), np.float32(math.nan).tobytes()

DAMAGED = {
    "short": (lambda c: c[:-1], "damaged: 383 bytes, it should have 384"),
    "long": (lambda c: c + b"\0", "damaged: 385 bytes, it should have 384"),
    "empty": (lambda c: b"", "not an index of vectors"),
    "head": (lambda c: c[:100], "not an index of vectors"),
    "other": (lambda c: b"\x89PNG".ljust(384), "not an index of vectors"),
    "json": (lambda c: c.replace(b"}", b" ", 1), "damaged: Input data was truncated"),
    "newer": (
        lambda c: c.replace(b'"format":1', b'"format":2'),
        "format 2, this quern reads 1; use the version of quern that wrote it, "
        "or build the index again",
    ),
    "huge": (lambda c: c.replace(b'"count":2,', b'"count":9999999999999999,', 1), "damaged: "),
    "below": (lambda c: c.replace(b'"count":2', b'"count":-2'), "damaged: "),
    "dim": (lambda c: c.replace(b'"dim":2', b'"dim":0'), "damaged: its first line counts"),
    "kind": (lambda c: c.replace(b"exact", b"other"), "damaged: Invalid enum value 'other'"),
    "nan": (lambda c: c.replace(ONE, NAN, 1), "damaged: row 0 is not finite"),
    "zero": (lambda c: c.replace(ONE, bytes(4), 1), "damaged: row 0 is all zero"),
    "twice": (lambda c: c.replace(b"\x02", b"\x01", 1), "damaged: id 1 is given twice, in rows"),
    "negative": (lambda c: c[:263] + b"\xff" + c[264:], "damaged: id -7205759403792793"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_refused(name, tmp_path):
    path = tmp_path / "index"
    damage, message = DAMAGED[name]
    before = saved(path)
    after = damage(before)
    assert after != before
    path.write_bytes(after)
    with pytest.raises(StoreError) as caught:
        open_index(path)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_vectors_in_cells_that_are_not_there(tmp_path):
    path = tmp_path / "index"
    content = file.Content("approximate", np.arange(2), np.eye(2), np.eye(2), np.array([0, 2]))
    file.write(path, content)
    with pytest.raises(StoreError, match="damaged: a vector is in none of the 2 cells"):
        open_index(path)


def test_places_where_nothing_can_be(tmp_path):
    with pytest.raises(StoreError) as caught:
        open_index(tmp_path / "none")
    assert str(caught.value) == (
        f"{tmp_path}/none: no such file; make an index and save it there first"
    )
    saved(tmp_path / "index")
    with pytest.raises(StoreError, match="exists already; open it, or choose another name"):
        create_index("exact", 2, tmp_path / "index")
    with pytest.raises(StoreError, match="the index is exact, not approximate; use open_index"):
        ApproximateIndex.open(tmp_path / "index")
    with pytest.raises(StoreError, match="no file to be saved in; give a path when it is made"):
        ExactIndex(2).save()
    with pytest.raises(DataError, match="cannot be written: No such file or directory"):
        create_index("exact", 2, tmp_path / "no" / "folder").save()
    with pytest.raises(StoreError, match="no kind 'tree' of index; there are exact, approx"):
        create_index("tree", 2)
    with pytest.raises(StoreError, match="vectors of 0 numbers; give 1 or more"):
        create_index("exact", 0)


def test_an_extra_that_is_missing(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(MissingExtra) as caught:
        create_index("approximate", 2)
    assert str(caught.value) == (
        "an approximate index needs the 'ann' extra: pip install 'quern[ann]'"
    )
    monkeypatch.setitem(__import__("sys").modules, "qdrant_client", None)
    with pytest.raises(MissingExtra) as caught:
        create_index("served", 2, "http://localhost/vectors")
    assert str(caught.value) == (
        "an index in a database needs the 'served' extra: pip install 'quern[served]'"
    )
