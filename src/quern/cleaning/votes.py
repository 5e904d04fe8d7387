"""Models vote on labels: what all find and nobody labelled, what nobody finds and is labelled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import msgspec

from quern.errors import FolderError
from quern.records import Triple, TripleExample
from quern.triples import TripleModel

Key = tuple[str, str, str]
_CHUNK = 512


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """A change to one line of labelled data, for a person to accept or refuse.

    Attributes:
        line: of the text in its file.
        action: what to do with the triple.
        triple: subject, predicate and object.
        votes: how many models found the triple.
        of: how many models there are.
        score: the highest that a model gave it, None where none found it.
        sought: whether the labels of this line say anything about the predicate.
        subject_start: where the subject stands in the text, if a model found it.
        object_start: the same for the object.
        text: the text of the line.
    """

    line: int
    action: Literal["add", "remove"]
    triple: Key
    votes: int
    of: int
    score: float | None = None
    sought: bool = True
    subject_start: int | None = None
    object_start: int | None = None
    text: str


def propose(
    models: Sequence[TripleModel],
    examples: Sequence[TripleExample],
    *,
    add: int | None = None,
    remove: int = 0,
    advance: Callable[[int], None] = lambda texts: None,
) -> Iterator[Proposal]:
    """Let models vote on labels; best if each model has not seen a part of them in training.

    After Su, "基于DGCNN和概率图的轻量级信息抽取模型" (2019), which repaired a training set by
    the votes of eight folds.

    Args:
        models: the voters.
        examples: labelled texts.
        add: votes that an unlabelled triple needs to be proposed, all of them by default.
        remove: votes up to which a labelled triple is proposed for removal.
        advance: called with the number of texts done.

    Yields:
        Proposals in the order of the lines, those to add before those to remove.

    Raises:
        FolderError: fewer than two models were given.
    """
    if len(models) < 2:
        raise FolderError("votes need two models or more (quern train --folds)")
    least = len(models) if add is None else add
    known = {label.predicate for model in models for label in model.labels}
    for at in range(0, len(examples), _CHUNK):
        some = examples[at : at + _CHUNK]
        found = [model([example.text for example in some]) for model in models]
        for i, example in enumerate(some):
            ballots = [_best(of_model[i]) for of_model in found]
            yield from _additions(example, ballots, least)
            yield from _removals(example, ballots, remove, known)
        advance(len(some))


def _best(triples: Sequence[Triple]) -> dict[Key, Triple]:
    """The best-scored place of each fact."""
    best: dict[Key, Triple] = {}
    for triple in triples:
        if triple.key not in best or triple.score > best[triple.key].score:
            best[triple.key] = triple
    return best


def _additions(
    example: TripleExample, ballots: Sequence[dict[Key, Triple]], least: int
) -> Iterator[Proposal]:
    labelled = {triple.key for triple in example.triples}
    for key in dict.fromkeys(key for ballot in ballots for key in ballot):
        votes = [ballot[key] for ballot in ballots if key in ballot]
        if key in labelled or len(votes) < least:
            continue
        surest = max(votes, key=lambda triple: triple.score)
        yield Proposal(
            line=example.line,
            action="add",
            triple=key,
            votes=len(votes),
            of=len(ballots),
            score=surest.score,
            sought=example.predicates is None or key[1] in example.predicates,
            subject_start=surest.subject.start,
            object_start=surest.object.start,
            text=example.text,
        )


def _removals(
    example: TripleExample, ballots: Sequence[dict[Key, Triple]], most: int, known: set[str]
) -> Iterator[Proposal]:
    for key in dict.fromkeys(triple.key for triple in example.triples):
        votes = [ballot[key] for ballot in ballots if key in ballot]
        if len(votes) > most or key[1] not in known:
            continue
        yield Proposal(
            line=example.line,
            action="remove",
            triple=key,
            votes=len(votes),
            of=len(ballots),
            score=max((triple.score for triple in votes), default=None),
            text=example.text,
        )
