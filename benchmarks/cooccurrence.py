"""Whether a model tells a stated fact from two names that only stand together.

The sentences in ``cooccurrence/`` are our own and all names in them are invented. Each pair of
names stands in sentences that state a fact of it and in sentences that do not.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from benchmarks import speed
from benchmarks.options import Options, Outcome
from quern import shipped
from quern.data import numbered_lines, open_bytes
from quern.errors import DataError
from quern.records import Triple
from quern.triples import TripleModel

HOME = Path(__file__).parent / "cooccurrence"
RECALL = 0.9  # of the stated facts, where false positives are counted
BAR = 0.05  # the share of them that is allowed there
_CURVE = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
_NEVER = math.inf  # a least score that nothing reaches

Kind = Literal["stated", "together", "denied", "asked", "other"]


class Sentence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text that names two, and what it says of them.

    Attributes:
        text: one or two sentences.
        triples: the fact, in both directions where a predicate and its inverse name it; none
            where the text states none.
        pair: the two names.
        domain: what the fact is, or could be, about.
        kind: "stated"; else why there is no fact: the two are only named "together", it is
            "denied", "asked" (or wished, planned, doubted), or holds of some "other".
    """

    text: str
    triples: tuple[tuple[str, str, str], ...]
    pair: tuple[str, str]
    domain: str
    kind: Kind


class Found(NamedTuple):
    """The best score of a fact between the pair of a sentence, 0 where there is none."""

    right: float
    any: float


class Answer(NamedTuple):
    """What a model finds between a pair when asked for all, and at its own thresholds."""

    all: Found
    usual: Found


def sentences(language: str) -> list[Sentence]:
    """The sentences of a language."""
    decoder = msgspec.json.Decoder(Sentence)
    with open_bytes(path(language)) as stream:
        return [decoder.decode(line) for _, line in numbered_lines(stream)]


def path(language: str) -> Path:
    """Where the sentences of a language lie."""
    return HOME / f"{language}.jsonl"


def cases(options: Options) -> list[str]:
    """The languages of the models."""
    return sorted({subject.language for subject in speed.subjects(options)})


def run(case: str, options: Options) -> Outcome:
    """Measure the models of one language."""
    ours = [subject for subject in speed.subjects(options) if subject.language == case]
    if not ours:
        raise DataError(f"{case}: none of the models reads this language")
    rows = sentences(case)
    figures: dict[str, Any] = {
        "stated": sum(row.kind == "stated" for row in rows),
        "not_stated": sum(row.kind != "stated" for row in rows),
        "bar": {"recall": RECALL, "false_positives": BAR},
        "models": [
            {**speed.about(subject), **measure(rows, answers(shipped.load(subject.path), rows))}
            for subject in ours
        ],
    }
    return Outcome(figures, [path(case)])


def answers(model: TripleModel, rows: Sequence[Sentence]) -> list[Answer]:
    """Read every sentence, down to the faintest facts that the model can be asked for."""
    found = model([row.text for row in rows], uncertain=0.0)
    return [
        Answer(
            _best(row, triples),
            _best(row, [triple for triple in triples if triple.uncertain is msgspec.UNSET]),
        )
        for row, triples in zip(rows, found, strict=True)
    ]


def _best(row: Sentence, triples: Sequence[Triple]) -> Found:
    predicates = {predicate for _, predicate, _ in row.triples}
    between = [t for t in triples if {t.subject.text, t.object.text} == set(row.pair)]
    return Found(
        max((t.score for t in between if t.predicate in predicates), default=0.0),
        max((t.score for t in between), default=0.0),
    )


def measure(rows: Sequence[Sentence], found: Sequence[Answer]) -> dict[str, Any]:
    """Recall of what is stated against false positives where nothing is."""
    stated = [answer.all for row, answer in zip(rows, found, strict=True) if row.kind == "stated"]
    right = [of_pair.right for of_pair in stated]
    by_any = [of_pair.any for of_pair in stated]
    apart = [answer.all.any for row, answer in zip(rows, found, strict=True) if not row.triples]
    alls = [answer.all for answer in found]
    at = at_score(rows, alls, score_for(right, RECALL))
    reached = {recall: score_for(right, recall) for recall in (*_CURVE, 1.0)}
    return {
        "usual": at_score(rows, [answer.usual for answer in found], 0.0),
        "at_recall": at,
        "met": at["recall"] >= RECALL and at["false_positives"] <= BAR,
        "at_recall_any": at_score(rows, alls, score_for(by_any, RECALL)),
        "at_bar": at_score(rows, alls, score_against(apart, BAR)),
        "curve": [_point(at_score(rows, alls, s)) for s in dict.fromkeys(reached.values())],
    }


def score_for(scores: Sequence[float], recall: float) -> float:
    """The highest least score at which this share is found, or as much of it as ever is.

    Args:
        scores: of what should be found, 0 for what is not.
        recall: the share that is wanted.
    """
    reached = sorted((score for score in scores if score > 0), reverse=True)
    wanted = math.ceil(round(recall * len(scores), 9))  # 0.07 · 100 is a little more than 7
    return reached[min(max(wanted, 1), len(reached)) - 1] if reached else _NEVER


def score_against(scores: Sequence[float], share: float) -> float:
    """The lowest least score that no more than this share reaches, of what should not be found."""
    allowed = int(share * len(scores))
    return math.nextafter(sorted(scores, reverse=True)[allowed], math.inf) if scores else 0.0


def at_score(rows: Sequence[Sentence], found: Sequence[Found], least: float) -> dict[str, Any]:
    """Recall and false positives where facts that score less are left out.

    ``recall`` wants the right predicate and ``recall_any`` any; either end may be the subject.
    ``false_positives`` is the share of the sentences without a fact that get one, under any
    predicate. 0 as the least score leaves out nothing.
    """
    right: dict[str, list[bool]] = defaultdict(list)
    hits: dict[str, list[bool]] = defaultdict(list)
    for row, of_pair in zip(rows, found, strict=True):
        hits[row.kind].append(0 < of_pair.any >= least)
        if row.kind == "stated":
            right[row.domain].append(0 < of_pair.right >= least)
    stated = hits.pop("stated", [])
    return {
        "score": least or None,
        "recall": _share([hit for of_domain in right.values() for hit in of_domain]),
        "recall_any": _share(stated),
        "false_positives": _share([hit for of_kind in hits.values() for hit in of_kind]),
        "false_positives_by_kind": {kind: _share(hits[kind]) for kind in sorted(hits)},
        "recall_by_domain": {domain: _share(found) for domain, found in right.items()},
    }


def _share(hits: Sequence[bool]) -> float:
    return sum(hits) / len(hits) if hits else 0.0


def _point(figures: dict[str, Any]) -> dict[str, float]:
    return {name: figures[name] for name in ("score", "recall", "recall_any", "false_positives")}
