"""One training of a mention model: prepare, run, write the folder, measure it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors.numpy import save_file

from quern import folder
from quern.alignment import Problem
from quern.errors import DataError
from quern.evaluation.mentions import calibrate_mentions, score_mentions, tune_mentions
from quern.links import (
    FEATURES,
    LINK_SPAN,
    Dictionary,
    FindsNames,
    LinkFitting,
    LinkSettings,
    LinkThresholds,
    MentionModel,
)
from quern.records import LinkExample
from quern.runtime import Graph
from quern.tasks import load_links
from quern.text import CodecRules, TextCodec
from quern.train.checkpoint import Checkpoint
from quern.train.encoders import Pretrained
from quern.train.export import ExportedGraph, export, parity
from quern.train.link_items import LinkItems
from quern.train.links import MentionGraph, MentionNet
from quern.train.loop import Epoch, Schedule, Step, Trained, Trainer, Weights
from quern.train.training import (
    Shared,
    begin,
    codec_of,
    example_inputs,
    finish,
    manifest,
    named,
    prepare,
)
from quern.train.word_vectors import WordVectors

_TRIED = (0.2, 0.3, 0.4, 0.5, 0.6)  # after each epoch, for all thresholds alike
_NOTHING = "training needs mentions in both the training and the dev data"


class LinkPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that decides what a training yields, besides the data."""

    settings: LinkSettings = LinkSettings()
    fitting: LinkFitting = LinkFitting()
    schedule: Schedule = Schedule()
    rules: CodecRules = CodecRules()
    about: folder.About = folder.About()


