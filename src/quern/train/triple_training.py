"""One training of a triple model: prepare, run, write the folder, measure it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors.numpy import save_file

from quern import evaluation, folder
from quern.alignment import Label, Problem
from quern.errors import DataError
from quern.priors import Priors
from quern.records import LabelledTriple, TripleExample
from quern.runtime import Graph
from quern.tasks import load
from quern.text import CodecRules, TextCodec
from quern.train.checkpoint import Checkpoint
from quern.train.encoders import Pretrained
from quern.train.export import ExportedGraph, export, parity
from quern.train.loop import Epoch, Schedule, Step, Trainer, Weights
from quern.train.training import (
    begin,
    codec_of,
    example_inputs,
    finish,
    manifest,
    named,
    prepare,
)
from quern.train.triple_items import TripleItems
from quern.train.triples import EncoderGraph, ObjectGraph, TripleNet
from quern.train.word_vectors import WordVectors
from quern.triples import SPAN, Thresholds, TripleFitting, TripleModel, TripleSettings

_TRIED = [Thresholds(t, t, t, t) for t in (0.2, 0.3, 0.4, 0.5)]
_TRIED_SPANS = [msgspec.structs.replace(t, span=t.object_start) for t in _TRIED]
_NOTHING = "training needs triples in both the training and the dev data"
_ENCODED = ("subjects", "hidden", "context", "entities", "relations", "mask")


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that decides what a training yields, besides the data."""

    settings: TripleSettings = TripleSettings()
    fitting: TripleFitting = TripleFitting()
    schedule: Schedule = Schedule()
    rules: CodecRules = CodecRules()
    about: folder.About = folder.About()


class TripleTraining:
    """A training that can be run, gone on with, and written.

    Attributes:
        problems: labels that do not fit, or are placed by guess.
        priors: the triples that the model will know, if it is to know any.
        known: their SHA-256.
    """

    def __init__(
        self,
        train: Sequence[TripleExample] | TripleItems,
        dev: Sequence[TripleExample],
        plan: Plan,
        init: Pretrained | None = None,
        known: Sequence[TripleExample] = (),
        vectors: WordVectors | None = None,
        facts: Sequence[LabelledTriple] = (),
    ) -> None:
        """Fit the codec, align the labels, build the network and its graphs.

        Args:
            train: labelled texts, or items that are ready, with codec and labels.
            dev: labelled texts to choose by.
            plan: settings.
            init: an encoder to start from.
            known: texts whose units and labels the model should know, those of ``train`` by
                default; models that are to be averaged need the same.
            vectors: of words, read beside the units.
            facts: triples known from elsewhere, for a network with priors.

        Raises:
            DataError: there is nothing to learn from or to choose by.
            TrainingError: ``init`` is not of the shape that ``plan`` asks for.
        """
        if not any(e.triples for e in dev):
            raise DataError(_NOTHING)
        self.plan, self.dev, self._facts = plan, list(dev), list(facts)
        prepare(plan.schedule)
        if isinstance(train, TripleItems):
            self.items = train
        else:
            codec = codec_of((e.text for e in known or train), plan.rules, init, vectors)
            self.items = _items(train, plan, codec, known or train, facts)
        self.codec, self.labels = self.items.codec, list(self.items.labels)
        spans = plan.settings.pairing == "spans"
        self._usual = Thresholds(span=SPAN) if spans else Thresholds()
        self.priors = self.items.priors
        payload = None if self.priors is None else self.priors.payload()
        self.known = None if payload is None else folder.fingerprint(payload)
        self.net = TripleNet(plan.settings, self.codec, len(self.labels), len(self.items.types))
        self._vectors, self._init = vectors, init
        begin(self.net.encoder, plan.settings, self.codec, init, vectors)
        self.trainer = Trainer(self.net, self.items, plan.schedule)
        self._graphs = export_graphs(self.net, self.codec)

    task = "triples"

    @property
    def identity(self) -> dict[str, str | None]:
        """What else than data and plan must be the same to go on from a checkpoint."""
        return {"priors": self.known}

    @property
    def notes(self) -> list[str]:
        """What to say of the data before training begins."""
        notes = [f"{len(self.labels)} labels"]
        if self.priors is not None:
            notes.append(f"{len(self.priors):,} known triples{self._left_out()}")
        return notes

    def _left_out(self) -> str:
        """What to say of facts that no label can make use of."""
        predicates = {label.predicate for label in self.labels}
        count = sum(fact.predicate not in predicates for fact in self._facts)
        return f"; {count:,} facts have a predicate that no label has" if count else ""

    @property
    def problems(self) -> list[Problem]:
        """Labels that were lost or guessed, in the order of the lines."""
        return self.items.problems

    def run(self, checkpoint: Checkpoint | None = None) -> Iterator[Step | Epoch]:
        """Train; see ``Trainer.run``."""
        yield from self.trainer.run(self._dev_scores, checkpoint)

    def write(
        self,
        path: Path,
        *,
        data: str | None,
        taught: folder.Taught | None = None,
        beside: Mapping[str, Any] | None = None,
        overwrite: bool = False,
    ) -> dict[str, Any]:
        """Tune thresholds, write the folder, calibrate it, and measure it as users will run it.

        Args:
            path: the folder to write.
            data: SHA-256 of the training file, None where the data was no file.
            taught: by whom, where the network learned from another's outputs.
            beside: figures of other models on dev, by name.
            overwrite: replace a model folder that is there.

        Returns:
            What was measured, as it stands in ``metrics.json``.
        """
        arrays = named(self.trainer.best)
        tuned, _ = evaluation.tune(self._model(self.trainer.best, self._usual), self.dev)
        with folder.writing(path, overwrite=overwrite) as temporary:
            self.codec.save(temporary / folder.CODEC)
            for name, graph in zip(("encoder", "objects"), self._graphs, strict=True):
                (temporary / f"{name}.onnx").write_bytes(graph.refill(arrays))
            save_file(arrays | named(dict(self.net.named_buffers())), temporary / folder.WEIGHTS)
            if self.priors is not None:
                (temporary / folder.PRIORS).write_bytes(self.priors.payload())
            folder.write_json(temporary / folder.MANIFEST, self._manifest(tuned, data, taught))
            metrics = {
                "dev": evaluation.score(load(temporary), self.dev).figures(),
                **(beside or {}),
                "dev_texts": len(self.dev),
                "calibration": evaluation.calibrate(temporary, self.dev),
                "epochs": self.trainer.state.history,
            }
            finish(temporary, path.name, metrics)
        return metrics

    def _manifest(
        self, tuned: Thresholds, data: str | None, taught: folder.Taught | None
    ) -> folder.Manifest:
        return msgspec.structs.replace(
            manifest(self.task, self.plan, self.codec, self._init, self._vectors),
            labels=msgspec.to_builtins(self.labels),
            thresholds=msgspec.to_builtins(tuned),
            reading=self.items.reading,
            priors=self.known,
            data=data,
            taught=taught,
        )

    def _dev_scores(self, weights: Weights) -> dict[str, float]:
        # Early on all probabilities are low; fixed thresholds would call every epoch alike.
        model = self._model(weights, self._usual)
        tried = _TRIED if self.net.spans is None else _TRIED_SPANS
        best, counts = evaluation.tune(model, self.dev, tried)
        return counts[best].figures()

    def _model(self, weights: Weights, thresholds: Thresholds) -> TripleModel:
        arrays, threads = named(weights), self.plan.schedule.threads
        encoder, objects = (Graph(graph.refill(arrays), threads) for graph in self._graphs)
        return TripleModel(
            self.codec,
            self.labels,
            encoder,
            objects,
            thresholds,
            self.items.reading,
            priors=self.priors,
        )


