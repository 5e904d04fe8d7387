"""Which entity is meant, the mentions given: models, and tf-idf on the same candidates.

Epochs, thresholds and all else are chosen on dev, of zhwiki-namesakes the only part that is
scored; ncbi-disease is scored on its test part, too.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import sets
from benchmarks.bases import BASES, PLAIN, base_of, examples_of
from benchmarks.options import CACHE, Options, Outcome
from benchmarks.tfidf import grams_of
from benchmarks.training import Watch
from benchmarks.triples_accuracy import of_encoder
from quern.bench import peak_memory
from quern.errors import DataError
from quern.evaluation.given import judge_entities
from quern.evaluation.link_figures import summarise_choices, summarise_links
from quern.evaluation.linking import JudgedLinks, judge_found
from quern.kb import KnowledgeBase
from quern.links import EntityModel, Linker
from quern.links.described import described
from quern.records import Entity, LinkExample, ids_of
from quern.tasks import load_entities, load_links


class Recipe(NamedTuple):
    """How a model is trained: ``quern train entities --preset PRESET --set WORD …``.

    ``plain`` takes a base without popularities.
    """

    of: str
    preset: str
    words: tuple[str, ...]
    plain: bool = False


_NAMESAKES = ("epochs=8", "patience=3", "fine_epochs=2")
_NCBI = ("epochs=10", "patience=3", "fine_epochs=2")
RECIPES = {
    "zhwiki-namesakes": Recipe("zhwiki-namesakes", "full", _NAMESAKES),
    "zhwiki-namesakes-plain": Recipe("zhwiki-namesakes", "full", _NAMESAKES, plain=True),
    "ncbi-disease": Recipe("ncbi-disease", "full", _NCBI),
}
SCORED: dict[str, tuple[sets.Part, ...]] = {
    "zhwiki-namesakes": ("dev",),
    "ncbi-disease": ("dev", "test"),
}


LINKED = "-linked"  # cases that find the mentions, too
MEANING = "-meaning"  # with candidates by meaning, of the rank model that ranks_accuracy trains


def cases(options: Options) -> list[str]:
    """One for each set, and one more for a base without popularities; from end to end if asked."""
    if options.models and not options.cases:
        raise DataError("--model says which folder to score; say on which set with --case")
    asked = (f"ncbi-disease{LINKED}", f"ncbi-disease{MEANING}")
    return [*RECIPES, *(case for case in options.cases if case in asked)]


def run(case: str, options: Options) -> Outcome:
    """Train by the recipe, or take the given folder; score it, and tf-idf beside it."""
    if case.endswith(LINKED):
        return _linked(case.removesuffix(LINKED), options)
    recipe = RECIPES[case.removesuffix(MEANING)]
    train = sets.links_path(options.data, recipe.of, "train")
    scored = {part: sets.links_path(options.data, recipe.of, part) for part in SCORED[recipe.of]}
    name = BASES[recipe.of] + (PLAIN if recipe.plain else "")
    with KnowledgeBase.open(base_of(options.data, name)) as base:
        if options.models:
            (folder,) = map(Path, options.models)
            figures: dict[str, Any] = {"model": folder.name}
        else:
            folder = CACHE / "models" / f"entities-{case}-{options.seed}"
            labelled = [examples_of(path, base) for path in (train, scored["dev"])]
            meaning = _meaning(recipe.of, options) if case.endswith(MEANING) else None
            figures = _train(recipe, labelled, base, folder, options, meaning)
        model = load_entities(folder)
        for part, path in scored.items():
            figures[part] = scores(model, base, examples_of(path, base))
    return Outcome(figures, [train, *scored.values()])


def _linked(of: str, options: Options) -> Outcome:
    """From end to end, with one model that finds mentions and one that chooses entities."""
    if len(options.models) != 2:
        raise DataError("give two models: --model MENTIONS --model ENTITIES")
    mentions, entities = map(Path, options.models)
    scored = {part: sets.links_path(options.data, of, part) for part in SCORED[of]}
    figures: dict[str, Any] = {"models": [mentions.name, entities.name]}
    with KnowledgeBase.open(base_of(options.data, BASES[of])) as base:
        model = load_entities(entities)
        linker = Linker(load_links(mentions, kb=base.names), model, base)
        for part, path in scored.items():
            given = list(judge_entities(model, base, examples_of(path, base)))
            found = list(judge_found(linker, given))
            evaluation = summarise_links(found, summarise_choices(given))
            rows = {
                "mentions": evaluation.mentions.overall,
                "links": evaluation.links,
                "interval": evaluation.interval,
                "ceiling": evaluation.ceiling,
            }
            figures[part] = {**rows, "accuracy_given_mentions": evaluation.given.linked.accuracy}
    return Outcome(figures, list(scored.values()))


def _train(
    recipe: Recipe,
    labelled: Sequence[Sequence[LinkExample]],
    base: KnowledgeBase,
    folder: Path,
    options: Options,
    meaning: Path | None,
) -> dict[str, Any]:
    # Here and not above: scoring a given folder needs no torch.
    from quern.train.entity_fit import EntityFit
    from quern.train.fit import Start
    from quern.train.settings import entity_plan

    preset = options.preset or recipe.preset
    words = (*recipe.words, *options.words)
    plan = entity_plan(preset, [*words, f"seed={options.seed}"])
    watch, start = Watch(), Start(options.init, options.vectors)
    train, dev = labelled
    allow = ("absent",)
    fit = EntityFit(train, dev, base, plan, allow=allow, start=start, meaning=meaning)
    fit.run(folder, overwrite=True, report=watch)
    return {
        "preset": preset,
        "set": words,
        "init": of_encoder(options.init),
        "threads": plan.schedule.threads,
        **watch.figures(),
        "peak_megabytes": peak_memory() / 1e6,
    }


def _meaning(of: str, options: Options) -> Path:
    folder = CACHE / "models" / f"ranks-{of}-{options.seed}"
    if not folder.is_dir():
        raise DataError(
            f"{folder}: not there; first: python -m benchmarks ranks_accuracy --case {of}"
        )
    return folder


def scores(
    model: EntityModel, base: KnowledgeBase, examples: Sequence[LinkExample]
) -> dict[str, Any]:
    """Accuracy beside its ceiling and tf-idf.

    ``accuracy`` counts every mention whose entity the base has, ``accuracy_of_all`` also those
    whose entity it lacks, which are always wrong. A composite is right if all of it is;
    ``any_right`` counts it as published figures for these sets do: one id in common is enough.
    """
    judged = list(judge_entities(model, base, examples))
    measured = summarise_choices(judged)
    linked, right = measured.linked, measured.kinds.get("right", 0)
    found = [fact for each in judged for fact in each.facts if fact.labelled]
    some = sum(
        fact.link is not None
        and (fact.kind == "right" or bool(ids_of(fact.link.id) & ids_of(fact.wanted)))
        for fact in found
    )
    return {
        "mentions": measured.mentions,
        "lacking": measured.lacking,
        "nil": measured.nil,
        "accuracy": linked.accuracy,
        "interval": linked.interval,
        "first": linked.first,
        "ceiling": linked.ceiling,
        "accuracy_of_all": right / measured.mentions,
        "any_right": some / measured.mentions,
        "tfidf": _share(judged, model, base, TfIdf(base)),
        "candidates": {str(each.k): each.recall for each in measured.candidates},
        "calibration": measured.calibration,
    }


class TfIdf:
    """Cosine of a text and a description over their characters, single and in pairs."""

    def __init__(self, base: KnowledgeBase) -> None:
        """Count in how many descriptions each stands."""
        self._counts: Counter[str] = Counter()
        self._number = 0
        for entity in base:
            self._counts.update(set(grams_of(described(entity))))
            self._number += 1

    def __call__(self, text: str, entity: Entity) -> float:
        """How alike a text and an entity are."""
        one, other = self._weighted(text), self._weighted(described(entity))
        return sum(weight * other.get(gram, 0.0) for gram, weight in one.items())

    def _weighted(self, text: str) -> dict[str, float]:
        weights = {
            gram: (1 + math.log(count)) * math.log(self._number / (1 + self._counts[gram]))
            for gram, count in Counter(grams_of(text)).items()
        }
        norm = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
        return {gram: weight / norm for gram, weight in weights.items()}


def _share(
    judged: Sequence[JudgedLinks],
    model: EntityModel,
    base: KnowledgeBase,
    alike: Callable[[str, Entity], float],
) -> float | None:
    """The share of the mentions whose entity the base has that the most alike candidate is."""
    texts = [each.example.text for each in judged]
    facts = [[fact for fact in each.facts if fact.labelled and fact.known] for each in judged]
    places = [[fact.place for fact in of_text] for of_text in facts]
    right = total = 0
    for text, wanted, of_text in zip(
        texts, facts, model.candidates(base).of_texts(texts, places), strict=True
    ):
        for fact, proposals in zip(wanted, of_text, strict=True):
            if fact.wanted is None:
                continue
            total += 1
            if proposals:
                best = max(proposals, key=lambda proposal: alike(text, proposal.entity))
                right += ids_of(best.entity.id) == ids_of(fact.wanted)
    return right / total if total else None