class LinkTraining:
    """A training that can be run, gone on with, and written.

    Attributes:
        names: what is looked up in texts, if anything is.
    """

    task = "links"

    def __init__(
        self,
        train: Sequence[LinkExample],
        dev: Sequence[LinkExample],
        plan: LinkPlan,
        init: Pretrained | None = None,
        base: FindsNames | None = None,
        vectors: WordVectors | None = None,
        shared: Shared | None = None,
    ) -> None:
        """Fit the codec, learn the names, align the labels, build the network.

        Args:
            train: labelled texts.
            dev: labelled texts to choose by.
            plan: settings; with ``names="base"``, ``base`` is needed.
            init: an encoder to start from.
            base: the names of a knowledge base.
            vectors: of words, read beside the units.
            shared: codec and encoder of another network, which began with ``init`` and
                ``vectors``, in place of its own.

        Raises:
            DataError: there is nothing to learn from or to choose by.
            TrainingError: ``init`` is not of the shape that ``plan`` asks for.
        """
        if not (any(e.mentions for e in train) and any(e.mentions for e in dev)):
            raise DataError(_NOTHING)
        settings = plan.settings
        if (settings.names == "base") != (base is not None):
            raise DataError("names=base wants a knowledge base, and a knowledge base names=base")
        self.plan, self.dev, self._base = plan, list(dev), base
        prepare(plan.schedule)
        texts = (example.text for example in train)
        self.codec = shared.codec if shared else codec_of(texts, plan.rules, init, vectors)
        self.names = None if settings.names == "none" else Dictionary.learn(train, base)
        self._payload = None if self.names is None else self.names.payload()
        spans = settings.pairing == "spans"
        self.items = LinkItems(train, self.codec, plan.fitting, spans, self.names)
        self._usual = LinkThresholds(span=LINK_SPAN) if spans else LinkThresholds()
        self.net = MentionNet(settings, self.codec)
        self._vectors, self._init = vectors, init
        if shared:
            self.net.encoder = shared.encoder
        else:
            begin(self.net.encoder, settings, self.codec, init, vectors)

    @cached_property
    def _graph(self) -> ExportedGraph:
        """The graph, exported when dev is first scored."""
        return export_mentions(self.net, self.codec)

    @cached_property
    def trainer(self) -> Trainer:
        """Runs the loop, unless it is another training that moves the weights."""
        return Trainer(self.net, self.items, self.plan.schedule)

    @property
    def problems(self) -> list[Problem]:
        """Labels that were lost, in the order of the lines."""
        return self.items.problems

    @property
    def identity(self) -> dict[str, str | None]:
        """What else than data and plan must be the same to go on from a checkpoint."""
        return {"names": self._names_hash}

    @property
    def notes(self) -> list[str]:
        """What to say of the data before training begins."""
        if self.names is None:
            return ["no names are looked up"]
        whose = "of the knowledge base with a habit" if self.names.based else "of the labels"
        return [f"{len(self.names):,} names {whose}"]

    @property
    def _names_hash(self) -> str | None:
        return None if self._payload is None else folder.fingerprint(self._payload)

    def run(self, checkpoint: Checkpoint | None = None) -> Iterator[Step | Epoch]:
        """Train; see ``Trainer.run``."""
        yield from self.trainer.run(self.scores, checkpoint)

    def write(
        self,
        path: Path,
        *,
        data: str | None,
        overwrite: bool = False,
        trained: Trained | None = None,
    ) -> dict[str, Any]:
        """Tune thresholds, write the folder, calibrate it, and measure it as users will run it.

        Args:
            path: the folder to write.
            data: SHA-256 of the training file, None where it was no file.
            overwrite: replace a model folder that is there.
            trained: what another training made of this network, in place of its own.

        Returns:
            What was measured, as it stands in ``metrics.json``.
        """
        weights, epochs = trained or self.trainer.trained
        arrays = named(weights)
        tuned, _ = tune_mentions(self._model(weights, self._usual), self.dev)
        with folder.writing(path, overwrite=overwrite) as temporary:
            self.codec.save(temporary / folder.CODEC)
            (temporary / "mentions.onnx").write_bytes(self._graph.refill(arrays))
            save_file(arrays | named(dict(self.net.named_buffers())), temporary / folder.WEIGHTS)
            if self._payload is not None:
                (temporary / folder.NAMES).write_bytes(self._payload)
            folder.write_json(temporary / folder.MANIFEST, self._manifest(tuned, data))
            written = load_links(temporary, kb=self._base)
            metrics = {
                "dev": score_mentions(written, self.dev).figures(),
                "dev_texts": len(self.dev),
                "calibration": calibrate_mentions(temporary, written, self.dev),
                "epochs": epochs,
            }
            finish(temporary, path.name, metrics)
        return metrics

    def _manifest(self, tuned: LinkThresholds, data: str | None) -> folder.Manifest:
        return msgspec.structs.replace(
            manifest(self.task, self.plan, self.codec, self._init, self._vectors),
            thresholds=msgspec.to_builtins(tuned),
            reading=self.items.reading,
            names=self._names_hash,
            data=data,
        )

    def scores(self, weights: Weights) -> dict[str, float]:
        """What some weights score on dev, thresholds tuned a little."""
        # Early on all probabilities are low; fixed thresholds would call every epoch alike.
        spans = self._usual.span is not msgspec.UNSET
        tried = [LinkThresholds(t, t, t if spans else msgspec.UNSET) for t in _TRIED]
        best, counts = tune_mentions(self._model(weights, self._usual), self.dev, tried)
        return counts[best].figures()

    def _model(self, weights: Weights, thresholds: LinkThresholds) -> MentionModel:
        graph = Graph(self._graph.refill(named(weights)), self.plan.schedule.threads)
        return MentionModel(self.codec, graph, thresholds, self.names, self.items.reading)


def export_mentions(net: MentionNet, codec: TextCodec) -> ExportedGraph:
    """Trace the graph on a small made-up batch and check it against torch."""
    inputs = example_inputs(codec)
    if net.head.names is not None:
        marks = torch.randint(0, 2, (3, 16, FEATURES), generator=torch.Generator().manual_seed(0))
        inputs["names"] = marks.float()
    axes = {key: {0: "batch", 1: "length"} for key in inputs}
    outputs = ["mentions"] if net.spans is None else ["mentions", "spans"]
    graph = export(MentionGraph(net), inputs, outputs, axes, codec.fingerprint)
    weights = named({name: p.detach() for name, p in net.named_parameters()})
    parity(MentionGraph(net), Graph(graph.refill(weights)), inputs)
    return graph
