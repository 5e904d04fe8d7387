"""The journey from texts and a catalogue to a model folder, in one call."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from quern.data import data_hash, read_catalogue, read_links, read_ranks
from quern.kb import KnowledgeBase
from quern.links.meaning import called, items_of, spoken
from quern.records import Item, LinkExample, RankExample
from quern.train.fit import Start, read_both
from quern.train.journey import Journey
from quern.train.link_fit import without_facts
from quern.train.rank_training import RankPlan, RankTraining


class RankFit(Journey):
    """A training from files (or examples) to a folder: read, check, run, write."""

    def __init__(
        self,
        train: Path | Sequence[RankExample],
        dev: Path | Sequence[RankExample] | None,
        catalogue: Path | Sequence[Item],
        plan: RankPlan | None = None,
        *,
        allow: Collection[str] = (),
        start: Start | None = None,
    ) -> None:
        """Read and check the data, and build what will be trained.

        Args:
            train: texts with their items.
            dev: texts to choose by; without them every tenth text, by its hash, is held out of the
                training data.
            catalogue: all items.
            plan: settings.
            allow: kinds of loss to accept: "unknown".
            start: an encoder and word vectors to start from; no facts.

        Raises:
            DataError: the data cannot be read, labels would be lost that ``allow`` does not
                name, or facts were given.
            FolderError: the encoder cannot be read.
            TrainingError: it is not of the shape that the plan asks for.
        """
        known, held = read_both(train, dev, read_ranks)
        items = read_catalogue(catalogue) if isinstance(catalogue, Path) else list(catalogue)
        begun = without_facts(start).opened()
        training = RankTraining(
            known, held, items, plan or RankPlan(), begun.encoder, begun.vectors
        )
        data = data_hash(train) if isinstance(train, Path) else None
        super().__init__(training, data, begun.identity, allow)

    @classmethod
    def of_base(
        cls,
        train: Path | Sequence[LinkExample],
        dev: Path | Sequence[LinkExample] | None,
        kb: KnowledgeBase,
        plan: RankPlan | None = None,
        *,
        start: Start | None = None,
    ) -> RankFit:
        """Learn to find the entities of a knowledge base, from its names and from mentions.

        Args:
            train: labelled mentions.
            dev: labelled mentions to choose by; without them those of every tenth text, by its
                hash, are held out of the training data.
            kb: the knowledge base.
            plan: settings.
            start: see ``__init__``.

        Raises:
            DataError: see ``__init__``.
            FolderError: see ``__init__``.
            TrainingError: see ``__init__``.
            StoreError: the base cannot be read.
        """
        known, held = read_both(train, dev, read_links)
        items = items_of(kb)
        ids = frozenset(item.id for item in items)
        texts = [*called(kb), *spoken(known, ids)]
        fit = cls(texts, spoken(held, ids), items, plan, start=start)
        fit.data = data_hash(train) if isinstance(train, Path) else None
        return fit
