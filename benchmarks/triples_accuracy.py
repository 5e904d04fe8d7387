"""What triple models score on public data sets, trained here or given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks import sets
from benchmarks.options import CACHE, Options, Outcome
from quern import evaluation, shipped
from quern.data import data_hash
from quern.errors import DataError
from quern.folder import ModelFolder
from quern.metrics import Counts
from quern.records import TripleExample
from quern.triples import TripleModel

if TYPE_CHECKING:
    from quern.train.triple_training import Plan


class Recipe(NamedTuple):
    """How a set is trained: ``quern train triples --preset PRESET --set WORD …``.

    Attributes:
        of: the set.
        preset: of the network.
        words: settings.
        card: settings that only go into the model card.
        mended: train on the file that ``label_repair`` made of the set's labels.
    """

    of: str
    preset: str
    words: tuple[str, ...]
    card: tuple[str, ...] = ()
    mended: bool = False


_DUIE_WORDS = ("epochs=18", "patience=3", "augment=0.5")
_DUIE_INIT_WORDS = ("epochs=10", "patience=2", "fine_epochs=2", "augment=0.5")
_DUIE = (
    "data_name=DuIE (Baidu LIC2019), 22,087 Chinese sentences, half of them labelled in part",
    "licence=research and teaching, non-commercial; this model may be used within the same bounds",
    "limits=Short sentences of encyclopedias and news; people, books, films, music, firms, places.",
)
_KNOWLEDGENET_WORDS = (
    "epochs=30",
    "patience=5",
    "augment=0.5",
    "unknown=0.25",
    "batch_size=32",
)
_KNOWLEDGENET = (
    "data_name=KnowledgeNet, 4,293 sentences of English Wikipedia",
    "licence=CC BY-SA 4.0 (KnowledgeNet, Diffbot; Wikipedia)",
    "limits=Short biographies and company profiles. Pronouns are given as ends of facts, as they "
    "are labelled there, and are not resolved. Labels there are not exhaustive: a fact counted as "
    "wrong is often right.",
)
_DUIE_MENDED = (
    "data_name=DuIE (Baidu LIC2019), 22,087 Chinese sentences, half of them labelled in part and "
    "then mended by the votes of models",
    *_DUIE[1:],
)
RECIPES = {
    "duie": Recipe("duie", "full", _DUIE_WORDS, _DUIE),
    "duie-init": Recipe("duie", "full", _DUIE_INIT_WORDS, _DUIE),
    "duie-fast": Recipe("duie", "fast", _DUIE_WORDS, _DUIE),
    "duie-repaired": Recipe("duie", "full", _DUIE_WORDS, _DUIE_MENDED, mended=True),
    "webnlg-star": Recipe(
        "webnlg-star",
        "full",
        ("epochs=30", "patience=4", "augment=0.3", "unknown=0.1", "batch_size=32"),
    ),
    "conll04": Recipe(
        "conll04",
        "full",
        ("epochs=80", "patience=10", "augment=0.5", "unknown=0.2", "batch_size=16"),
    ),
    "knowledgenet": Recipe("knowledgenet", "full", _KNOWLEDGENET_WORDS, _KNOWLEDGENET),
    "knowledgenet-fast": Recipe("knowledgenet", "fast", _KNOWLEDGENET_WORDS, _KNOWLEDGENET),
}
INIT = "-init"  # cases that want an encoder to start from
STRICT = ("conll04",)  # papers also compare places and types there


def cases(options: Options) -> list[str]:
    """One for each data set, and another for a preset worth comparing.

    What starts from an encoder is there only with one, what needs mended labels only if named.
    """
    if options.models and not options.cases:
        raise DataError("--model says which folder to score; say on which set with --case")
    return [
        case
        for case, recipe in RECIPES.items()
        if (options.init is not None or not case.endswith(INIT))
        and (case in options.cases or not recipe.mended)
    ]


def run(case: str, options: Options) -> Outcome:
    """Train by the set's recipe, or take the given folder, and score it on dev and test."""
    recipe = RECIPES[case]
    of = recipe.of
    paths = {part: sets.triples_path(options.data, of, part) for part in sets.TRIPLES[of]}
    if len(options.models) > 1:
        raise DataError("one --model at a time can be scored")
    if options.models:
        used = [path for part, path in paths.items() if part != "train"]
        figures: dict[str, Any] = {"model": Path(options.models[0]).name}
        model = shipped.load(options.models[0])
    else:
        if recipe.mended:
            paths["train"] = sets.mended_path(of)
        used = list(paths.values())
        folder = CACHE / "models" / f"{case}-{options.seed}"
        figures = _train(recipe, paths["train"], paths["dev"], folder, options)
        model = shipped.load(folder)
    for part in paths:
        if part != "train":
            figures[part] = scores(model, sets.examples(paths[part]), of in STRICT)
    return Outcome(figures, used)


def _train(
    recipe: Recipe, train: Path, dev: Path, folder: Path, options: Options
) -> dict[str, Any]:
    # Here and not above: scoring a given folder needs no torch.
    from benchmarks import training
    from quern.train.fit import Start

    said, chosen = planned(recipe, options)
    parts = sets.examples(train), sets.examples(dev)
    start = Start(options.init)
    figures = training.train(*parts, chosen, folder, data=data_hash(train), start=start)
    return {**said, "init": of_encoder(options.init), **figures}


def planned(recipe: Recipe, options: Options) -> tuple[dict[str, Any], Plan]:
    """The plan of a recipe, changed by ``--preset`` and ``--set``, and what to record of it."""
    from quern.train.settings import plan

    preset = options.preset or recipe.preset
    words = (*recipe.words, *options.words)
    chosen = plan(preset, [*recipe.card, *words, f"seed={options.seed}"])
    return {"preset": preset, "set": words}, chosen


def of_encoder(path: Path | None) -> dict[str, Any] | None:
    """What an encoder has read and how well it guesses, or what a model scores."""
    if path is None:
        return None
    known = ("held_out", "units_seen", "hours", "dev")
    return {name: of for name, of in ModelFolder(path).metrics().items() if name in known}


def scores(model: TripleModel, examples: list[TripleExample], strict: bool) -> dict[str, Any]:
    """F1, precision and recall by words and, where asked, by places and types."""
    figures: dict[str, Any] = {"texts": len(examples), **_score(model, examples, False)}
    figures["joined"] = _score(model, sets.joined(examples), False)
    return {**figures, "strict": _score(model, examples, True)} if strict else figures


def _score(model: TripleModel, examples: list[TripleExample], strict: bool) -> dict[str, float]:
    comparison, kept = evaluation.comparable(model, examples, strict)
    counts = Counts()
    for judged in evaluation.judge(model, kept, comparison):
        counts += judged.counts
    return counts.figures()
