"""An encoder of the shape of BERT-base with random weights, to measure against.

``python -m benchmarks.encoder PATH VOCABULARY`` writes its graph. Its speed does not depend on
what it has learnt; its answers mean nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from benchmarks.options import ROOT
from quern.errors import QuernError

LONGEST = 512  # positions that such an encoder knows
BATCH = 32


class Shape(NamedTuple):
    """The size of an encoder."""

    layers: int = 12
    dim: int = 768
    heads: int = 12
    inner: int = 3072


BASE = Shape()
VOCABULARY = {"zh": 21128, "en": 30522}


def graph_path(cache: Path, vocabulary: int) -> Path:
    """The graph for a vocabulary, written at the first call, in a process of its own."""
    path = cache / f"bert-base-{vocabulary}.onnx"
    if not path.is_file():
        print(f"writing an encoder with {vocabulary:,} tokens (once)", file=sys.stderr)
        command = [sys.executable, "-m", "benchmarks.encoder", str(path), str(vocabulary)]
        if subprocess.run(command, check=False, cwd=ROOT).returncode:
            raise QuernError("the encoder could not be written; it needs the extra 'train'")
    return path


def write(path: Path, vocabulary: int, shape: Shape = BASE) -> None:
    """Export the encoder with torch (extra ``train``)."""
    import torch

    from benchmarks.encoder_net import EncoderNet

    torch.manual_seed(0)
    net = EncoderNet(vocabulary, LONGEST, shape).eval()
    length = torch.export.Dim("length", max=LONGEST)
    dims = {0: torch.export.Dim("batch"), 1: length}
    ids = torch.ones(3, 16, dtype=torch.int64)
    program = torch.onnx.export(
        net,
        (ids, ids.clone()),
        dynamo=True,
        dynamic_shapes=(dims, dims),
        input_names=["ids", "mask"],
        output_names=["hidden"],
        opset_version=18,
        external_data=False,
        verbose=False,
    )
    assert program is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    program.save(str(part), external_data=False)
    os.replace(part, path)


class Encoder:
    """Runs the graph over texts that were turned into tokens beforehand.

    Only the forward pass is timed: no cutting into tokens and no reading of answers.
    """

    def __init__(self, path: Path, tokens: Mapping[str, NDArray[np.int64]], threads: int) -> None:
        """Open the graph with onnxruntime's own defaults but for the number of threads."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self._tokens = tokens

    def __call__(self, texts: Sequence[str]) -> None:
        """One forward pass for each batch of texts of like length."""
        rows = sorted((self._tokens[text] for text in texts), key=len)
        for at in range(0, len(rows), BATCH):
            self._session.run(None, padded(rows[at : at + BATCH]))


def padded(rows: Sequence[NDArray[np.int64]]) -> dict[str, NDArray[np.int64]]:
    """Token ids and their mask, padded to the longest row."""
    ids = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
    mask = np.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
        mask[i, : len(row)] = 1
    return {"ids": ids, "mask": mask}


def tokens(lengths: Mapping[str, int], vocabulary: int, seed: int) -> dict[str, NDArray[np.int64]]:
    """Random tokens for each text: one a unit and two more, as such an encoder has them.

    Its own tokens would be as many for Chinese and more for English. What is beyond its
    longest input is left out; our models read all of it.
    """
    rng = np.random.default_rng(seed)
    return {
        text: rng.integers(1, vocabulary, min(units + 2, LONGEST))
        for text, units in lengths.items()
    }


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]))
