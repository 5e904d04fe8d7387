"""One training of a choosing model: prepare, run, write the folder, measure it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from safetensors.numpy import save_file

from quern import folder
from quern.alignment import Problem, standing
from quern.errors import DataError
from quern.evaluation.calibrating import Fitted
from quern.evaluation.given import choice_figures, tune_entities
from quern.kb import KnowledgeBase
from quern.links import (
    Background,
    CandidateSettings,
    EntityFitting,
    EntityModel,
    EntitySettings,
    Options,
)
from quern.links.choosing import decide
from quern.links.described import described
from quern.ranks import RankModel
from quern.records import LinkExample, ids_of
from quern.runtime import Graph
from quern.tasks import MEANING, load_entities, load_ranks
from quern.text import CodecRules
from quern.train.checkpoint import Checkpoint
from quern.train.encoders import Pretrained
from quern.train.entities import EncodeGraph, EntityNet, MatchGraph
from quern.train.entity_items import EntityItems
from quern.train.export import ExportedGraph, export, parity
from quern.train.linear import fit_linear
from quern.train.loop import Epoch, Schedule, Step, Trained, Trainer, Weights
from quern.train.training import begin, codec_of, example_inputs, finish, manifest, named, prepare
from quern.train.word_vectors import WordVectors

_TRIED = (0.3, 0.5, 0.7, 1.0)  # thresholds of NIL, after each epoch
_NOTHING = "training needs mentions in both the training and the dev data"


class EntityPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that decides what a training yields, besides data and knowledge base."""

    settings: EntitySettings = EntitySettings()
    fitting: EntityFitting = EntityFitting()
    candidates: CandidateSettings = CandidateSettings()
    schedule: Schedule = Schedule(batch_size=16)
    rules: CodecRules = CodecRules()
    about: folder.About = folder.About()