def _items(
    train: Sequence[TripleExample],
    plan: Plan,
    codec: TextCodec,
    known: Sequence[TripleExample],
    facts: Sequence[LabelledTriple],
) -> TripleItems:
    """The items of ``train``, with the labels of ``known``."""
    if not any(e.triples for e in train):
        raise DataError(_NOTHING)
    found = {Label.of(t) for e in known for t in e.triples}
    labels = sorted(found, key=lambda label: label.sort_key)
    spans = plan.settings.pairing == "spans"
    priors = Priors.learn(train, labels, facts) if plan.settings.priors else None
    return TripleItems(train, codec, labels, plan.fitting, spans, priors)


def export_graphs(net: TripleNet, codec: TextCodec) -> tuple[ExportedGraph, ExportedGraph]:
    """Trace both graphs on a small made-up batch and check them against torch."""
    units = example_inputs(codec)
    if (trust := net.objects.trust) is not None:
        units["known"] = _example_marks(3, 16, 2)
    with torch.no_grad():
        encoded = EncoderGraph(net.eval())(units)
    # The spans that some networks tell come last and are not for the object step.
    subjects = dict(zip(_ENCODED[1:], encoded[1:], strict=False)) | {
        "row": torch.tensor([0, 0, 1, 2, 2]),
        "start": torch.tensor([0, 3, 2, 1, 5]),
        "end": torch.tensor([4, 3, 8, 2, 15]),
    }
    if trust is not None:
        subjects["known_objects"] = _example_marks(5, 16, *trust.shape)
    text = {0: "batch", 1: "length"}
    axes = dict.fromkeys((*units, "hidden", "context", "entities", "mask"), text)
    axes |= {"relations": {0: "batch"}}
    axes |= {name: {0: "subjects"} for name in ("row", "start", "end")}
    axes |= {"known_objects": {0: "subjects", 1: "length"}}
    outputs = _ENCODED if net.spans is None else (*_ENCODED, "spans")
    encoder = export(EncoderGraph(net), units, outputs, axes, codec.fingerprint)
    objects = export(ObjectGraph(net), subjects, ["objects"], axes, codec.fingerprint)
    weights = named({name: p.detach() for name, p in net.named_parameters()})
    parity(EncoderGraph(net), Graph(encoder.refill(weights)), units)
    parity(ObjectGraph(net), Graph(objects.refill(weights)), subjects)
    return encoder, objects


def _example_marks(*size: int) -> torch.Tensor:
    return torch.randint(0, 2, size, generator=torch.Generator().manual_seed(0)).float()
