"""What finds mentions, and how well: the ladder of Su, "百度实体链接比赛后记" (2019).

The names are those that the training labels hold, since the knowledge bases of the sets are not to
be had. All that is chosen (the ratio of the filter, epochs, thresholds) is chosen on the tenth of
the training texts that their hash holds out; dev is only scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import sets
from benchmarks.options import CACHE, Options, Outcome
from benchmarks.triples_accuracy import of_encoder
from quern.bench import peak_memory
from quern.data import data_hash, read_links
from quern.errors import DataError
from quern.evaluation.mentions import judge_mentions, score_mentions, summarise_mentions
from quern.links import Dictionary, HabitFilter, MatchReader, ReadsMentions
from quern.records import LinkExample
from quern.tasks import load_links


class Recipe(NamedTuple):
    """How a rung is trained: ``quern train links --preset PRESET --set WORD …``."""

    of: str
    preset: str
    words: tuple[str, ...]


_CCKS = ("epochs=24", "patience=4", "fine_epochs=4", "batch_size=32", "unknown=0.1", "dropout=0.4")
_NCBI = ("epochs=40", "patience=6", "fine_epochs=4", "batch_size=8", "unknown=0.25", "dropout=0.4")
_CARD = (
    "data_name=CCKS 2019 (Baidu), 7,030 short Chinese texts",
    "licence=research; this model may be used within the same bounds",
    "limits=Titles and search queries, in which nearly everything that has an entry is labelled.",
)
RECIPES = {
    "ccks2019-model": Recipe("ccks2019", "full", (*_CCKS, *_CARD)),
    "ccks2019-init": Recipe("ccks2019", "full", (*_CCKS, *_CARD)),
    "ccks2019-fast": Recipe("ccks2019", "fast", (*_CCKS, *_CARD)),
    "ccks2019-names-gate": Recipe("ccks2019", "full", (*_CCKS, "names_gate=true", *_CARD)),
    "ncbi-disease-model": Recipe("ncbi-disease", "full", _NCBI),
}
INIT = "-init"  # cases that want an encoder to start from
SETS: dict[str, tuple[sets.Part, ...]] = {
    "ccks2019": ("dev",),
    "ncbi-disease": ("dev", "test"),
}
RATIOS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)


def cases(options: Options) -> list[str]:
    """The rungs of the ladder for each set; what starts from an encoder only with one."""
    if options.models and not options.cases:
        raise DataError("--model says which folder to score; say on which set with --case")
    matches = [f"{name}-{rung}" for name in SETS for rung in ("match", "filtered")]
    trained = [case for case in RECIPES if options.init or not case.endswith(INIT)]
    return matches + trained


def run(case: str, options: Options) -> Outcome:
    """Match, train by the recipe, or take the given folder; and score it."""
    of = next(name for name in SETS if case.startswith(name))
    train = sets.links_path(options.data, of, "train")
    scored = {part: sets.links_path(options.data, of, part) for part in SETS[of]}
    reader: ReadsMentions
    if options.models:
        (model,) = options.models
        figures, reader = {"model": Path(model).name}, load_links(model)
    elif case in RECIPES:
        folder = CACHE / "models" / f"{case}-{options.seed}"
        figures = _train(RECIPES[case], train, folder, options)
        reader = load_links(folder)
    else:
        figures, reader = _matcher(read_links(train), filtered=case.endswith("filtered"))
    for part, path in scored.items():
        figures[part] = _scores(reader, read_links(path))
    return Outcome(figures, [train, *scored.values()])


def _matcher(
    examples: Sequence[LinkExample], filtered: bool
) -> tuple[dict[str, Any], ReadsMentions]:
    """The longest names; filtered, without those found often and labelled seldom."""
    kept = HabitFilter()
    held_out: dict[str, float] = {}
    if filtered:
        from quern.train.fit import split_by_hash  # the one place that says what is held out

        others, held = split_by_hash(examples)
        rest = Dictionary.learn(others)
        for ratio in RATIOS:
            reader = MatchReader(rest, HabitFilter(ratio=ratio))
            held_out[str(ratio)] = score_mentions(reader, held).f1
        kept = HabitFilter(ratio=float(max(held_out, key=lambda each: held_out[each])))
    names = Dictionary.learn(examples)
    figures = {"names": len(names), "ratio": kept.ratio, "held_out_f1": held_out}
    return figures, MatchReader(names, kept)


def _train(recipe: Recipe, train: Path, folder: Path, options: Options) -> dict[str, Any]:
    # Here and not above: matching, and scoring a given folder, need no torch.
    from benchmarks.training import Watch
    from quern.train.fit import Start
    from quern.train.link_fit import LinkFit
    from quern.train.settings import link_plan

    preset = options.preset or recipe.preset
    words = (*recipe.words, *options.words)
    plan = link_plan(preset, [*words, f"seed={options.seed}"])
    watch, start = Watch(), Start(options.init, options.vectors)
    fit = LinkFit(train, None, plan, allow=("absent", "border", "window"), start=start)
    metrics = fit.run(folder, overwrite=True, report=watch)
    return {
        "preset": preset,
        "set": words,
        "init": of_encoder(options.init),
        "vectors": None if options.vectors is None else data_hash(options.vectors),
        "train": data_hash(train),
        "reading": fit.training.items.reading,
        "labels_lost": len(fit.training.problems),
        "threads": plan.schedule.threads,
        "precision": "bf16" if plan.schedule.bf16() else "fp32",
        **watch.figures(),
        "peak_megabytes": peak_memory() / 1e6,
        "held_out": metrics["dev"],
    }


def _scores(reader: ReadsMentions, examples: Sequence[LinkExample]) -> dict[str, Any]:
    """F1, precision and recall by places, and what is found of NIL and of the others."""
    evaluation = summarise_mentions(list(judge_mentions(reader, examples)))
    f, joined = evaluation.overall, score_mentions(reader, sets.joined_links(examples))
    return {
        "texts": evaluation.texts,
        **{"f1": f.f1, "precision": f.precision, "recall": f.recall},
        "found_linked": evaluation.found_linked,
        "found_nil": evaluation.found_nil,
        "joined_f1": joined.f1,
    }
