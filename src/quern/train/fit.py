"""The journey from labelled lines to a model folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file

from quern import __version__, evaluation, folder
from quern.alignment import Label
from quern.errors import DataError
from quern.records import TripleExample
from quern.runtime import Graph
from quern.tasks import load
from quern.text import CodecRules, TextCodec
from quern.train.checkpoint import Checkpoint
from quern.train.export import ExportedGraph, export, parity
from quern.train.loop import Epoch, Schedule, Step, Trainer, Weights, hash_seed
from quern.train.triple_items import TripleItems
from quern.train.triples import EncoderGraph, ObjectGraph, TripleNet
from quern.triples import Thresholds, TripleFitting, TripleModel, TripleSettings


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """All that decides what a training yields, besides the data."""

    settings: TripleSettings = TripleSettings()
    fitting: TripleFitting = TripleFitting()
    schedule: Schedule = Schedule()
    rules: CodecRules = CodecRules()


class TripleTraining:
    """One training of a triple model: prepare, run, write."""

    def __init__(
        self, train: Sequence[TripleExample], dev: Sequence[TripleExample], plan: Plan
    ) -> None:
        """Fit the codec, align the labels, build the network and its graphs.

        Raises:
            DataError: there is nothing to learn or to choose by.
        """
        if not any(e.triples for e in train) or not any(e.triples for e in dev):
            raise DataError("training needs triples in both the training and the dev data")
        self.plan, self.dev = plan, list(dev)
        torch.set_num_threads(plan.schedule.threads)
        torch.use_deterministic_algorithms(True)
        torch.utils.deterministic.fill_uninitialized_memory = False
        torch.manual_seed(hash_seed([plan.schedule.seed]))
        self.codec = TextCodec.fit((e.text for e in train), plan.rules)
        found = {Label.of(t) for e in train for t in e.triples}
        self.labels = sorted(found, key=lambda label: label.sort_key)
        self.items = TripleItems(train, self.codec, self.labels, plan.fitting)
        self.net = TripleNet(plan.settings, self.codec, len(self.labels))
        self.trainer = Trainer(self.net, self.items, plan.schedule)
        self._graphs = _export(self.net, self.codec)

    def run(self, checkpoint: Checkpoint | None = None) -> Iterator[Step | Epoch]:
        """Train; see ``Trainer.run``."""
        yield from self.trainer.run(self._dev_scores, checkpoint)

    def _dev_scores(self, weights: Weights) -> dict[str, float]:
        model = self._model(weights, Thresholds())
        return evaluation.score(model, self.dev).figures()

    def _model(self, weights: Weights, thresholds: Thresholds) -> TripleModel:
        arrays = _arrays(weights)
        encoder, objects = (
            Graph(graph.refill(arrays), self.plan.schedule.threads) for graph in self._graphs
        )
        return TripleModel(self.codec, self.labels, encoder, objects, thresholds)

    def write(self, path: Path, *, data: str | None, overwrite: bool = False) -> dict[str, Any]:
        """Tune the thresholds, write the folder, and measure it as users will run it.

        Returns:
            What was measured, as it stands in ``metrics.json``.
        """
        best = self.trainer.best
        tuned, _ = evaluation.tune(self._model(best, Thresholds()), self.dev)
        self.trainer._set(best)
        arrays = _arrays(best)
        with folder.writing(path, overwrite=overwrite) as temporary:
            self.codec.save(temporary / folder.CODEC)
            for name, graph in zip(("encoder", "objects"), self._graphs, strict=True):
                (temporary / f"{name}.onnx").write_bytes(graph.refill(arrays))
            save_file(arrays, temporary / folder.WEIGHTS)
            manifest = folder.Manifest(
                format=folder.FORMAT,
                task="triples",
                settings=msgspec.to_builtins(self.plan.settings),
                labels=msgspec.to_builtins(self.labels),
                thresholds=msgspec.to_builtins(tuned),
                codec=self.codec.fingerprint,
                data=data,
                precision="fp32",
                quern=__version__,
            )
            (temporary / folder.MANIFEST).write_bytes(msgspec.json.encode(manifest))
            metrics = self._measure(temporary)
            (temporary / folder.METRICS).write_bytes(
                msgspec.json.format(msgspec.json.encode(metrics), indent=2)
            )
        return metrics

    def _measure(self, path: Path) -> dict[str, Any]:
        model = load(path)
        return {"dev": evaluation.score(model, self.dev).figures(), "lines": len(self.dev)}


def _arrays(weights: Weights) -> dict[str, NDArray[np.float32]]:
    return {f"net.{name}": tensor.numpy() for name, tensor in weights.items()}


def _export(net: TripleNet, codec: TextCodec) -> tuple[ExportedGraph, ExportedGraph]:
    """Trace both graphs on a small made-up batch and check them against torch."""
    generator = torch.Generator().manual_seed(0)
    batch, length, spans = 3, 16, 5
    units = torch.randint(1, len(codec.vocabulary), (batch, length), generator=generator)
    units[1, 9:] = 0
    inputs = {
        "units": units.int(),
        "shapes": torch.randint(1, 27, (batch, length), generator=generator).int(),
        "grams": torch.randint(
            0, codec.rules.buckets, (batch, length, 8), generator=generator
        ).int(),
    }
    axes = {name: {0: "batch", 1: "length"} for name in inputs}
    names = ["subjects", "hidden", "context", "entities", "relations", "mask"]
    encoder = export(EncoderGraph(net), inputs, names, axes, codec.fingerprint)
    with torch.no_grad():
        encoded = EncoderGraph(net.eval())(*inputs.values())
    later = dict(zip(names[1:], encoded[1:], strict=True))
    later["row"] = torch.tensor([0, 0, 1, 2, 2])[:spans]
    later["start"] = torch.tensor([0, 3, 2, 1, 5])
    later["end"] = torch.tensor([4, 3, 8, 2, 15])
    wide = {name: {0: "batch", 1: "length"} for name in ("hidden", "context", "entities", "mask")}
    axes = (
        wide | {"relations": {0: "batch"}} | {n: {0: "subjects"} for n in ("row", "start", "end")}
    )
    objects = export(
        ObjectGraph(net), later, ["objects"], {n: axes[n] for n in later}, codec.fingerprint
    )
    weights = _arrays({name: p.detach() for name, p in net.named_parameters()})
    parity(EncoderGraph(net), Graph(encoder.refill(weights)), inputs)
    parity(ObjectGraph(net), Graph(objects.refill(weights)), later)
    return encoder, objects
