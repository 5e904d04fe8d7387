"""The journey from groups of sentences to a model folder, in one call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from quern.data import are_classes, data_hash, read_sentences
from quern.records import SentenceExample
from quern.train.fit import HELD_OUT, Start, split_by_hash
from quern.train.journey import Journey
from quern.train.link_fit import without_facts
from quern.train.sentence_training import SentencePlan, SentenceTraining


class SentenceFit(Journey):
    """A training from files (or examples) to a folder: read, check, run, write."""

    def __init__(
        self,
        train: Path | Sequence[SentenceExample],
        dev: Path | Sequence[SentenceExample] | None,
        plan: SentencePlan | None = None,
        *,
        start: Start | None = None,
    ) -> None:
        """Read and check the data, and build what will be trained.

        Args:
            train: sentences with their groups.
            dev: sentences to choose by; without them, see ``split_groups``.
            plan: settings.
            start: an encoder and word vectors to start from; no facts.

        Raises:
            DataError: the data cannot be read or holds too little, or facts were given.
            FolderError: the encoder cannot be read.
            TrainingError: it is not of the shape that the plan asks for.
        """
        known = read_sentences(train) if isinstance(train, Path) else list(train)
        if dev is None:
            known, held = split_groups(known)
        else:
            held = read_sentences(dev) if isinstance(dev, Path) else list(dev)
        begun = without_facts(start).opened()
        training = SentenceTraining(
            known, held, plan or SentencePlan(), begun.encoder, begun.vectors
        )
        data = data_hash(train) if isinstance(train, Path) else None
        super().__init__(training, data, begun.identity, ())


def split_groups(
    examples: Sequence[SentenceExample],
) -> tuple[list[SentenceExample], list[SentenceExample]]:
    """Split sentences into those to train on and those held out, which no model has seen.

    A tenth of the groups is held out whole, by the hash of their names, so that what is measured
    is how well unseen meanings are told apart. Where groups are few and large they are rather
    classes, which stay the same in use: then a tenth of the sentences is held out.
    """
    groups = {example.group for example in examples}
    if are_classes(len(examples), len(groups)):
        return split_by_hash(examples)
    out = {group for group in groups if HELD_OUT.holds(group)}
    return (
        [example for example in examples if example.group not in out],
        [example for example in examples if example.group in out],
    )
