"""Graphs in 8-bit integers, with scales fixed beforehand so that batches change nothing."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

Arrays = Mapping[str, NDArray[Any]]
_LARGE = 4096  # numbers in a table


class _Inputs(CalibrationDataReader):  # type: ignore[misc]
    """Recorded inputs of a graph, one run after the other."""

    def __init__(self, runs: Sequence[Arrays]) -> None:
        self._runs: Iterator[Arrays] = iter(runs)

    def get_next(self) -> Arrays | None:
        return next(self._runs, None)


def quantise(source: Path, target: Path, runs: Sequence[Arrays], keep: Sequence[str] = ()) -> None:
    """Write ``source`` with its matrix products and embedding tables in 8 bits.

    The scale of every activation is fixed from ``runs``. A dynamic scale would be taken from
    the whole batch, and a text's result would depend on its company.

    Args:
        source: a graph in float32.
        target: where to write.
        runs: inputs that are typical of use.
        keep: products with a weight whose name begins with one of these stay in float32, and so
            does what is looked up in a table that is multiplied with as well.
    """
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)  # the library advises shape inference, which is not needed
    try:
        with tempfile.TemporaryDirectory() as folder:
            prepared = Path(folder) / "prepared.onnx"
            stamped, kept = _prepared(source, prepared, tuple(keep))
            quantize_static(
                prepared,
                target,
                _Inputs(runs),
                quant_format=QuantFormat.QDQ,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                per_channel=True,
                op_types_to_quantize=["MatMul", "Gather"],
                nodes_to_exclude=kept,
                calibrate_method=CalibrationMethod.MinMax,
                extra_options={
                    "MatMulConstBOnly": True,
                    "OpTypesToExcludeOutputQuantization": ["MatMul"],
                },
            )
        model = onnx.load(target)
        _halve(model.graph)
        del model.metadata_props[:]
        model.metadata_props.extend(stamped)
        onnx.save(model, target)
    finally:
        logging.disable(level)


def _prepared(
    source: Path, target: Path, keep: tuple[str, ...]
) -> tuple[list[onnx.StringStringEntryProto], list[str]]:
    """Copy a graph to ``target`` ready for the quantiser.

    Returns:
        Its metadata, which the quantiser drops, and the names of the nodes to leave alone.
    """
    model = onnx.load(source)
    onnx.save(onnx.shape_inference.infer_shapes(model), target)
    products = [node for node in model.graph.node if node.op_type == "MatMul"]
    kept = [node.name for node in products if node.input[1].startswith(keep)]
    weights = {node.input[1] for node in products}
    looked_up = (node for node in model.graph.node if node.op_type == "Gather")
    kept += [node.name for node in looked_up if node.input[0] in weights]
    return list(model.metadata_props), kept


def _halve(graph: onnx.GraphProto) -> None:
    """Store the large tables that stayed in float32 in half precision.

    The runtime widens them once, when it opens the graph; what they are multiplied with is as
    exact as before.
    """
    casts = []
    for tensor in graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT and np.prod(tensor.dims) >= _LARGE:
            name, half = tensor.name, f"{tensor.name}.half"
            values = onnx.numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, half))
            cast = onnx.helper.make_node("Cast", [half], [name], to=onnx.TensorProto.FLOAT)
            casts.append(cast)
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def recorded(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """A copy of a run's inputs that later runs cannot change."""
    return {name: np.array(array) for name, array in arrays.items()}
