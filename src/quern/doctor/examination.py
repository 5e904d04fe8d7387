"""Train and dev, each by itself and side by side."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from quern.alignment import Label
from quern.doctor.findings import KINDS, Place, findings
from quern.doctor.look import Look, Row
from quern.doctor.report import Predicate, Report, Shared, TypePair
from quern.text import CodecRules, TextCodec, Vocabulary


def examine(
    train: Iterable[Row],
    dev: Iterable[Row] | None = None,
    rules: CodecRules | None = None,
    few: int = 10,
) -> Report:
    """Look at labelled triples as training would, and say what fits, what is lost, what is odd.

    Args:
        train: examples to train on, lines that could not be read among them.
        dev: examples to choose by.
        rules: how texts are cut into windows.
        few: predicates with fewer examples in train are called out.
    """
    codec = TextCodec(Vocabulary(()), rules)  # placing labels needs no vocabulary
    one = Look(train, codec)
    two = None if dev is None else Look(dev, codec)
    shared = None if two is None else _compare(one, two)
    predicates = _predicates(one.labels, Counter() if two is None else two.labels)
    _judge(predicates, few, one, two)
    found = findings("train", one.found) + ([] if two is None else findings("dev", two.found))
    order = list(KINDS)
    found.sort(key=lambda finding: order.index(finding.kind))  # stable: train before dev
    return Report(
        accepted=not any(finding.stops for finding in found),
        window=codec.rules.window,
        overlap=codec.rules.overlap,
        few=few,
        train=one.report(),
        dev=None if two is None else two.report(),
        predicates=predicates,
        shared=shared,
        findings=tuple(found),
    )


def _predicates(train: Counter[Label], dev: Counter[Label]) -> tuple[Predicate, ...]:
    """Every predicate, the most frequent first."""
    pairs: dict[str, list[TypePair]] = defaultdict(list)
    for label in train | dev:
        pair = TypePair(label.subject_type, label.object_type, train[label], dev[label])
        pairs[label.predicate].append(pair)
    found = [
        Predicate(
            name,
            sum(pair.train for pair in of),
            sum(pair.dev for pair in of),
            tuple(sorted(of, key=lambda p: (-p.train, -p.dev, *_names(p)))),
        )
        for name, of in pairs.items()
    ]
    return tuple(sorted(found, key=lambda p: (-p.train, -p.dev, p.name)))


def _names(pair: TypePair) -> tuple[str, str]:
    return pair.subject_type or "", pair.object_type or ""


def _judge(predicates: Iterable[Predicate], few: int, train: Look, dev: Look | None) -> None:
    """Call out predicates that are rare, stand in one file only, or are typed by halves."""
    for predicate in predicates:
        name = repr(predicate.name)
        counted = f"{name}: {predicate.train} in train, {predicate.dev} in dev"
        if 0 < predicate.train < few:
            train.found["few"].append(Place(0, f"{name}: {predicate.train}"))
        if dev is not None and train.labels and not predicate.train:
            dev.found["unlearned"].append(Place(0, counted))
        if dev is not None and dev.labels and not predicate.dev:
            train.found["unmeasured"].append(Place(0, counted))
        bare = sum(p.train for p in predicate.types if not any(_names(p)))
        if 0 < bare < predicate.train:
            detail = f"{name}: {bare} of {predicate.train} without types"
            train.found["untyped"].append(Place(0, detail))


def _compare(train: Look, dev: Look) -> Shared:
    """What of dev stands in train; shared texts become a finding of dev."""
    for text, seen in dev.texts.items():
        if text in train.texts:
            detail = f"train line {train.texts[text].line}"
            dev.found["overlap"].append(Place(seen.line, detail))
    known = frozenset().union(*train.facts)
    every = [fact for facts in dev.facts for fact in facts]
    again = sum(fact in known for fact in every)
    return Shared(len(dev.found["overlap"]), again, again / max(1, len(every)))
