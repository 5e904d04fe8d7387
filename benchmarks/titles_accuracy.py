"""How near proposed titles come to given ones, beside titles that no model is needed for.

These are the first words of a document, as many as suit the training data best (of a Chinese one
the first sentence, which does better than any number of characters), and its most central sentence.
``-plain`` is a recurrent network without attention and copying. Epochs are chosen on dev; test is
scored once, by the same run.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from benchmarks import sets
from benchmarks.options import CACHE, Options, Outcome
from benchmarks.titles_baselines import best_sentence, first_sentence, first_words
from benchmarks.triples_accuracy import of_encoder
from quern.bench import peak_memory
from quern.data import data_hash, read_titles
from quern.evaluation.titles import Proposes, TitleFigures, evaluate_titles
from quern.records import TitleExample
from quern.text import han_share

_LENGTHS = (6, 8, 10, 12, 15, 20)  # numbers of first words that are tried
_TRIED = 1000  # documents of the training data that they are tried on


class Recipe(NamedTuple):
    """How a model is trained: ``quern train titles --preset PRESET --set WORD …``."""

    of: str
    preset: str
    words: tuple[str, ...]


_PLAIN = ("reading=gru", "attention=false", "copy=false", "coverage=0")
_CARDS = {
    "rust-issues": ("data_name=issues of the Rust project, 2010 to 2015",),
    "git-commits": ("data_name=commits of git",),
    "lcsts": ("data_name=Chinese posts with their headlines (LCSTS)",),
}
_LICENCE = "licence=for measuring only"
RECIPES = {
    name + end: Recipe(name, "full", (*words, *card, _LICENCE))
    for name, card in _CARDS.items()
    for end, words in (("", ()), ("-plain", _PLAIN))
}


def cases(options: Options) -> list[str]:
    """One for each recipe."""
    return list(RECIPES)


def run(case: str, options: Options) -> Outcome:
    """Train by the recipe, or take the given folder; score it and the baselines."""
    recipe = RECIPES[case]
    paths = sets.titles(options.data, recipe.of)
    train, dev, test = (read_titles(path) for path in paths)
    folder = CACHE / "models" / f"titles-{case}-{options.seed}"
    figures, model = _model(recipe, train, dev, folder, options, data_hash(paths[0]))
    proposed = {"model": model, **baselines(train)}
    for part, examples in (("dev", dev), ("test", test)):
        found = {
            name: evaluate_titles(each, examples, options.seed) for name, each in proposed.items()
        }
        figures[part] = {name: _told(each) for name, each in found.items()}
        figures[part]["given"] = msgspec.to_builtins(found["model"].given)
    return Outcome(figures, paths)


def baselines(train: Sequence[TitleExample]) -> dict[str, Proposes]:
    """Titles without a model; see the head of this file."""
    if han_share("\n".join(example.title for example in train)) > 0.5:
        first = first_sentence()
    else:
        some = train[:_TRIED]
        first = max(
            map(first_words, _LENGTHS), key=lambda each: evaluate_titles(each, some).rouge_l
        )
    return {"first_words": first, "best_sentence": best_sentence([e.body for e in train])}


def _told(found: TitleFigures) -> dict[str, Any]:
    row = msgspec.to_builtins(found)
    return {key: row[key] for key in row if key not in ("format", "quern", "given")}


def _model(
    recipe: Recipe,
    train: Sequence[TitleExample],
    dev: Sequence[TitleExample],
    folder: Path,
    options: Options,
    digest: str,
) -> tuple[dict[str, Any], Proposes]:
    """A trained or given model, and how it came about."""
    from quern.tasks import load_titles

    if options.models:
        (given,) = options.models
        return {"model": Path(given).name}, load_titles(given)
    # Here and not above: scoring a given folder needs no torch.
    from benchmarks.training import Watch
    from quern.train.fit import Start
    from quern.train.settings import title_plan
    from quern.train.title_fit import TitleFit

    preset = options.preset or recipe.preset
    words: Sequence[str] = (*recipe.words, *options.words)
    plan = title_plan(preset, [*words, f"seed={options.seed}"])
    watch = Watch()
    fit = TitleFit(train, dev, plan, start=Start(options.init, options.vectors))
    fit.data = digest
    metrics = fit.run(folder, overwrite=True, report=watch)
    figures = {
        "preset": preset,
        "set": words,
        "init": of_encoder(options.init),
        "threads": plan.schedule.threads,
        "train_texts": len(train),
        **watch.figures(),
        "peak_megabytes": peak_memory() / 1e6,
        "chosen_by": metrics["dev"],
    }
    return figures, load_titles(folder)
