"""Batches that keep a text's result its own, and graphs that say what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quern.errors import FolderError
from quern.runtime import STAMP, Graph, batches, padded

lengths = st.lists(st.integers(0, 70), max_size=60)


@given(lengths, st.integers(1, 9))
def test_batches_part_the_texts(given_: list[int], size: int) -> None:
    groups = list(batches(given_, size))
    assert sorted(i for group in groups for i in group) == list(range(len(given_)))
    assert all(1 <= len(group) <= size for group in groups)


@given(lengths, st.integers(1, 9))
def test_a_batch_has_one_padded_length_and_none_is_half_empty(given_: list[int], size: int) -> None:
    groups = list(batches(given_, size))
    paddings = [{padded(given_[i]) for i in group} for group in groups]
    assert all(len(of) == 1 for of in paddings)
    # Each length takes as few batches as it can.
    for length in set.union(set(), *paddings):
        count = sum(padded(n) == length for n in given_)
        assert sum(of == {length} for of in paddings) == -(-count // size)


@given(lengths, st.integers(1, 9))
def test_the_last_of_a_batch_is_the_longest(given_: list[int], size: int) -> None:
    for group in batches(given_, size):
        assert [given_[i] for i in group] == sorted(given_[i] for i in group)


@given(st.integers(0, 10_000))
def test_a_text_is_padded_to_the_next_multiple(length: int) -> None:
    room = padded(length)
    assert room >= max(length, 1)
    assert room % 8 == 0
    assert room - length < 8 or length == 0


def test_no_texts_make_no_batches() -> None:
    assert list(batches([], 4)) == []


# -- graphs that cannot be opened -------------------------------------------------------


def test_a_missing_graph_is_named(tmp_path: Path) -> None:
    with pytest.raises(FolderError) as refused:
        Graph(tmp_path / "encoder.onnx")
    assert str(refused.value) == f"{tmp_path}/encoder.onnx: missing from the model folder"


@pytest.mark.parametrize("content", [b"", b"not a graph", bytes(range(256))])
def test_a_file_that_is_no_graph_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "encoder.onnx"
    path.write_bytes(content)
    with pytest.raises(FolderError) as refused:
        Graph(path)
    said = str(refused.value)
    assert said.startswith(f"{path}: not a graph that onnxruntime can run: [ONNXRuntimeError] ")


@pytest.mark.parametrize("content", [b"", b"not a graph"])
def test_bytes_that_are_no_graph_are_refused(content: bytes) -> None:
    with pytest.raises(FolderError) as refused:
        Graph(content)
    assert str(refused.value).startswith("a graph: not a graph that onnxruntime can run: ")


# -- graphs that can --------------------------------------------------------------------


def doubling(stamp: str | None) -> bytes:
    """A graph that gives twice its input, and its input."""
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [
            helper.make_node("Add", ["x", "x"], ["twice"]),
            helper.make_node("Identity", ["x"], ["once"]),
        ],
        "doubling",
        [helper.make_tensor_value_info("x", kind, ["n"])],
        [helper.make_tensor_value_info(name, kind, ["n"]) for name in ("twice", "once")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    if stamp is not None:
        helper.set_model_props(model, {STAMP: stamp, "other": "thing"})
    return model.SerializeToString()


def test_a_graph_runs_from_its_bytes_and_from_its_file(tmp_path: Path) -> None:
    content = doubling(None)
    (tmp_path / "doubling.onnx").write_bytes(content)
    for source in (content, tmp_path / "doubling.onnx"):
        graph = Graph(source)
        assert graph.outputs == ["twice", "once"]
        found = graph({"x": np.array([1, -2], dtype=np.float32)})
        assert {name: array.tolist() for name, array in found.items()} == {
            "twice": [2, -4],
            "once": [1, -2],
        }


@pytest.mark.parametrize("stamp", ["c0ffee" * 10, None])
def test_a_graph_bears_the_stamp_of_its_codec(stamp: str | None) -> None:
    assert Graph(doubling(stamp)).stamp == stamp


def test_a_graph_with_an_operator_that_nobody_knows_is_refused() -> None:
    with pytest.raises(FolderError) as refused:
        Graph(doubling(None).replace(b"Identity", b"Idontity"))
    assert str(refused.value).startswith("a graph: not a graph that onnxruntime can run: ")
    assert "Idontity" in str(refused.value)
