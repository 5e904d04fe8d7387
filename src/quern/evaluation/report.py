"""An evaluation as one HTML page that needs nothing else: no network, no other file."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from quern.evaluation import parts
from quern.evaluation.judging import Fact, Judged
from quern.evaluation.summary import Evaluation, PredicateRow
from quern.evaluation.wording import HEADS, REASONS, remarks

_KINDS = {"missed": "missed", "wrong": "wrong"}


def report(evaluation: Evaluation, judged: Sequence[Judged], title: str, limit: int = 200) -> str:
    """The page.

    Args:
        evaluation: the figures.
        judged: the texts they were made from.
        title: what was evaluated, in plain text.
        limit: the largest number of texts with errors to show; where there are more, they
            are taken at even distances.
    """
    wrong = [text for text in judged if any(fact.status != "right" for fact in text.facts)]
    target = evaluation.target
    body = [
        *_summary(evaluation),
        *_predicates(evaluation.predicates),
        *parts.scores(evaluation.curve, evaluation.calibration, "facts"),
        *parts.goals("recall ≥", evaluation.at_recall),
        *(parts.goals("precision ≥", [target]) if target else ()),
        *_errors(wrong, limit),
    ]
    return parts.whole(title, body)


def _summary(evaluation: Evaluation) -> list[str]:
    overall, interval = evaluation.overall, evaluation.interval
    rows = [("all lines", overall)]
    rows += [("complete lines", evaluation.complete)] if evaluation.complete else []
    rows += [("incomplete lines", evaluation.incomplete)] if evaluation.incomplete else []
    return [
        parts.boxes(
            [
                ("F1", overall.f1, interval.f1),
                ("precision", overall.precision, interval.precision),
                ("recall", overall.recall, interval.recall),
            ]
        ),
        *(f"<p>{escape(line)}</p>" for line in remarks(evaluation)),
        *parts.table(("lines", *HEADS), rows, sortable=False),
    ]


def _predicates(rows: Sequence[PredicateRow]) -> list[str]:
    named = ((row.predicate + ("" if row.known else " (unknown)"), row.figures) for row in rows)
    return ["<h2>Predicates</h2>", *parts.table(("predicate", *HEADS), named)]


def _errors(wrong: Sequence[Judged], limit: int) -> list[str]:
    some = parts.spread(wrong, limit)
    predicates = sorted({f.predicate for text in some for f in text.facts if f.status != "right"})
    numbers = {name: i for i, name in enumerate(predicates)}
    head = parts.errors(
        wrong,
        limit,
        "In the texts, <mark class='subject'>subjects</mark> and "
        "<mark class='object'>objects</mark> are underlined; the colours say "
        '<span class="kind right">right</span><span class="kind missed">missed</span>'
        '<span class="kind wrong">wrong</span>',
        {"predicate": {str(i): name for name, i in numbers.items()}, "kind": _KINDS},
    )
    return [*head, *(_article(text, numbers) for text in some)]


def _article(text: Judged, numbers: dict[str, int]) -> str:
    order = {"missed": 0, "wrong": 1, "right": 2}
    facts = sorted(text.facts, key=lambda fact: order[fact.status])
    example = text.example
    where = parts.where(example.line, example.id)
    where += [] if example.complete else ["labels incomplete"]
    items = (_item(i, fact, numbers) for i, fact in enumerate(facts))
    return parts.article(where, marked(example.text, facts), items)


def _item(i: int, fact: Fact, numbers: dict[str, int]) -> str:
    def end(words: str, kind: str | None) -> str:
        return f"<bdi>{escape(words)}</bdi>" + (
            f' <span class="soft">({escape(kind)})</span>' if kind else ""
        )

    why = f" — {REASONS[fact.reason]}" if fact.reason else ""
    sure = "" if fact.score is None else f" {fact.score:.2f}"
    return (
        f'<li data-fact="{i}" data-kind="{fact.status}" '
        f'data-predicate="{numbers.get(fact.predicate, "")}">'
        f'<span class="kind {fact.status}">{fact.status}</span>'
        f"{end(fact.subject, fact.subject_type)} → <b>{escape(fact.predicate)}</b> → "
        f'{end(fact.object, fact.object_type)}<span class="soft">{sure}{why}</span></li>'
    )


def marked(text: str, facts: Sequence[Fact]) -> str:
    """The text as HTML, the ends of all facts marked with their roles and statuses."""
    return parts.marked(
        text,
        [
            (place, frozenset({role, fact.status}), i)
            for i, fact in enumerate(facts)
            for place, role in ((fact.subject_place, "subject"), (fact.object_place, "object"))
            if place is not None
        ],
    )
