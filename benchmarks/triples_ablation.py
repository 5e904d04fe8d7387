"""What each part of training brings: duie trained with one of them switched, at three sizes.

``plain`` is a fresh network, one model, with labels exchanged in training (``augment``), and
incomplete lines read as incomplete. Every other case differs from it in one thing.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from benchmarks import sets, training
from benchmarks.options import CACHE, Options, Outcome
from benchmarks.triples_accuracy import RECIPES, Recipe, of_encoder, planned
from quern.ensemble import write_ensemble
from quern.errors import DataError
from quern.records import TripleExample
from quern.train.fit import Fold, Start
from quern.train.triple_training import Plan

SET = "duie"
_SMALL = ("epochs=30", "fine_epochs=10", "patience=8", "augment=0.5")
SIZES: dict[str, Recipe] = {
    # The score stays 0 for some 300 steps; small batches, so that patience outlasts them.
    "1000": Recipe(SET, "fast", (*_SMALL, "batch_size=8")),
    "4000": Recipe(SET, "fast", (*_SMALL, "batch_size=32")),
    "all": RECIPES[SET],
}


class Part(NamedTuple):
    """What a case does otherwise than ``plain``.

    Attributes:
        words: settings.
        init: start from the encoder that ``--init`` names.
        vectors: read the word vectors that ``--vectors`` names.
        folds: train so many models, each without one part of the lines, and average them.
        incomplete: lines whose labels have gaps are read as "marked", are "dropped", or are
            read as if they were "complete".
    """

    words: tuple[str, ...] = ()
    init: bool = False
    vectors: bool = False
    folds: int = 0
    incomplete: Literal["marked", "dropped", "complete"] = "marked"


PARTS: dict[str, Part] = {
    "plain": Part(),
    "init": Part(init=True),
    "vectors": Part(vectors=True),
    "priors": Part(words=("priors=true",)),
    "together": Part(words=("priors=true",), init=True, vectors=True),
    "frames": Part(words=("frames=0.1",)),
    "nearest": Part(words=("pairing=nearest",)),
    "folds": Part(folds=4),
    "no-augment": Part(words=("augment=0.0",)),
    "incomplete-dropped": Part(incomplete="dropped"),
    "incomplete-as-complete": Part(incomplete="complete"),
}


def cases(options: Options) -> list[str]:
    """Every part at every size; what needs an encoder or word vectors only with them."""
    return [
        f"{name}-{size}"
        for size in SIZES
        for name, part in PARTS.items()
        if (options.init or not part.init) and (options.vectors or not part.vectors)
    ]


def run(case: str, options: Options) -> Outcome:
    """Train one case and score the written folder on dev."""
    name, _, size = case.rpartition("-")
    part, recipe = PARTS[name], SIZES[size]
    recipe = recipe._replace(words=(*recipe.words, *part.words))
    paths = [sets.triples_path(options.data, SET, half) for half in ("train", "dev")]
    known, dev = map(sets.examples, paths)
    lines = chosen(known, None if size == "all" else int(size), options.seed)
    init = options.init if part.init else None
    start = Start(init, options.vectors if part.vectors else None)
    said, plan = planned(recipe, options)
    folder = CACHE / "ablation" / f"{case}-{said['preset']}-{options.seed}"
    if part.folds:
        figures = _ensemble(part.folds, labelled(lines, part), dev, plan, folder)
    else:
        figures = training.train(labelled(lines, part), dev, plan, folder, start=start)
    return Outcome({"lines": len(lines), **said, "init": of_encoder(init), **figures}, paths)


def _ensemble(
    count: int,
    lines: Sequence[TripleExample],
    dev: Sequence[TripleExample],
    plan: Plan,
    folder: Path,
) -> dict[str, Any]:
    began = time.perf_counter()
    parts = [folder / f"fold-{number}" for number in range(count)]
    for number, out in enumerate(parts):
        print(f"  fold {number + 1} of {count}", file=sys.stderr)
        training.train(lines, dev, plan, out, fold=Fold(number, count))
    metrics = write_ensemble(parts, folder / "ensemble", dev, overwrite=True)
    return {
        "train_texts": len(lines),
        "folds": count,
        "members": list(metrics["members"].values()),
        "seconds": time.perf_counter() - began,
        "dev": metrics["dev"],
    }


def chosen(examples: Sequence[TripleExample], size: int | None, seed: int) -> list[TripleExample]:
    """So many lines by lot, all for None; of one seed the smaller lot lies in the larger.

    Raises:
        DataError: there are not so many.
    """
    if size is None:
        return list(examples)
    if size > len(examples):
        raise DataError(f"the set has {len(examples):,} lines, {size:,} are needed")
    order = list(examples)
    random.Random(seed).shuffle(order)
    return order[:size]


def labelled(lines: Sequence[TripleExample], part: Part) -> list[TripleExample]:
    """The lines as a part reads their gaps."""
    if part.incomplete == "dropped":
        return [line for line in lines if line.complete]
    if part.incomplete == "complete":
        whole = {"complete": True, "predicates": None}
        return [line if line.complete else msgspec.structs.replace(line, **whole) for line in lines]
    return list(lines)


def table(lines: Sequence[dict[str, Any]]) -> str:
    """Results as a Markdown table; runs that differ in nothing but seed and day are one row.

    F1 is the mean over runs with their lowest and highest, ``to plain`` the difference of means
    in points to ``plain`` of the same size, preset and settings.
    """
    rows: dict[tuple[str, str, str, tuple[str, ...]], list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        name, _, size = line["case"].rpartition("-")
        part, figures = PARTS.get(name, Part()), line["figures"]
        shared = tuple(word for word in figures["set"] if word not in part.words)
        rows[size, figures["preset"], name, shared].append(figures)
    text = [
        "| case | lines | preset | runs | F1 | to plain | seconds |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for (size, preset, name, shared), found in rows.items():
        plain = rows.get((size, preset, "plain", shared))
        gain = "" if plain is None or name == "plain" else f"{100 * (_f1(found) - _f1(plain)):+.1f}"
        f1s = [figures["dev"]["f1"] for figures in found]
        spread = f" ({min(f1s):.4f} to {max(f1s):.4f})" if len(f1s) > 1 else ""
        seconds = statistics.mean(figures["seconds"] for figures in found)
        text.append(
            f"| {name} | {size} | {preset} | {len(found)} | {_f1(found):.4f}{spread} | {gain} "
            f"| {seconds:,.0f} |"
        )
    return "\n".join(text)


def _f1(found: Sequence[dict[str, Any]]) -> float:
    return statistics.mean(float(figures["dev"]["f1"]) for figures in found)
