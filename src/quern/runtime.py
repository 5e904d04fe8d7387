"""ONNX graphs on onnxruntime, and the batches that keep a text's result its own."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from quern.errors import FolderError

STAMP = "quern.codec"  # metadata key under which a graph carries its codec's fingerprint
_MULTIPLE = 8

Arrays = Mapping[str, NDArray[np.generic]]
Results = dict[str, NDArray[np.float32]]


class Runs(Protocol):
    """Anything that can be run like a graph."""

    def __call__(self, inputs: Arrays) -> Results:
        """Outputs by name."""


class Graph:
    """One ONNX graph, run on the CPU with a fixed number of threads."""

    def __init__(self, source: Path | bytes, threads: int = 1) -> None:
        """Open a graph from a file or from its bytes.

        Raises:
            FolderError: the file is missing or is not a graph this runtime can run.
        """
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # An arena keeps what the largest batch so far took, doubled and never given back: 736 MB
        # in place of 156 after 6 MB of articles, and no faster.
        options.enable_cpu_mem_arena = False
        # Idle threads that spin slow every other process on the machine.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        model = source if isinstance(source, bytes) else os.fspath(source)
        try:
            self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except ort.capi.onnxruntime_pybind11_state.NoSuchFile as error:
            raise FolderError(f"{source!s}: missing from the model folder") from error
        except (
            ort.capi.onnxruntime_pybind11_state.Fail,
            ort.capi.onnxruntime_pybind11_state.InvalidArgument,  # an empty file
            ort.capi.onnxruntime_pybind11_state.InvalidProtobuf,
            ort.capi.onnxruntime_pybind11_state.InvalidGraph,
            ort.capi.onnxruntime_pybind11_state.NotImplemented,
        ) as error:
            name = "a graph" if isinstance(source, bytes) else str(source)
            raise FolderError(f"{name}: not a graph that onnxruntime can run: {error}") from error
        self.outputs: list[str] = [output.name for output in self._session.get_outputs()]

    @property
    def stamp(self) -> str | None:
        """The fingerprint of the codec that the graph was trained with."""
        found = self._session.get_modelmeta().custom_metadata_map.get(STAMP)
        return None if found is None else str(found)

    def __call__(self, inputs: Arrays) -> Results:
        """Run the graph; outputs by name."""
        return dict(zip(self.outputs, self._session.run(None, dict(inputs)), strict=True))


class Averaged:
    """Several graphs run as one, with the mean of what they say.

    Outputs that are not averaged are handed on under ``<number>.<name>``, and inputs so named
    go to the graph of that number alone; all other inputs go to every graph.
    """

    def __init__(self, graphs: Sequence[Runs], averaged: Collection[str]) -> None:
        """``averaged`` names the outputs to take the mean of, where the graphs have them."""
        self._graphs, self._averaged = graphs, averaged

    def __call__(self, inputs: Arrays) -> Results:
        """Run every graph; outputs by name."""
        shared = {name: array for name, array in inputs.items() if "." not in name}
        results: dict[str, list[NDArray[np.float32]]] = {name: [] for name in self._averaged}
        own: Results = {}
        for number, graph in enumerate(self._graphs):
            prefix = f"{number}."
            given = {n[len(prefix) :]: a for n, a in inputs.items() if n.startswith(prefix)}
            for name, array in graph({**shared, **given}).items():
                if name in results:
                    results[name].append(array)
                else:
                    own[prefix + name] = array
        means = {name: np.mean(arrays, axis=0) for name, arrays in results.items() if arrays}
        return {**means, **own}


def padded(length: int) -> int:
    """The length to which a text of ``length`` units is padded, alone or in company.

    Vector instructions sum in an order that depends on the padded length, so a text is
    padded to the same length wherever it stands, and its result cannot depend on its batch.
    """
    return max(_MULTIPLE, -(-length // _MULTIPLE) * _MULTIPLE)


def batches(lengths: Sequence[int], size: int) -> Iterator[list[int]]:
    """Indices of ``lengths`` in groups of at most ``size`` that share one padded length."""
    order = sorted(range(len(lengths)), key=lambda i: lengths[i])
    group: list[int] = []
    for i in order:
        full = len(group) == size
        if group and (full or padded(lengths[group[0]]) != padded(lengths[i])):
            yield group
            group = []
        group.append(i)
    if group:
        yield group
