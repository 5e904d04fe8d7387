"""What trainings of sentences and of ranks share: how the network of texts begins and is used."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from quern.embedding import EmbeddingSettings, arrays_of
from quern.errors import DataError
from quern.runtime import Graph, batches, padded
from quern.text import Encoding, TextCodec, Window
from quern.train.cosine import unit
from quern.train.embedding import EmbeddingGraph, EmbeddingNet, example_phrases
from quern.train.encoders import Pretrained
from quern.train.export import ExportedGraph, export, parity
from quern.train.training import begin, example_inputs, named
from quern.train.word_vectors import WordVectors

_AT_ONCE = 256  # windows that are given vectors at once

Part = tuple[Encoding, Window]


def begin_embedding(
    net: EmbeddingNet,
    settings: EmbeddingSettings,
    codec: TextCodec,
    init: Pretrained | None,
    vectors: WordVectors | None,
) -> None:
    """Give the convolutions of a new network what they start from.

    Raises:
        DataError: there is something to start from, and the network has no convolutions.
        TrainingError: ``init`` is not of the shape that ``settings`` ask for.
    """
    if net.encoder is not None:
        begin(net.encoder, settings, codec, init, vectors)
    elif init is not None or vectors is not None:
        raise DataError(
            f"reading={settings.reading} has no convolutions, which --init and --vectors are for; "
            "take reading=conv or reading=both"
        )


def embedded(
    net: EmbeddingNet, settings: EmbeddingSettings, codec: TextCodec, parts: Sequence[Part]
) -> NDArray[np.float32]:
    """Vectors of windows, (parts, vector_dim), by the network's weights as they stand."""
    found = np.zeros((len(parts), settings.vector_dim), dtype=np.float32)
    sizes = [window.stop - window.first for _, window in parts]
    net.eval()
    for group in batches(sizes, _AT_ONCE):
        arrays = arrays_of(codec, [parts[g] for g in group], padded(sizes[group[-1]]), settings)
        with torch.no_grad():
            inputs = {name: torch.from_numpy(array) for name, array in arrays.items()}
            found[group] = unit(net(inputs)).numpy()
    return found


def export_embedding(
    net: EmbeddingNet, settings: EmbeddingSettings, codec: TextCodec
) -> ExportedGraph:
    """Trace the graph on a small made-up batch and check it against torch."""
    inputs = example_inputs(codec)
    if net.bag is not None:
        inputs["phrases"] = example_phrases(settings)
    axes = {key: {0: "batch", 1: "length"} for key in inputs}
    graph = export(EmbeddingGraph(net), inputs, ["vectors"], axes, codec.fingerprint)
    weights = named({name: p.detach() for name, p in net.named_parameters()})
    parity(EmbeddingGraph(net), Graph(graph.refill(weights)), inputs)
    return graph