class EntityTraining:
    """A training that can be run, gone on with, and written.

    Attributes:
        background: what is known before the network reads.
    """

    task = "links"

    def __init__(
        self,
        train: Sequence[LinkExample],
        dev: Sequence[LinkExample],
        plan: EntityPlan,
        kb: KnowledgeBase,
        init: Pretrained | None = None,
        vectors: WordVectors | None = None,
        meaning: Path | None = None,
    ) -> None:
        """Look candidates up, fit the codec, build the network and its graphs.

        Args:
            train: labelled texts.
            dev: labelled texts to choose by.
            plan: settings.
            kb: the knowledge base.
            init: an encoder to start from.
            vectors: of words, read beside the units.
            meaning: the folder of a rank model of the base, to find candidates by meaning.

        Raises:
            DataError: there is nothing to learn from or to choose by, or the rank model knows
                none of the base's entities.
            FolderError: the rank model cannot be read.
            TrainingError: ``init`` is not of the shape that ``plan`` asks for.
            StoreError: the knowledge base cannot be read.
        """
        if not (any(e.mentions for e in train) and any(e.mentions for e in dev)):
            raise DataError(_NOTHING)
        self.plan, self.kb, self._init, self._vectors = plan, kb, init, vectors
        self.dev = [standing(example) for example in dev]
        prepare(plan.schedule)
        self._meaning = meaning
        near = None if meaning is None else _near(meaning, kb)
        self.background = Background.learn(plan.candidates, train, kb, near)
        self._proposer = self.background.candidates(kb)
        options = self._options([standing(example) for example in train], own=True)
        self._dev_options = self._options(self.dev, own=False)
        self.codec = codec_of(_texts(train, options), plan.rules, init, vectors)
        self.items = EntityItems(train, options, self.codec, plan.settings, plan.fitting)
        if not self.items.items:
            raise DataError(
                f"{kb.path}: has no candidate for any labelled mention; is it the right base?"
            )
        self.net = EntityNet(plan.settings, self.codec)
        begin(self.net.encoder, plan.settings, self.codec, init, vectors)
        if plan.fitting.frozen and init is not None and vectors is None:
            self.net.freeze()
        questions = self.items.questions
        fit_linear(self.net.matcher, [(q.scalars, q.right) for q in questions])

    @cached_property
    def trainer(self) -> Trainer:
        """Runs the loop, unless it is another training that moves the weights."""
        return Trainer(self.net, self.items, self.plan.schedule)

    @cached_property
    def _graphs(self) -> tuple[ExportedGraph, ExportedGraph]:
        """Both graphs, exported when dev is first scored."""
        return export_entities(self.net, self.codec)

    def _options(self, examples: Sequence[LinkExample], *, own: bool) -> list[list[Options]]:
        """What the mentions of some texts may mean."""
        texts = [example.text for example in examples]
        places = [[mention.place for mention in example.mentions] for example in examples]
        return self.background.options(self._proposer, texts, places, examples if own else None)

    @property
    def problems(self) -> list[Problem]:
        """Labels that were lost, in the order of the lines."""
        return self.items.problems

    @property
    def identity(self) -> dict[str, str | None]:
        """What else than data and plan must be the same to go on from a checkpoint."""
        read = [each.encoding.text for each in self.items.descriptions.read]
        return {"candidates": folder.fingerprint("\0".join(read).encode())}

    @property
    def notes(self) -> list[str]:
        """What to say of the data before training begins."""
        questions = self.items.questions
        right = sum(question.right is not None for question in questions)
        read = self.items.descriptions.read
        longer = sum(not each.whole for each in read)
        narrowed = self._proposer.narrowed
        said = [f"prior_share leaves out candidates of {narrowed:,} names of mentions"]
        return [
            *(said if narrowed else []),
            f"{len(questions):,} mentions with candidates, of which {right:,} have the right one "
            "among them",
            f"{len(read):,} entities are read, {longer:,} of them no further than "
            f"{self.plan.settings.described} units",
        ]

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
        """Tune the threshold, write the folder, and measure it as users will run it.

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
        best = self._model(weights)
        threshold, fitted = tune_entities(best, self.kb, self.dev, self._dev_options)
        with folder.writing(path, overwrite=overwrite) as temporary:
            self.codec.save(temporary / folder.CODEC)
            for name, graph in zip(("encode", "match"), self._graphs, strict=True):
                (temporary / f"{name}.onnx").write_bytes(graph.refill(arrays))
            save_file(arrays | named(dict(self.net.named_buffers())), temporary / folder.WEIGHTS)
            parts = self.background.payloads()
            for name, content in parts.items():
                (temporary / name).write_bytes(content)
            hashes = {name: folder.fingerprint(content) for name, content in parts.items()}
            if self._meaning is not None:
                hashes |= folder.embed(self._meaning, temporary, MEANING)
            written = self._manifest(threshold, fitted, data, hashes)
            folder.write_json(temporary / folder.MANIFEST, written)
            model = load_entities(temporary)
            model.identity = None  # what is only measured leaves nothing in the base
            metrics = {
                "dev": choice_figures(model, self.kb, self.dev),
                "dev_texts": len(self.dev),
                "calibration": fitted.row(),
                "epochs": epochs,
            }
            finish(temporary, path.name, metrics)
        return metrics

    def _manifest(
        self, threshold: float, fitted: Fitted, data: str | None, parts: dict[str, str]
    ) -> folder.Manifest:
        plan = self.plan
        settings = {**msgspec.to_builtins(plan.settings), **msgspec.to_builtins(plan.candidates)}
        return msgspec.structs.replace(
            manifest("entities", plan, self.codec, self._init, self._vectors),
            settings=settings,
            thresholds={"nil": threshold},
            calibration=fitted.scaling,
            parts=parts,
            data=data,
        )

    def scores(self, weights: Weights) -> dict[str, float]:
        """What some weights score on dev, the best of a few thresholds taken."""
        texts = [example.text for example in self.dev]
        places = [[mention.place for mention in example.mentions] for example in self.dev]
        weighed = self._model(weights).weigh(texts, places, self.kb, self._dev_options)
        pairs = [
            (ids_of(mention.kb_id), choices)
            for example, of_text in zip(self.dev, weighed, strict=True)
            for mention, choices in zip(example.mentions, of_text, strict=True)
        ]
        right = [sum(ids_of(decide(c, t)[0]) == wanted for wanted, c in pairs) for t in _TRIED]
        return {"accuracy": max(right) / len(pairs)}

    def _model(self, weights: Weights) -> EntityModel:
        arrays, threads = named(weights), self.plan.schedule.threads
        encode, match = (Graph(graph.refill(arrays), threads) for graph in self._graphs)
        return EntityModel(self.codec, encode, match, self.plan.settings, self.background)


def _near(path: Path, kb: KnowledgeBase) -> RankModel:
    """A rank model that knows entities of a base."""
    model = load_ranks(path)
    if not kb.entities(model.ids):
        raise DataError(
            f"{path}: its items are no entities of {kb.path}; train one with: "
            f"quern train ranks --kb {kb.path}"
        )
    return model


def _texts(examples: Sequence[LinkExample], options: Sequence[Sequence[Options]]) -> Iterator[str]:
    """Training texts, and the descriptions of their candidates, each once."""
    yield from (example.text for example in examples)
    entities = {
        proposal.entity.id: proposal.entity
        for of_text in options
        for option in of_text
        for proposal in option.proposals
    }
    yield from map(described, entities.values())


def export_entities(net: EntityNet, codec: Any) -> tuple[ExportedGraph, ExportedGraph]:
    """Trace both graphs on small made-up batches and check them against torch."""
    texts, pairs = example_inputs(codec), _example_pairs(net)
    axes = {name: {0: "batch", 1: "length"} for name in texts}
    encode = export(EncodeGraph(net), texts, ["states"], axes, codec.fingerprint)
    text = {0: "pairs", 1: "length"}
    axes = dict.fromkeys(("text", "place", "text_keys", "objects"), text)
    entity = {0: "pairs", 1: "units"}
    axes |= dict.fromkeys(("described", "part", "described_keys"), entity)
    axes |= {"scalars": {0: "pairs"}}
    match = export(MatchGraph(net), pairs, ["logits"], axes, codec.fingerprint)
    weights = named({name: p.detach() for name, p in net.named_parameters()})
    parity(EncodeGraph(net), Graph(encode.refill(weights)), texts)
    parity(MatchGraph(net), Graph(match.refill(weights)), pairs)
    return encode, match


def _example_pairs(net: EntityNet) -> dict[str, torch.Tensor]:
    """Three pairs, of 16 units and 24."""
    rng, width = np.random.default_rng(0), net.matcher.width
    arrays = {
        "text": rng.uniform(-1, 1, (3, 16, width)).astype(np.float32),
        "described": rng.uniform(-1, 1, (3, 24, width)).astype(np.float32),
        "place": np.repeat([[1] * 5 + [2] * 3 + [3] * 6 + [0] * 2], 3, axis=0).astype(np.int32),
        "part": np.repeat([[1] * 4 + [2] * 18 + [0] * 2], 3, axis=0).astype(np.int32),
        "text_keys": rng.integers(1, 9, (3, 16), dtype=np.int32),
        "described_keys": rng.integers(1, 9, (3, 24), dtype=np.int32),
        "objects": rng.integers(0, 2, (3, 16)).astype(np.float32),
        "scalars": rng.uniform(-1, 1, (3, net.matcher.scalars.weight.shape[0])).astype(np.float32),
    }
    return {name: torch.from_numpy(array) for name, array in arrays.items()}
