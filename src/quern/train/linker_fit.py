"""The journey from labelled mentions and a knowledge base to both models of links, in one call."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from quern.data import data_hash, read_links
from quern.kb import KnowledgeBase
from quern.records import LinkExample
from quern.train.fit import Start, read_both
from quern.train.journey import Journey
from quern.train.link_fit import without_facts
from quern.train.linker_training import LinkerPlan, LinkerTraining


class LinkerFit(Journey):
    """A training from files (or examples) to two folders: read, check, run, write."""

    def __init__(
        self,
        train: Path | Sequence[LinkExample],
        dev: Path | Sequence[LinkExample] | None,
        kb: KnowledgeBase,
        plan: LinkerPlan | None = None,
        *,
        allow: Collection[str] = (),
        start: Start | None = None,
    ) -> None:
        """Read and check the data, look candidates up, and build what will be trained.

        Args:
            train: labelled lines.
            dev: labelled lines to choose by; without them every tenth text, by its hash, is
                held out of the training data.
            kb: the knowledge base whose entities the labels name.
            plan: settings.
            allow: kinds of loss to accept: "absent", "border", "window".
            start: an encoder and word vectors to start from; no facts.

        Raises:
            DataError: the data cannot be read, labels would be lost that ``allow`` does not
                name, facts were given, or the base has no candidate for any mention.
            FolderError: the encoder cannot be read.
            TrainingError: it is not of the shape that the plan asks for.
            StoreError: the knowledge base cannot be read.
        """
        examples, held = read_both(train, dev, read_links)
        begun = without_facts(start).opened()
        super().__init__(
            LinkerTraining(examples, held, plan or LinkerPlan(), kb, begun.encoder, begun.vectors),
            data_hash(train) if isinstance(train, Path) else None,
            begun.identity,
            allow,
        )
