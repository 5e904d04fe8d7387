"""One training of a sentence model: prepare, run, write the folder, measure it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from quern import folder
from quern.alignment import Problem
from quern.errors import DataError
from quern.evaluation.retrieval import retrieval_figures
from quern.records import SentenceExample
from quern.runtime import Graph
from quern.sentences import SentenceFitting, SentenceModel, SentenceSettings
from quern.tasks import load_sentences
from quern.text import CodecRules
from quern.train.checkpoint import Checkpoint
from quern.train.embedding import EmbeddingNet
from quern.train.embedding_training import begin_embedding, embedded, export_embedding
from quern.train.encoders import Pretrained
from quern.train.loop import Epoch, Schedule, Step, Trainer, Weights, hash_seed
from quern.train.sentence_items import SentenceItems
from quern.train.training import (
    codec_of,
    finish,
    manifest,
    named,
    prepare,
)
from quern.train.word_vectors import WordVectors

SCHEDULE = Schedule(epochs=12, fine_epochs=3, patience=3, batch_size=256, rate=2e-3, average=0.999)


class SentencePlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that decides what a training yields, besides the data."""

    settings: SentenceSettings = SentenceSettings()
    fitting: SentenceFitting = SentenceFitting()
    schedule: Schedule = SCHEDULE
    rules: CodecRules = CodecRules()
    about: folder.About = folder.About()


class SentenceTraining:
    """A training that can be run, gone on with, and written."""

    task = "sentences"

    def __init__(
        self,
        train: Sequence[SentenceExample],
        dev: Sequence[SentenceExample],
        plan: SentencePlan,
        init: Pretrained | None = None,
        vectors: WordVectors | None = None,
    ) -> None:
        """Fit the codec, number the groups, build the network and its graph.

        Args:
            train: sentences with their groups.
            dev: sentences to choose by, ranked among themselves.
            plan: settings.
            init: an encoder to start from.
            vectors: of words, read beside the units.

        Raises:
            DataError: there is nothing to learn from or to choose by, or the network has no
                encoder that could start from ``init`` or read ``vectors``.
            TrainingError: ``init`` is not of the shape that ``plan`` asks for.
        """
        _refuse(dev)
        self.plan, self.dev = plan, list(dev)
        prepare(plan.schedule)
        self.codec = codec_of((e.text for e in train), plan.rules, init, vectors)
        self.items = SentenceItems(
            train, self.codec, plan.settings, plan.fitting, hash_seed([plan.schedule.seed])
        )
        if len(self.items.names) < 2:
            raise DataError("training needs sentences of two groups at least")
        self.net = EmbeddingNet(plan.settings, self.codec)
        self._init, self._vectors = init, vectors
        begin_embedding(self.net, plan.settings, self.codec, init, vectors)
        self.items.embed = self._embed
        self.trainer = Trainer(self.net, self.items, plan.schedule, self.items.tables)
        self._graph = export_embedding(self.net, plan.settings, self.codec)

    @property
    def problems(self) -> list[Problem]:
        """None: a long sentence is learned in windows, each of its group."""
        return []

    @property
    def identity(self) -> dict[str, str | None]:
        """Nothing but data and plan."""
        return {}

    @property
    def notes(self) -> list[str]:
        """What to say of the data before training begins."""
        sizes, empty = np.bincount(self.items.groups), self.items.empty
        alone = int((sizes == 1).sum())
        said = f"{len(sizes):,} groups of {sizes.min():,} to {sizes.max():,} windows"
        told = [said + (f", {alone:,} of a single one" if alone else "")]
        if empty:
            lines = ", ".join(map(str, empty[:5]))
            told.append(f"{len(empty):,} sentences without a unit left out, lines {lines} …")
        return told

    def run(self, checkpoint: Checkpoint | None = None) -> Iterator[Step | Epoch]:
        """Train; see ``Trainer.run``."""
        yield from self.trainer.run(self._dev_scores, checkpoint)

    def write(self, path: Path, *, data: str | None, overwrite: bool = False) -> dict[str, Any]:
        """Write the folder and measure it as users will run it.

        Args:
            path: the folder to write.
            data: SHA-256 of the training file, None where it was no file.
            overwrite: replace a model folder that is there.

        Returns:
            What was measured, as it stands in ``metrics.json``.
        """
        arrays = named(self.trainer.best)
        with folder.writing(path, overwrite=overwrite) as temporary:
            self.codec.save(temporary / folder.CODEC)
            (temporary / "encode.onnx").write_bytes(self._graph.refill(arrays))
            save_file(arrays | named(dict(self.net.named_buffers())), temporary / folder.WEIGHTS)
            about = manifest(self.task, self.plan, self.codec, self._init, self._vectors)
            about = msgspec.structs.replace(about, data=data)
            folder.write_json(temporary / folder.MANIFEST, about)
            metrics = {
                "dev": retrieval_figures(load_sentences(temporary), self.dev),
                "dev_texts": len(self.dev),
                "groups": len(self.items.names),
                "epochs": self.trainer.state.history,
            }
            finish(temporary, path.name, metrics)
        return metrics

    def _dev_scores(self, weights: Weights) -> dict[str, float]:
        graph = Graph(self._graph.refill(named(weights)), self.plan.schedule.threads)
        return retrieval_figures(SentenceModel(self.codec, graph, self.plan.settings), self.dev)

    def _embed(self, items: Sequence[int]) -> NDArray[np.float32]:
        """Vectors of some items by the weights as they stand."""
        held = [self.items.items[i] for i in items]
        parts = [(item.encoding, item.window) for item in held]
        return embedded(self.net, self.plan.settings, self.codec, parts)


def _refuse(dev: Sequence[SentenceExample]) -> None:
    held = [example.group for example in dev]
    if len(set(held)) < 2 or len(set(held)) == len(held):
        raise DataError(
            "choosing needs dev sentences of two groups at least, and a group with two of them"
        )
