"""The journey from labelled mentions and a knowledge base to a model that chooses, in one call."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from quern.data import data_hash, read_links
from quern.kb import KnowledgeBase
from quern.records import LinkExample
from quern.train.entity_training import EntityPlan, EntityTraining
from quern.train.fit import Start, read_both
from quern.train.journey import Journey
from quern.train.link_fit import without_facts


class EntityFit(Journey):
    """A training from files (or examples) to a folder: read, check, run, write."""

    def __init__(
        self,
        train: Path | Sequence[LinkExample],
        dev: Path | Sequence[LinkExample] | None,
        kb: KnowledgeBase,
        plan: EntityPlan | None = None,
        *,
        allow: Collection[str] = (),
        start: Start | None = None,
        meaning: Path | None = None,
    ) -> None:
        """Read and check the data, look candidates up, and build what will be trained.

        Args:
            train: labelled lines.
            dev: labelled lines to choose by; without them every tenth text, by its hash, is
                held out of the training data.
            kb: the knowledge base whose entities the labels name.
            plan: settings.
            allow: kinds of loss to accept: "absent".
            start: an encoder and word vectors to start from; no facts.
            meaning: the folder of a rank model of the base, to find candidates by meaning.

        Raises:
            DataError: the data cannot be read, labels would be lost that ``allow`` does not
                name, facts were given, or the base has no candidate for any mention.
            FolderError: the encoder cannot be read.
            TrainingError: it is not of the shape that the plan asks for.
            StoreError: the knowledge base cannot be read.
        """
        examples, held = read_both(train, dev, read_links)
        begun = without_facts(start).opened()
        training = EntityTraining(
            examples, held, plan or EntityPlan(), kb, begun.encoder, begun.vectors, meaning
        )
        data = data_hash(train) if isinstance(train, Path) else None
        super().__init__(training, data, begun.identity, allow)
