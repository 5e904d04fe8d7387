"""How well the items of texts are found: labels of issues, and issues that say the same.

``rust-labels``: an issue's title and body against all labels of the project, beside the labels'
popularity in the training data, which is the same ranking for every text. ``rust-duplicates``: an
issue against all issues that are no duplicate themselves, beside the cosine of character tf-idf.
``ncbi-disease``: a mention against all entities of its base, alone, by names, and by both joined.
Epochs are chosen on texts held out of the training data, of ncbi-disease on its dev part; what else
is judged on takes no part in it.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain, compress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks import sets
from benchmarks.bases import BASES, base_of, examples_of
from benchmarks.options import CACHE, Options, Outcome
from benchmarks.tfidf import CharacterTfIdf
from benchmarks.triples_accuracy import of_encoder
from quern.bench import peak_memory
from quern.data import data_hash
from quern.evaluation.ranking import Ranking, evaluate_ranking, places, summarise_ranking
from quern.kb import KnowledgeBase
from quern.links import Background, CandidateSettings
from quern.links.abbreviations import abbreviations, expanded
from quern.ranks import RankModel
from quern.records import Item, LinkExample, RankExample, ids_of
from quern.tasks import load_ranks

_BLOCK = 1024  # issues that tf-idf compares at once
_LONGEST = 800  # characters read of an issue, by all that are compared
_TOPS = (1, 5, 20, 50)  # candidates
_JUDGED = 5  # one duplicate in so many is only judged on

if TYPE_CHECKING:
    from quern.train.fit import Start
    from quern.train.rank_fit import RankFit
    from quern.train.rank_training import RankPlan


class Recipe(NamedTuple):
    """How a model is trained: ``quern train ranks --preset PRESET --set WORD …``."""

    preset: str
    words: tuple[str, ...]


_CARD = (
    "data_name=issues of the Rust project, 2010 to 2015",
    "licence=for measuring only",
)
_SHORT = ("fine_epochs=2", "rate=0.003", "dropout=0.3", "unknown=0.1")
_LABELS = ("epochs=8", *_SHORT, "limits=Issues of one project.")
_SAME = (
    *("epochs=6", *_SHORT, "items=text", "batch_size=128", "vector_dim=256", "phrase_dim=256"),
    "limits=Issues of one project.",
)
_ENTITIES = (
    *("epochs=4", "fine_epochs=1", "rate=0.003", "batch_size=256", "sampled=256"),
    *("data_name=NCBI disease corpus and CTD diseases", "licence=for measuring only"),
    "limits=English names of diseases.",
)
RECIPES = {
    "rust-labels": Recipe("fast", (*_LABELS, *_CARD)),
    "rust-labels-margin": Recipe("fast", (*_LABELS, "loss=margin", *_CARD)),
    "rust-labels-warp": Recipe("fast", (*_LABELS, "loss=warp", *_CARD)),
    "rust-labels-wide": Recipe("wide", (*_LABELS, "loss=margin", *_CARD)),
    "rust-duplicates": Recipe("fast", (*_SAME, "negatives=batch", *_CARD)),
    "rust-duplicates-hard": Recipe("fast", (*_SAME, "negatives=hard", "sampled=4", *_CARD)),
    "ncbi-disease": Recipe("fast", _ENTITIES),
}


class Task(NamedTuple):
    """What one case learns from and is judged on."""

    catalogue: list[Item]
    train: list[RankExample]
    judged: list[RankExample]


def cases(options: Options) -> list[str]:
    """One for each recipe."""
    return list(RECIPES)


def run(case: str, options: Options) -> Outcome:
    """Train by the recipe, or take the given folder; score it and the baseline."""
    if case == "ncbi-disease":
        return _entities(case, options)
    paths = sets.issues(options.data)
    if case.startswith("rust-labels"):
        task, used = labels(paths), [paths["train"], paths["dev"]]
    else:
        task, used = duplicates(paths), list(paths.values())
    folder = CACHE / "models" / f"ranks-{case}-{options.seed}"
    figures, model = _model(
        RECIPES[case], partial(_of_catalogue, task), folder, options, data_hash(*used)
    )
    figures |= {"items": len(task.catalogue), "train_texts": len(task.train)}
    figures |= _told(evaluate_ranking(model, task.judged))
    if case.startswith("rust-labels"):
        figures["popularity"] = _told(by_popularity(task))
    else:
        figures["tfidf"] = _told(by_tfidf(task))
    return Outcome(figures, used)


def _entities(case: str, options: Options) -> Outcome:
    """Mentions to the entities of a base; in the end also as candidates of a linker."""
    paths = {part: sets.links_path(options.data, case, part) for part in ("train", "dev", "test")}
    folder = CACHE / "models" / f"ranks-{case}-{options.seed}"
    with KnowledgeBase.open(base_of(options.data, BASES[case])) as base:
        parts = {part: examples_of(path, base) for part, path in paths.items()}
        learn = partial(_of_base, parts["train"], parts["dev"], base)
        figures, model = _model(RECIPES[case], learn, folder, options, data_hash(paths["train"]))
        figures["items"] = len(model.ids)
        for part in ("dev", "test"):
            figures[part] = proposed(model, base, parts["train"], parts[part])
    return Outcome(figures, list(paths.values()))


def proposed(
    model: RankModel,
    base: KnowledgeBase,
    train: Sequence[LinkExample],
    judged: Sequence[LinkExample],
) -> dict[str, Any]:
    """How often the entity of a mention is among its first k candidates, of those the base has."""
    texts = [example.text for example in judged]
    places = [[mention.place for mention in example.mentions] for example in judged]
    said = [
        expanded(mention.mention, short)
        for example, short in zip(judged, map(abbreviations, texts), strict=True)
        for mention in example.mentions
    ]
    wanted = [ids_of(mention.kb_id) for example in judged for mention in example.mentions]
    found = {"alone": [[item.id for item in of_one] for of_one in model.search(said, _TOPS[-1])]}
    settings = CandidateSettings(candidates=_TOPS[-1], meanings=_TOPS[-1])
    for way, meaning in {"names": None, "joined": model}.items():
        candidates = Background.learn(settings, train, base, meaning).candidates(base)
        offered = chain.from_iterable(candidates.of_texts(texts, places))
        found[way] = [[proposal.entity.id for proposal in of_one] for of_one in offered]
    known = set(base.entities({id_ for ids in wanted for id_ in ids}))
    there = [bool(ids) and ids <= known for ids in wanted]
    return {"mentions": sum(there)} | {
        way: _among(list(compress(of_way, there)), list(compress(wanted, there)))
        for way, of_way in found.items()
    }


def _among(
    found: Sequence[Sequence[str]], wanted: Sequence[frozenset[str]]
) -> dict[str, dict[str, float]]:
    """By k, the share of mentions with the right one among the first k candidates.

    Of one that means several things at once, ``recall`` wants one candidate that is all of them;
    ``parts`` is content with a candidate for each.
    """
    rows: dict[str, dict[str, float]] = {"recall": {}, "parts": {}}
    for k in _TOPS:
        firsts = [[ids_of(id_) for id_ in of_one[:k]] for of_one in found]
        whole = [ids in first for ids, first in zip(wanted, firsts, strict=True)]
        parts = [ids <= frozenset().union(*of) for ids, of in zip(wanted, firsts, strict=True)]
        rows["recall"][str(k)] = sum(whole) / len(found)
        rows["parts"][str(k)] = sum(parts) / len(found)
    return rows


def labels(paths: dict[str, Path]) -> Task:
    """Issues with the labels that they have; those without any are left out."""
    parts = {
        part: [
            RankExample(_text(row), tuple(dict.fromkeys(row.labels)))
            for row in sets.issues_of(paths[part])
            if row.labels
        ]
        for part in ("train", "dev")
    }
    names = sorted({name for rows in parts.values() for row in rows for name in row.items})
    catalogue = [Item(name, name.replace("-", " ").replace(":", " ")) for name in names]
    return Task(catalogue, parts["train"], parts["dev"])


def duplicates(paths: dict[str, Path]) -> Task:
    """Issues with those that they repeat; and titles with their own issues, to learn from.

    Duplicates are no items, so that none finds itself; pairs whose older issue is one are left
    out.
    """
    parts = ("train", "dev", "test")
    issues = {str(row.id): row for part in parts for row in sets.issues_of(paths[part])}
    same: dict[str, list[str]] = defaultdict(list)
    for new, old in sets.duplicates_of(paths["duplicates"]):
        if new in issues and old in issues and new != old:
            same[new].append(old)
    catalogue = [Item(id_, _text(row)) for id_, row in issues.items() if id_ not in same]
    there = {item.id for item in catalogue}
    found = [
        (RankExample(_text(issues[new]), tuple(known)), _number(new) % _JUDGED == 0)
        for new, old in same.items()
        if (known := [id_ for id_ in old if id_ in there])
    ]
    titles = [RankExample(issues[item.id].title, (item.id,)) for item in catalogue]
    train = [example for example, judged in found if not judged]
    return Task(
        catalogue,
        train + [title for title in titles if title.text.strip()],
        [example for example, judged in found if judged],
    )


def by_popularity(task: Task) -> Ranking:
    """The items that most texts of the training data have, for every text."""
    counts = Counter(name for example in task.train for name in example.items)
    scores = np.array([counts[item.id] for item in task.catalogue], dtype=np.float32)
    return _judged(task, np.tile(scores, (len(task.judged), 1)))


def by_tfidf(task: Task) -> Ranking:
    """The cosine of character tf-idf with the items' texts."""
    texts = [item.text for item in task.catalogue]
    model = CharacterTfIdf(texts)
    asked = model([example.text for example in task.judged])
    scores = [asked @ model(texts[at : at + _BLOCK]).T for at in range(0, len(texts), _BLOCK)]
    return _judged(task, np.concatenate(scores, axis=1))


