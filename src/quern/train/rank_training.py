"""One training of a rank model: prepare, run, write the folder, measure it."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from quern import folder
from quern.alignment import Problem
from quern.embedding import Embedder
from quern.errors import DataError
from quern.evaluation.ranking import ranking_figures
from quern.ranks import RankFitting, RankModel, RankSettings
from quern.records import Item, RankExample
from quern.runtime import Graph
from quern.tasks import RANK_IDS, RANK_ROWS, RANK_VECTORS, load_ranks
from quern.text import CodecRules
from quern.train.checkpoint import Checkpoint
from quern.train.embedding import EmbeddingNet
from quern.train.embedding_training import Part, begin_embedding, embedded, export_embedding
from quern.train.encoders import Pretrained
from quern.train.loop import Epoch, Schedule, Step, Trainer, Weights, hash_seed
from quern.train.rank_items import RankItems
from quern.train.training import codec_of, finish, manifest, named, prepare
from quern.train.word_vectors import WordVectors

SCHEDULE = Schedule(epochs=12, fine_epochs=3, patience=3, batch_size=64, rate=2e-3, average=0.999)


class RankPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that decides what a training yields, besides the data."""

    settings: RankSettings = RankSettings()
    fitting: RankFitting = RankFitting()
    schedule: Schedule = SCHEDULE
    rules: CodecRules = CodecRules()
    about: folder.About = folder.About()


class RankTraining:
    """A training that can be run, gone on with, and written."""

    task = "ranks"

    def __init__(
        self,
        train: Sequence[RankExample],
        dev: Sequence[RankExample],
        catalogue: Sequence[Item],
        plan: RankPlan,
        init: Pretrained | None = None,
        vectors: WordVectors | None = None,
    ) -> None:
        """Fit the codec, number the items, build the network and its graph.

        Args:
            train: texts with their items.
            dev: texts to choose by, ranked against the whole catalogue.
            catalogue: all items.
            plan: settings.
            init: an encoder to start from.
            vectors: of words, read beside the units.

        Raises:
            DataError: there is nothing to learn from or to choose by; or vectors of items are to
                be made of texts, and no item has one; or the network has no encoder that could
                start from ``init`` or read ``vectors``.
            TrainingError: ``init`` is not of the shape that ``plan`` asks for.
        """
        self.plan, self.dev = plan, list(dev)
        prepare(plan.schedule)
        read = chain((e.text for e in train), (item.text for item in catalogue))
        self.codec = codec_of(list(read), plan.rules, init, vectors)
        self.items = RankItems(
            train,
            catalogue,
            self.codec,
            plan.settings,
            plan.fitting,
            hash_seed([plan.schedule.seed]),
        )
        self._refuse(catalogue)
        self.net = EmbeddingNet(plan.settings, self.codec)
        self._init, self._vectors = init, vectors
        begin_embedding(self.net, plan.settings, self.codec, init, vectors)
        self.items.embed = self._embed
        self.trainer = Trainer(self.net, self.items, plan.schedule, self.items.tables)
        self._graph = export_embedding(self.net, plan.settings, self.codec)

    def _refuse(self, catalogue: Sequence[Item]) -> None:
        known = {item.id for item in catalogue}
        if len(known) < 2:
            raise DataError("training needs a catalogue of two items at least")
        if not (self.items.items and any(known.intersection(e.items) for e in self.dev)):
            raise DataError(
                "training needs texts with items of the catalogue, to learn from and to choose by"
            )
        if self.plan.settings.items != "free" and not any(item.text for item in catalogue):
            raise DataError(
                f"items={self.plan.settings.items} makes vectors of the items' texts, and no item "
                "has one; give texts, or take --set items=free"
            )

    @property
    def problems(self) -> list[Problem]:
        """Labels that were lost, in the order of the lines."""
        return self.items.problems

    @property
    def identity(self) -> dict[str, str | None]:
        """What else than data and plan must be the same to go on from a checkpoint."""
        told = [[item.id, item.text, item.popularity] for item in self.items.catalogue]
        return {"catalogue": folder.fingerprint(msgspec.json.encode(told))}

    @property
    def notes(self) -> list[str]:
        """What to say of the data before training begins."""
        named_ = {number for item in self.items.items for number in item.items}
        bare = sum(not item.text for item in self.items.catalogue)
        count = len(self.items.catalogue)
        said = f"{count:,} items, {count - len(named_):,} of them named by no text"
        return [said + (f", {bare:,} without a text" if bare else "")]

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
        self.trainer.use_best()  # so that the vectors of items are made by them
        ids = msgspec.json.encode([item.id for item in self.items.catalogue])
        parts = {RANK_VECTORS: _content(self.items.vectors()), RANK_IDS: ids}
        if self.plan.settings.items == "both":
            parts[RANK_ROWS] = _content(self.items.rows())
        with folder.writing(path, overwrite=overwrite) as temporary:
            self.codec.save(temporary / folder.CODEC)
            (temporary / "encode.onnx").write_bytes(self._graph.refill(arrays))
            save_file(arrays | named(dict(self.net.named_buffers())), temporary / folder.WEIGHTS)
            for name, part in parts.items():
                (temporary / name).write_bytes(part)
            about = manifest(self.task, self.plan, self.codec, self._init, self._vectors)
            hashes = {name: folder.fingerprint(part) for name, part in parts.items()}
            about = msgspec.structs.replace(about, data=data, parts=hashes)
            folder.write_json(temporary / folder.MANIFEST, about)
            metrics = {
                "dev": ranking_figures(load_ranks(temporary), self.dev),
                "dev_texts": len(self.dev),
                "items": len(self.items.catalogue),
                "epochs": self.trainer.state.history,
            }
            finish(temporary, path.name, metrics)
        return metrics

    def _dev_scores(self, weights: Weights) -> dict[str, float]:
        graph = Graph(self._graph.refill(named(weights)), self.plan.schedule.threads)
        embedder = Embedder(self.codec, graph, self.plan.settings)
        with self.trainer.using(weights):
            vectors = self.items.vectors()
        ids = [item.id for item in self.items.catalogue]
        return ranking_figures(
            RankModel(embedder, ids, vectors, self.plan.settings.items), self.dev
        )

    def _embed(self, parts: Sequence[Part]) -> NDArray[np.float32]:
        """Vectors of windows by the weights as they stand."""
        return embedded(self.net, self.plan.settings, self.codec, parts)


def _content(table: NDArray[np.float32]) -> bytes:
    """What a file of a table holds."""
    stream = io.BytesIO()
    np.save(stream, table, allow_pickle=False)
    return stream.getvalue()
