"""The journey from documents with titles to a model folder, in one call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from quern.data import data_hash, read_titles
from quern.records import TitleExample
from quern.train.fit import HELD_OUT, Start
from quern.train.journey import Journey
from quern.train.link_fit import without_facts
from quern.train.title_training import TitlePlan, TitleTraining


class TitleFit(Journey):
    """A training from files (or examples) to a folder: read, check, run, write."""

    def __init__(
        self,
        train: Path | Sequence[TitleExample],
        dev: Path | Sequence[TitleExample] | None,
        plan: TitlePlan | None = None,
        *,
        start: Start | None = None,
    ) -> None:
        """Read and check the data, and build what will be trained.

        Args:
            train: documents with their titles.
            dev: documents to choose by; without them every tenth, by the hash of its body, is
                held out of the training data.
            plan: settings.
            start: an encoder and word vectors to start from; no facts.

        Raises:
            DataError: the data cannot be read or holds too little, or facts were given.
            FolderError: the encoder cannot be read.
            TrainingError: it is not of the shape that the plan asks for.
        """
        known = read_titles(train) if isinstance(train, Path) else list(train)
        if dev is None:
            held = [example for example in known if HELD_OUT.holds(example.body)]
            known = [example for example in known if not HELD_OUT.holds(example.body)]
        else:
            held = read_titles(dev) if isinstance(dev, Path) else list(dev)
        begun = without_facts(start).opened()
        training = TitleTraining(known, held, plan or TitlePlan(), begun.encoder, begun.vectors)
        data = data_hash(train) if isinstance(train, Path) else None
        super().__init__(training, data, begun.identity, ())
