"""The journey from labelled mentions to a model folder, in one call."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import msgspec

from quern.data import data_hash, read_links
from quern.errors import DataError
from quern.kb import KnowledgeBase
from quern.records import LinkExample
from quern.train.fit import Start, read_both
from quern.train.journey import Journey
from quern.train.link_training import LinkPlan, LinkTraining


def without_facts(start: Start | None) -> Start:
    """What a training of links starts from.

    Raises:
        DataError: there are facts.
    """
    if start is not None and start.facts is not None:
        raise DataError("facts are known triples; a training of links has no use for them")
    return start or Start()


class LinkFit(Journey):
    """A training from files (or examples) to a folder: read, check, run, write."""

    def __init__(
        self,
        train: Path | Sequence[LinkExample],
        dev: Path | Sequence[LinkExample] | None,
        plan: LinkPlan | None = None,
        *,
        allow: Collection[str] = (),
        start: Start | None = None,
        kb: KnowledgeBase | None = None,
    ) -> None:
        """Read and check the data, and build what will be trained.

        Args:
            train: labelled lines.
            dev: labelled lines to choose by; without them every tenth text, by its hash, is
                held out of the training data.
            plan: settings.
            allow: kinds of loss to accept: "absent", "border", "window".
            start: an encoder and word vectors to start from; no facts.
            kb: a knowledge base whose names are looked up, in place of those of the labels.

        Raises:
            DataError: the data cannot be read, labels would be lost that ``allow`` does not
                name, or facts were given.
            FolderError: the encoder cannot be read.
            TrainingError: it is not of the shape that the plan asks for.
            StoreError: the knowledge base cannot be read.
        """
        plan = plan or LinkPlan()
        if kb is not None:
            settings = msgspec.structs.replace(plan.settings, names="base")
            plan = msgspec.structs.replace(plan, settings=settings)
        examples, held = read_both(train, dev, read_links)
        begun = without_facts(start).opened()
        names = None if kb is None else kb.names
        super().__init__(
            LinkTraining(examples, held, plan, begun.encoder, names, begun.vectors),
            data_hash(train) if isinstance(train, Path) else None,
            begun.identity,
            allow,
        )
