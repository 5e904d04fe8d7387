"""Evaluations of mentions, choices and links as HTML pages that need nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TypeVar

from quern.evaluation import parts
from quern.evaluation.figures import Bootstrap, Calibration, Figures
from quern.evaluation.link_figures import ChoiceEvaluation, LinkEvaluation
from quern.evaluation.link_wording import (
    ACCURACY_HEADS,
    KINDS,
    accuracies,
    kinds,
    link_rows,
    of_choices,
    of_links,
    of_mentions,
    recalls,
)
from quern.evaluation.linking import JudgedLinks, Kind, Knows, LinkFact
from quern.evaluation.mentions import JudgedMentions, MentionEvaluation, MentionFact
from quern.evaluation.wording import HEADS, number
from quern.records import Entity, ids_of

_BEGINNING = 160  # characters of a description that are shown

_LEGEND = (
    "In the texts, mentions are marked; the colours say "
    '<span class="kind right">right</span><span class="kind missed">not found</span>'
    '<span class="kind wrong">wrong</span>'
)
_T = TypeVar("_T", JudgedMentions, JudgedLinks)


def report_mentions(
    evaluation: MentionEvaluation, judged: Sequence[JudgedMentions], title: str, limit: int = 200
) -> str:
    """The page of a mention model; see ``report``."""
    wrong = _wrong(judged)
    target = evaluation.target
    filters = {"kind": {"missed": "missed", "wrong": "wrong"}}
    body = [
        _f1s(evaluation.overall, evaluation.interval),
        *_said(of_mentions(evaluation)),
        *parts.table(("mentions", *HEADS), [("all", evaluation.overall)], sortable=False),
        *parts.scores(evaluation.curve, evaluation.calibration, "mentions"),
        *parts.goals("recall ≥", evaluation.at_recall),
        *(parts.goals("precision ≥", [target]) if target else ()),
        *parts.errors(wrong, limit, _LEGEND, filters),
        *(_mentions(text) for text in parts.spread(wrong, limit)),
    ]
    return parts.whole(title, body)


def report_choices(
    evaluation: ChoiceEvaluation,
    judged: Sequence[JudgedLinks],
    entities: Knows,
    title: str,
    limit: int = 200,
) -> str:
    """The page of a choice whose mentions were given.

    Args:
        evaluation: the figures.
        judged: the texts they were made from.
        entities: asked once, for those that the shown texts speak of.
        title: what was evaluated, in plain text.
        limit: see ``report``.
    """
    body = [*_choices(evaluation), *_errors(judged, evaluation.kinds, entities, limit)]
    return parts.whole(title, body)


def report_links(
    evaluation: LinkEvaluation,
    judged: Sequence[JudgedLinks],
    entities: Knows,
    title: str,
    limit: int = 200,
) -> str:
    """The page from texts to entities; see ``report_choices``."""
    body = [
        _f1s(evaluation.links, evaluation.interval),
        *_said(of_links(evaluation)),
        *parts.table(("found", *HEADS), link_rows(evaluation), sortable=False),
        *_counted(evaluation.kinds),
        *_calibrated(evaluation.calibration),
        "<h2>Mentions given</h2>",
        *_choices(evaluation.given),
        *_errors(judged, evaluation.kinds, entities, limit),
    ]
    return parts.whole(title, body)


# -- figures ----------------------------------------------------------------------------


def _f1s(figures: Figures, interval: Bootstrap) -> str:
    return parts.boxes(
        [
            ("F1", figures.f1, interval.f1),
            ("precision", figures.precision, interval.precision),
            ("recall", figures.recall, interval.recall),
        ]
    )


def _choices(evaluation: ChoiceEvaluation) -> list[str]:
    linked, overall = evaluation.linked, evaluation.overall
    return [
        parts.boxes(
            [
                ("accuracy, entity in the base", linked.accuracy, linked.interval),
                ("at most", linked.ceiling, None),
                ("accuracy of all", overall.accuracy, overall.interval),
            ]
        ),
        *_said(of_choices(evaluation)),
        *parts.cells(("given mentions", *ACCURACY_HEADS), accuracies(evaluation)),
        *_said([recalls(evaluation)]),
        *parts.table(("answers", *HEADS), [("NIL", evaluation.nils)], sortable=False),
        *_counted(evaluation.kinds),
        *_calibrated(evaluation.calibration),
    ]


def _said(lines: Iterable[str]) -> list[str]:
    return [f"<p>{escape(line)}</p>" for line in lines]


def _counted(counted: Mapping[Kind, int]) -> list[str]:
    rows = [[words, number(count)] for words, count in kinds(counted)]
    return parts.cells(("error", "mentions"), rows) if rows else []


def _calibrated(calibration: Calibration | None) -> list[str]:
    if calibration is None:
        return []
    drawn = ['<div class="charts">', *parts.reliability(calibration), "</div>"]
    return [*drawn, *parts.bins(calibration)]


# -- errors ------------------------------------------------------------------------------


def _wrong(judged: Sequence[_T]) -> list[_T]:
    return [text for text in judged if any(fact.status != "right" for fact in text.facts)]


def _article(text: JudgedMentions | JudgedLinks, items: Iterable[str]) -> str:
    example = text.example
    facts: Sequence[MentionFact | LinkFact] = text.facts
    spans = [((f.start, f.end), frozenset({f.status}), i) for i, f in enumerate(facts)]
    where = parts.where(example.line, example.id)
    return parts.article(where, parts.marked(example.text, spans), items)


def _mentions(text: JudgedMentions) -> str:
    return _article(text, (_mention(i, fact) for i, fact in enumerate(text.facts)))


def _mention(i: int, fact: MentionFact) -> str:
    sure = "" if fact.score is None else f" {fact.score:.2f}"
    nil = " (NIL)" if fact.nil else ""
    return parts.item(
        i,
        fact.status,
        fact.status,
        fact.status,
        f'<bdi>{escape(fact.text)}</bdi><span class="soft">{nil}{sure}</span>',
    )


def _errors(
    judged: Sequence[JudgedLinks], counted: Mapping[Kind, int], entities: Knows, limit: int
) -> list[str]:
    wrong = _wrong(judged)
    some = parts.spread(wrong, limit)
    ids = sorted({id_ for text in some for fact in text.facts for id_ in _named(fact)})
    known = entities(ids)
    named: dict[str, str] = {kind: KINDS[kind] for kind in counted if kind != "right"}
    return [
        *parts.errors(wrong, limit, _LEGEND, {"kind": named}),
        *(_links(text, known) for text in some),
    ]


def _named(fact: LinkFact) -> frozenset[str]:
    """The ids that an item shows."""
    link = fact.link
    shown = [] if link is None else [link.id, *(choice.id for choice in link.choices)]
    return ids_of(fact.wanted).union(*map(ids_of, shown))


def _links(text: JudgedLinks, known: Mapping[str, Entity]) -> str:
    return _article(text, (_link(i, fact, known) for i, fact in enumerate(text.facts)))


def _link(i: int, fact: LinkFact, known: Mapping[str, Entity]) -> str:
    said = []
    if fact.link is not None:
        sure = f' <span class="soft">{fact.link.link_score:.2f}</span>'
        said.append(f"chosen {_entity(fact.link.id, known)}{sure}")
    if fact.labelled and fact.kind != "right":
        rank = "" if fact.rank is None else f' <span class="soft">(candidate {fact.rank})</span>'
        said.append(f"wanted {_entity(fact.wanted, known)}{rank}")
    words = f"<b><bdi>{escape(fact.text)}</bdi></b> — {'; '.join(said)}"
    table = "" if fact.kind == "right" else _candidates(fact, known)
    return parts.item(i, fact.kind, fact.status, KINDS[fact.kind], words + table)


def _entity(id_: str | None, known: Mapping[str, Entity]) -> str:
    if id_ is None:
        return "NIL"
    names = " + ".join(known[one].name for one in sorted(ids_of(id_)) if one in known)
    named = f"<bdi>{escape(names)}</bdi> " if names else ""
    return f'{named}<span class="soft">({escape(id_)})</span>'


def _candidates(fact: LinkFact, known: Mapping[str, Entity]) -> str:
    """The candidates with their scores; the wanted one, where it is not among them, without."""
    choices = () if fact.link is None else fact.link.choices
    rows = [_candidate(fact, choice.id, f"{choice.score:.2f}", known) for choice in choices]
    there = {ids_of(choice.id) for choice in choices}
    if fact.wanted is not None and ids_of(fact.wanted) not in there:
        rows.append(_candidate(fact, fact.wanted, "–", known))
    if not rows:
        return ""
    return (
        "<details><summary>candidates</summary>"
        f'<div class="wide"><table class="candidates">{"".join(rows)}</table></div></details>'
    )


def _candidate(fact: LinkFact, id_: str, score: str, known: Mapping[str, Entity]) -> str:
    chosen = fact.link is not None and ids_of(fact.link.id) == ids_of(id_)
    wanted = ids_of(fact.wanted) == ids_of(id_)
    what = "wanted" if wanted else "chosen" if chosen else ""
    about = " + ".join(_beginning(known[one]) for one in sorted(ids_of(id_)) if one in known)
    return (
        f"<tr><td>{score}</td><td>{what}</td><td>{_entity(id_, known)}</td>"
        f"<td><bdi>{escape(about)}</bdi></td></tr>"
    )


def _beginning(entity: Entity) -> str:
    """The beginning of its description; its types where it has none."""
    whole = entity.description or ", ".join(entity.types)
    short = whole[:_BEGINNING]
    return short if short == whole else f"{short}…"
