"""Networks → ONNX graphs: exported once, refilled with weights, checked against torch."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn

from quern.errors import TrainingError
from quern.runtime import STAMP, Graph

PARITY = 2e-4  # largest difference allowed between torch's and the graph's probabilities


class ExportedGraph:
    """An ONNX graph whose initialisers bear the names of the network's parameters.

    Tracing takes seconds; refilling takes milliseconds, so training can score every epoch on
    the graphs that users will run.
    """

    def __init__(self, model: onnx.ModelProto, parameters: Sequence[str], codec: str) -> None:
        """Stamp ``model`` with the codec's fingerprint and find its parameters.

        Raises:
            TrainingError: a parameter did not survive the exporter's optimiser.
        """
        self.model = model
        _forget_origin(model)
        entry = model.metadata_props.add()
        entry.key, entry.value = STAMP, codec
        self._slots = {tensor.name: tensor for tensor in model.graph.initializer}
        self._parameters = list(parameters)
        lost = [name for name in self._parameters if name not in self._slots]
        if lost:
            raise TrainingError(f"the exporter folded parameters away: {', '.join(lost)}")

    def refill(self, weights: Mapping[str, NDArray[np.float32]]) -> bytes:
        """Put weights in by name and give the graph's bytes."""
        for name in self._parameters:
            tensor = numpy_helper.from_array(np.ascontiguousarray(weights[name]), name)
            self._slots[name].CopyFrom(tensor)
        return self.model.SerializeToString()


def export(
    module: nn.Module,
    inputs: Mapping[str, torch.Tensor],
    outputs: Sequence[str],
    axes: Mapping[str, Mapping[int, str]],
    codec: str,
) -> ExportedGraph:
    """Trace ``module`` with torch's ``torch.export``-based ONNX exporter.

    Args:
        module: called with ``inputs``; parameters keep their names.
        inputs: example inputs by name.
        outputs: names of the outputs.
        axes: the axes of each input that vary, with their names.
        codec: fingerprint to stamp the graph with.
    """
    module = _distinct(module)
    dims: dict[str, torch.export.Dim] = {}
    shapes = {
        name: {axis: dims.setdefault(of, torch.export.Dim(of)) for axis, of in axes[name].items()}
        for name in inputs
    }
    # The exporter reports its progress on stdout and warns of matters of its own.
    with _quiet():
        program = torch.onnx.export(
            module,
            kwargs={"inputs": dict(inputs)},
            dynamo=True,
            dynamic_shapes={"inputs": shapes},
            input_names=list(inputs),
            output_names=list(outputs),
            opset_version=18,
            external_data=False,
            verbose=False,
        )
    if program is None:
        raise TrainingError("torch's exporter returned no program")
    used = {tensor.name for tensor in program.model_proto.graph.initializer}
    names = [name for name, _ in module.named_parameters() if name in used]
    return ExportedGraph(program.model_proto, names, codec)


def _forget_origin(model: onnx.ModelProto) -> None:
    """Drop the exporter's notes: stack traces that name files of the machine it ran on."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info):
        part.doc_string = ""
        del part.metadata_props[:]
    for tensor in graph.initializer:
        tensor.doc_string = ""
        del tensor.metadata_props[:]


def _distinct(module: nn.Module) -> nn.Module:
    """A copy whose parameters all differ, as the exporter folds equal ones into one."""
    module = copy.deepcopy(module).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.uniform_(-0.1, 0.1, generator=generator)
    return module


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def parity(module: nn.Module, graph: Graph, inputs: Mapping[str, torch.Tensor]) -> float:
    """Largest difference between torch's outputs and the graph's on ``inputs``.

    Raises:
        TrainingError: it exceeds ``PARITY``.
    """
    with torch.no_grad():
        outputs = module.eval()(inputs)
    wanted = [outputs] if isinstance(outputs, torch.Tensor) else list(outputs)
    found = graph({name: tensor.numpy() for name, tensor in inputs.items()})
    worst = max(
        float(np.abs(a.numpy() - found[name]).max())
        for a, name in zip(wanted, graph.outputs, strict=True)
    )
    if not worst <= PARITY:
        raise TrainingError(f"the exported graph differs from torch by {worst:.1e}")
    return worst
