"""How well sentences of one meaning find each other, beside character tf-idf in the same run.

Chinese: synonymous sentences, of which a tenth of the groups (by the SHA-256 of their names) is
only ranked; epochs are chosen on another tenth of the rest. One case for each loss, all else alike.
English: intents, told by the nearest training sentence and by a linear head over the vectors; the
threshold below which a query is out of scope is chosen on dev, which is held out of the training
data where a set has none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks import sets
from benchmarks.minilm import MiniLM
from benchmarks.options import CACHE, Options, Outcome
from benchmarks.tfidf import CharacterTfIdf
from benchmarks.triples_accuracy import of_encoder
from quern.bench import peak_memory
from quern.data import data_hash, read_sentences
from quern.evaluation.retrieval import (
    Found,
    cut,
    grade_pairs,
    look_up,
    summarise_retrieval,
)
from quern.records import SentenceExample
from quern.sentences import SentenceModel, Vectors
from quern.tasks import load_sentences

Numbers = NDArray[np.int64]


class Recipe(NamedTuple):
    """How a model is trained: ``quern train sentences --preset PRESET --set WORD …``."""

    of: str
    preset: str
    words: tuple[str, ...]


_SHORT = ("epochs=8", "fine_epochs=2", "rate=0.003", "dropout=0.3", "unknown=0.1")
_GROUPS = (*_SHORT, "batch_size=256", "classes=2000", "scale=20")
_PAIRS = (*_SHORT, "batch_size=512", "scale=20")
_WIDE = ("vector_dim=256", "phrase_dim=256")
_OVER_GROUPS = ("softmax", "am-softmax", "arcface", "min-softmax", "a-softmax", "l-softmax")
_CARD = (
    "data_name=Chinese synonymous sentences (tongyiju)",
    "licence=mixed; for measuring only",
    "limits=Short questions and requests.",
)
_INTENTS = (
    *("epochs=20", "fine_epochs=2", "patience=4", "rate=0.003", "dropout=0.5", "unknown=0.2"),
    *("batch_size=64", "loss=am-softmax", "scale=30"),
)
_ENCODED = ("dim=96", "rate=0.002")  # for the encoder of preset fast, by --init
_FULL = (
    *("rate=0.001", "epochs=8", "dropout=0.5", "unknown=0.1", "margin=0.2", "scale=20"),
    *(*_WIDE, "dilations=[1,2,5,1,2,5,1,2,5,1,1,1]"),  # those of preset full elsewhere
)
RECIPES = {
    **{
        f"core-{loss}": Recipe("core", "fast", (*_GROUPS, f"loss={loss}", *_CARD))
        for loss in _OVER_GROUPS
    },
    "core-am-center": Recipe("core", "fast", (*_GROUPS, "loss=am-softmax", "center=0.1", *_CARD)),
    "core-triplet": Recipe("core", "fast", (*_PAIRS, "loss=triplet", *_CARD)),
    "core-contrastive": Recipe("core", "fast", (*_PAIRS, "loss=contrastive", *_CARD)),
    "core-hard": Recipe("core", "fast", (*_PAIRS, "loss=contrastive", "hard=0.5", *_CARD)),
    "core-gru": Recipe("core", "gru", (*_PAIRS, "loss=contrastive", *_CARD)),
    "core-wide": Recipe("core", "fast", (*_PAIRS, *_WIDE, "loss=contrastive", *_CARD)),
    "core-full": Recipe("core", "full", (*_PAIRS, *_WIDE, *_ENCODED, "loss=contrastive", *_CARD)),
    "all-full": Recipe("all", "full", (*_PAIRS, *_WIDE, *_ENCODED, "loss=contrastive", *_CARD)),
    "all-contrastive": Recipe("all", "fast", (*_PAIRS, "loss=contrastive", *_CARD)),
    "all-wide": Recipe("all", "fast", (*_PAIRS, *_WIDE, "loss=contrastive", *_CARD)),
    "all-gru": Recipe("all", "gru", (*_PAIRS, "loss=contrastive", *_CARD)),
    "all-gru-wide": Recipe("all", "gru", (*_PAIRS, *_WIDE, "dim=256", "loss=contrastive", *_CARD)),
    "clinc150": Recipe("clinc150", "fast", _INTENTS),
    "banking77": Recipe("banking77", "fast", _INTENTS),
    "clinc150-full": Recipe("clinc150", "full", (*_INTENTS, *_FULL)),
    "banking77-full": Recipe("banking77", "full", (*_INTENTS, *_FULL)),
    "clinc150-peer": Recipe("clinc150", "full", (*_INTENTS, *_FULL)),
    "banking77-peer": Recipe("banking77", "full", (*_INTENTS, *_FULL)),
}
PEER = "-peer"  # cases that give the vectors of MiniLM to the same judges, too
PAIRS = ("oppo-dev", "afqmc-dev")
_OUT = "oos"  # the group of queries that are out of scope
_THRESHOLDS = np.linspace(0, 1, 201)


def cases(options: Options) -> list[str]:
    """One for each recipe."""
    return list(RECIPES)


def run(case: str, options: Options) -> Outcome:
    """Train by the recipe, or take the given folder; score it."""
    recipe = RECIPES[case]
    folder = CACHE / "models" / f"sentences-{case}-{options.seed}"
    if recipe.of in ("core", "all"):
        path = sets.synonyms_path(options.data, recipe.of)
        train, held = split(sets.synonyms(path))
        figures, model = _model(recipe, train, None, folder, options, data_hash(path))
        figures |= {"groups": len({e.group for e in train}), "sentences": len(train)}
        figures["held_out"] = ranked(model, held)
        for name in PAIRS:
            pairs = sets.sentence_pairs(sets.pairs_path(options.data, name))
            graded = grade_pairs(model, pairs)
            figures[name] = {"spearman": graded.spearman, "accuracy": graded.accuracy}
        return Outcome(figures, [path])
    paths = sets.intents(options.data, recipe.of)
    parts = {name: [e for p in paths[name] for e in read_sentences(p)] for name in paths}
    if "dev" not in parts:
        parts["train"], parts["dev"] = held_out(parts["train"])
    dev = [e for e in parts["dev"] if e.group != _OUT]
    figures, model = _model(
        recipe, parts["train"], dev, folder, options, data_hash(*paths["train"])
    )
    figures |= told_apart(model, parts)
    if case.endswith(PEER):
        peer = MiniLM()
        figures["minilm"] = {**told_apart(peer, parts), "sentences_per_second": max(peer.speeds)}
    return Outcome(figures, [p for name in paths for p in paths[name]])


def split(
    examples: Sequence[SentenceExample],
) -> tuple[list[SentenceExample], list[SentenceExample]]:
    """To train on, and a tenth of the groups by the SHA-256 of their names."""
    out = {e.group: int(hashlib.sha256(e.group.encode()).hexdigest(), 16) % 10 for e in examples}
    return [e for e in examples if out[e.group]], [e for e in examples if not out[e.group]]


def held_out(
    examples: Sequence[SentenceExample],
) -> tuple[list[SentenceExample], list[SentenceExample]]:
    """To train on, and a tenth of the texts by their SHA-256, to choose by."""
    out = [int(hashlib.sha256(e.text.encode()).hexdigest(), 16) % 10 for e in examples]
    rows = list(zip(examples, out, strict=True))
    return [e for e, n in rows if n], [e for e, n in rows if not n]


def _model(
    recipe: Recipe,
    train: Sequence[SentenceExample],
    dev: Sequence[SentenceExample] | None,
    folder: Path,
    options: Options,
    digest: str,
) -> tuple[dict[str, Any], SentenceModel]:
    """A trained or given model, and how it came about."""
    if options.models:
        (given,) = options.models
        return {"model": Path(given).name}, load_sentences(given)
    # Here and not above: scoring a given folder needs no torch.
    from benchmarks.training import Watch
    from quern.train.fit import Start
    from quern.train.sentence_fit import SentenceFit
    from quern.train.settings import sentence_plan

    preset = options.preset or recipe.preset
    words = (*recipe.words, *options.words)
    plan = sentence_plan(preset, [*words, f"seed={options.seed}"])
    watch, start = Watch(), Start(options.init, options.vectors)
    fit = SentenceFit(train, dev, plan, start=start)
    fit.data = digest
    metrics = fit.run(folder, overwrite=True, report=watch)
    figures = {
        "preset": preset,
        "set": words,
        "init": of_encoder(options.init),
        "threads": plan.schedule.threads,
        **watch.figures(),
        "peak_megabytes": peak_memory() / 1e6,
        "dev": metrics["dev"],
    }
    return figures, load_sentences(folder)


def ranked(model: SentenceModel, held: Sequence[SentenceExample]) -> dict[str, Any]:
    """Unseen groups ranked among themselves, by the model and by tf-idf."""
    texts, of = [e.text for e in held], numbered([e.group for e in held])
    ours = summarise_retrieval(look_up(model(texts), of), len(held))
    theirs = summarise_retrieval(look_up(CharacterTfIdf(texts)(texts), of), len(held))
    return {
        "queries": len(held),
        "groups": int(of.max()) + 1,
        **{f"top{k}": share for k, share in ours.top.items()},
        "mrr": ours.mrr,
        "tfidf": {f"top{k}": share for k, share in theirs.top.items()},
    }


def numbered(groups: Sequence[str]) -> Numbers:
    """Groups as numbers, in the order in which they come."""
    seen: dict[str, int] = {}
    return np.array([seen.setdefault(group, len(seen)) for group in groups], dtype=np.int64)


def told_apart(
    model: Callable[[list[str]], Vectors], parts: dict[str, list[SentenceExample]]
) -> dict[str, dict[str, Any]]:
    """Intents by the nearest training sentence, and by a linear head."""
    names = sorted({e.group for e in parts["train"]})
    number = {name: i for i, name in enumerate(names)}
    of = {part: np.array([number.get(e.group, -1) for e in parts[part]]) for part in parts}
    vectors = {part: model([e.text for e in parts[part]]) for part in parts}
    head = LinearHead(vectors["train"], of["train"], vectors["dev"], of["dev"])
    ways = {"nearest": {}, "linear": {}}
    for part in ("dev", "test"):
        near = look_up(vectors[part], of[part], vectors["train"], of["train"])
        ways["nearest"][part] = near
        ways["linear"][part] = head.found(vectors[part], of[part])
    return {name: _judged(found) for name, found in ways.items()}


def _judged(found: dict[str, Found]) -> dict[str, Any]:
    """Accuracy in scope; and at the threshold that decides most dev queries rightly, both."""
    test, dev = found["test"], found["dev"]
    figures: dict[str, Any] = {"accuracy": cut(test, -1.0).accuracy}
    if dev.answerable.all():
        return figures
    outside = ~dev.answerable
    right = [
        ((dev.scores >= t) & (dev.ranks == 1)).sum() + ((dev.scores < t) & outside).sum()
        for t in _THRESHOLDS
    ]
    # Dev has fewer queries out of scope than test has; each side counts alike.
    threshold = float(_THRESHOLDS[int(np.argmax(right))])
    at = cut(test, threshold)
    return {
        **figures,
        "threshold": threshold,
        "accuracy_at_threshold": at.accuracy,
        "out_of_scope_recall": at.refused,
    }


class LinearHead:
    """Logistic regression over vectors; its strength is chosen on dev."""

    def __init__(self, x: Vectors, y: Numbers, dev_x: Vectors, dev_y: Numbers) -> None:
        """Fit one for each strength and keep the best."""
        import torch

        inputs, wanted = torch.from_numpy(x), torch.from_numpy(y)
        known, best = dev_y >= 0, -1.0
        for pull in (1e-6, 1e-5, 1e-4, 1e-3):
            made = _fitted(inputs, wanted, pull)
            right = float((_shares(made, dev_x[known]).argmax(axis=1) == dev_y[known]).mean())
            if right > best:
                best, self._made, self.pull = right, made, pull

    def found(self, x: Vectors, of: Numbers) -> Found:
        """The class of each as if it were the nearest, its probability as the score."""
        shares = _shares(self._made, x)
        best = shares.argmax(axis=1)
        ranks = np.where(of < 0, 0, np.where(best == of, 1, 2))
        return Found(ranks, shares.max(axis=1).astype(np.float64), best)


def _fitted(inputs: Any, wanted: Any, pull: float) -> tuple[Vectors, Vectors]:
    """Weights and biases of the classes, drawn towards 0 by ``pull``."""
    import torch
    from torch.nn import functional as F

    classes = int(wanted.max()) + 1
    weight = torch.zeros(inputs.shape[1], classes, requires_grad=True)
    bias = torch.zeros(classes, requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Any:
        optimiser.zero_grad()
        found = F.cross_entropy(inputs @ weight + bias, wanted) + pull * (weight**2).sum()
        found.backward()
        return found

    optimiser.step(loss)
    return weight.detach().numpy(), bias.detach().numpy()


def _shares(made: tuple[Vectors, Vectors], x: Vectors) -> Vectors:
    """Probabilities of the classes."""
    weight, bias = made
    logits = x @ weight + bias
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)