def _judged(task: Task, scores: NDArray[np.float32]) -> Ranking:
    """Figures of scores of all items, (texts, items)."""
    number = {item.id: n for n, item in enumerate(task.catalogue)}
    wanted = [[number[id_] for id_ in example.items] for example in task.judged]
    found = [places(row, right) for row, right in zip(scores, wanted, strict=True)]
    return summarise_ranking(found, len(task.catalogue), sum(map(len, wanted)))


def _told(found: Ranking) -> dict[str, Any]:
    row = msgspec.to_builtins(found)
    return {key: row[key] for key in ("texts", "recall", "mrr", "mean_rank")}


def _text(row: sets.Issue) -> str:
    return f"{row.title}\n{row.body or ''}"[:_LONGEST]


def _number(id_: str) -> int:
    return int(hashlib.sha256(id_.encode()).hexdigest(), 16)


def _model(
    recipe: Recipe,
    learn: Callable[[RankPlan, Start], RankFit],
    folder: Path,
    options: Options,
    digest: str,
) -> tuple[dict[str, Any], RankModel]:
    """A trained or given model, and how it came about."""
    if options.models:
        (given,) = options.models
        return {"model": Path(given).name}, load_ranks(given)
    # Here and not above: scoring a given folder needs no torch.
    from benchmarks.training import Watch
    from quern.train.fit import Start
    from quern.train.settings import rank_plan

    preset = options.preset or recipe.preset
    words: Sequence[str] = (*recipe.words, *options.words)
    plan = rank_plan(preset, [*words, f"seed={options.seed}"])
    watch, fit = Watch(), learn(plan, Start(options.init, options.vectors))
    fit.data = digest
    metrics = fit.run(folder, overwrite=True, report=watch)
    figures = {
        "preset": preset,
        "set": words,
        "init": of_encoder(options.init),
        "threads": plan.schedule.threads,
        **watch.figures(),
        "peak_megabytes": peak_memory() / 1e6,
        "held_out": metrics["dev"],
    }
    return figures, load_ranks(folder)


def _of_catalogue(task: Task, plan: RankPlan, start: Start) -> RankFit:
    from quern.train.rank_fit import RankFit

    return RankFit(task.train, None, task.catalogue, plan, start=start)


def _of_base(
    train: Sequence[LinkExample],
    dev: Sequence[LinkExample],
    base: KnowledgeBase,
    plan: RankPlan,
    start: Start,
) -> RankFit:
    from quern.train.rank_fit import RankFit

    return RankFit.of_base(train, dev, base, plan, start=start)
