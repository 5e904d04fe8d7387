"""A model that chooses entities, held against labels: the mentions given, and its candidates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from quern.evaluation.calibrating import Fitted
from quern.evaluation.link_figures import summarise_choices
from quern.evaluation.linking import JudgedLinks, judge_choices, labelled_ids
from quern.evaluation.nil import tune_choice
from quern.records import Link, LinkExample

if TYPE_CHECKING:
    from quern.kb import KnowledgeBase
    from quern.links import EntityModel, Options


def judge_entities(
    model: EntityModel, kb: KnowledgeBase, examples: Sequence[LinkExample], threads: int = 1
) -> Iterator[JudgedLinks]:
    """Give a model the labelled mentions, and judge what it chooses; see ``judge_choices``."""
    return judge_choices(
        partial(model.link, kb=kb),
        model.candidates(kb).of_texts,
        set(kb.entities(labelled_ids(examples))),
        examples,
        threads,
    )


def tune_entities(
    model: EntityModel,
    kb: KnowledgeBase,
    examples: Sequence[LinkExample],
    options: Sequence[Sequence[Options]] | None = None,
) -> tuple[float, Fitted]:
    """The threshold of NIL that suits a model best, and how its scores are calibrated.

    Args:
        model: the model; its own threshold and calibration play no part.
        kb: the knowledge base.
        examples: texts with mentions that stand where they are said to, each place once.
        options: what each mention may mean, if that is known already.
    """
    texts = [example.text for example in examples]
    places = [[mention.place for mention in example.mentions] for example in examples]
    answers = [
        [
            Link(*mention.place, mention.mention, 1.0, None, 0.0, tuple(choices))
            for mention, choices in zip(example.mentions, of_text, strict=True)
        ]
        for example, of_text in zip(examples, model.weigh(texts, places, kb, options), strict=True)
    ]
    return tune_choice(examples, answers)


def choice_figures(
    model: EntityModel, kb: KnowledgeBase, examples: Sequence[LinkExample]
) -> dict[str, Any]:
    """The figures that a card shows, of the choice given the mentions, as plain numbers."""
    measured = summarise_choices(list(judge_entities(model, kb, examples)))
    overall = measured.overall
    return {
        "accuracy": overall.accuracy,
        "first": overall.first,
        "ceiling": overall.ceiling,
        "mentions": overall.mentions,
        "nil_precision": measured.nils.precision,
        "nil_recall": measured.nils.recall,
    }
