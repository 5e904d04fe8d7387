"""One training of both models of links, which share an encoder while they learn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import harmonic_mean
from typing import Any

import msgspec

from quern import folder
from quern.alignment import Problem
from quern.kb import KnowledgeBase
from quern.links import (
    CandidateSettings,
    EntityFitting,
    EntitySettings,
    LinkFitting,
    LinkSettings,
)
from quern.records import LinkExample
from quern.text import CodecRules
from quern.train.checkpoint import Checkpoint
from quern.train.encoders import EncoderSettings, Pretrained
from quern.train.entity_training import EntityPlan, EntityTraining
from quern.train.link_training import LinkPlan, LinkTraining
from quern.train.linker import LinkerItems, LinkerNet
from quern.train.loop import Epoch, Schedule, Step, Trained, Trainer, Weights
from quern.train.training import Shared
from quern.train.word_vectors import WordVectors

MENTIONS, ENTITIES = "mentions", "entities"  # the folders that are written


class LinkerPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that decides what a training yields, besides data and knowledge base."""

    mentions: LinkSettings = LinkSettings()
    finding: LinkFitting = LinkFitting()
    entities: EntitySettings = EntitySettings()
    choosing: EntityFitting = EntityFitting(frozen=False)
    candidates: CandidateSettings = CandidateSettings()
    schedule: Schedule = Schedule(batch_size=16)
    rules: CodecRules = CodecRules()
    about: folder.About = folder.About()

    def __post_init__(self) -> None:
        if EncoderSettings.of(self.mentions) != EncoderSettings.of(self.entities):
            raise ValueError("mentions and entities share an encoder; give both the same of it")
        if self.choosing.frozen:
            raise ValueError(
                "frozen must be false, since mentions teach the encoder; "
                "quern train entities leaves one as it is"
            )

    def of_mentions(self) -> LinkPlan:
        """The plan of a model of mentions by itself."""
        return LinkPlan(
            settings=self.mentions,
            fitting=self.finding,
            schedule=self.schedule,
            rules=self.rules,
            about=self.about,
        )

    def of_entities(self) -> EntityPlan:
        """The plan of a model of choices by itself."""
        return EntityPlan(
            settings=self.entities,
            fitting=self.choosing,
            candidates=self.candidates,
            schedule=self.schedule,
            rules=self.rules,
            about=self.about,
        )


class LinkerTraining:
    """A training that can be run, gone on with, and written: two networks, one encoder.

    Attributes:
        entities: the network that chooses, which makes codec and encoder.
        mentions: the network that finds mentions.
    """

    task = "links"

    def __init__(
        self,
        train: Sequence[LinkExample],
        dev: Sequence[LinkExample],
        plan: LinkerPlan,
        kb: KnowledgeBase,
        init: Pretrained | None = None,
        vectors: WordVectors | None = None,
    ) -> None:
        """Build both as if each were to be trained by itself, but for the encoder.

        Args:
            train: labelled texts.
            dev: labelled texts to choose by.
            plan: settings.
            kb: the knowledge base; its names are looked up in texts with ``names="base"``.
            init: an encoder to start from.
            vectors: of words, read beside the units.

        Raises:
            DataError: there is nothing to learn from or to choose by.
            TrainingError: ``init`` is not of the shape that ``plan`` asks for.
            StoreError: the knowledge base cannot be read.
        """
        self.plan, self.dev = plan, list(dev)
        self.entities = EntityTraining(train, dev, plan.of_entities(), kb, init, vectors)
        shared = Shared(self.entities.codec, self.entities.net.encoder)
        names = kb.names if plan.mentions.names == "base" else None
        self.mentions = LinkTraining(train, dev, plan.of_mentions(), init, names, vectors, shared)
        self.net = LinkerNet(self.mentions.net, self.entities.net)
        self.items = LinkerItems(self.mentions.items, self.entities.items)
        self.trainer = Trainer(self.net, self.items, plan.schedule)

    @property
    def problems(self) -> list[Problem]:
        """Labels that were lost to either, each once, in the order of the lines."""
        found = self.mentions.problems
        more = [problem for problem in self.entities.problems if problem not in found]
        return sorted(found + more, key=lambda problem: problem.line)

    @property
    def identity(self) -> dict[str, str | None]:
        """What else than data and plan must be the same to go on from a checkpoint."""
        return self.mentions.identity | self.entities.identity

    @property
    def notes(self) -> list[str]:
        """What to say of the data before training begins."""
        return [*self.mentions.notes, *self.entities.notes]

    def run(self, checkpoint: Checkpoint | None = None) -> Iterator[Step | Epoch]:
        """Train; see ``Trainer.run``."""
        yield from self.trainer.run(self._dev_scores, checkpoint)

    def write(self, path: Path, *, data: str | None, overwrite: bool = False) -> dict[str, Any]:
        """Write both folders into ``path``, each as its own training does, or neither.

        Args:
            path: the folder that will hold them.
            data: SHA-256 of the training file, None where it was no file.
            overwrite: replace what such a training wrote there.

        Returns:
            What was measured on each, by the name of its folder, and ``dev`` of both.
        """
        parts: dict[str, LinkTraining | EntityTraining]
        parts = {MENTIONS: self.mentions, ENTITIES: self.entities}
        measured: dict[str, dict[str, Any]] = {}
        weights, epochs = self.trainer.trained
        with folder.writing(path, overwrite=overwrite, parts=parts) as temporary:
            for name, part in parts.items():
                trained = Trained(self.net.of(part.net, weights), epochs)
                measured[name] = part.write(temporary / name, data=data, trained=trained)
        return {**measured, "dev": measured[MENTIONS]["dev"] | measured[ENTITIES]["dev"]}

    def _dev_scores(self, weights: Weights) -> dict[str, float]:
        found = self.mentions.scores(self.net.of(self.net.mentions, weights))
        chosen = self.entities.scores(self.net.of(self.net.entities, weights))
        # Which of two epochs is better must not be decided by one of the two alone.
        both = harmonic_mean([found["f1"], chosen["accuracy"]])
        return {"both": both, **found, **chosen}
