"""An evaluation as one HTML page that needs nothing else: no network, no other file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from itertools import pairwise

from quern import page
from quern.evaluation.figures import (
    Calibration,
    Choice,
    CurvePoint,
    Evaluation,
    Figures,
    PredicateRow,
)
from quern.evaluation.judging import Fact, Judged
from quern.evaluation.wording import (
    CHOICE_HEADS,
    REASONS,
    calibration_error,
    choice,
    many,
    number,
    remarks,
    share,
)

_WIDTH, _HEIGHT, _MARGIN = 360, 240, 34

Point = tuple[float, float]


def report(evaluation: Evaluation, judged: Sequence[Judged], title: str, limit: int = 200) -> str:
    """The page.

    Args:
        evaluation: the figures.
        judged: the texts they were made from.
        title: what was evaluated, in plain text.
        limit: the largest number of texts with errors to show; where there are more, they
            are taken at even distances.
    """
    style, script = (_inline(name) for name in ("report.css", "report.js"))
    wrong = [text for text in judged if any(fact.status != "right" for fact in text.facts)]
    body = [
        *_summary(evaluation),
        *_predicates(evaluation.predicates),
        *_scores(evaluation.curve, evaluation.calibration),
        *_choices("recall ≥", evaluation.at_recall),
        *(_choices("precision ≥", [evaluation.target]) if evaluation.target else ()),
        *_errors(wrong, limit),
    ]
    return page.whole(title, body, style, script)


def _inline(name: str) -> str:
    return files("quern.evaluation").joinpath(name).read_text("utf-8")


# -- figures ----------------------------------------------------------------------------


def _summary(evaluation: Evaluation) -> list[str]:
    overall, interval = evaluation.overall, evaluation.interval
    boxes = []
    for name, value, between in (
        ("F1", overall.f1, interval.f1),
        ("precision", overall.precision, interval.precision),
        ("recall", overall.recall, interval.recall),
    ):
        span = f"{share(between[0])} – {share(between[1])}" if between else "–"
        boxes.append(f'<div>{name}<b>{share(value)}</b><span class="soft">{span}</span></div>')
    rows = [("all lines", overall)]
    rows += [("complete lines", evaluation.complete)] if evaluation.complete else []
    rows += [("incomplete lines", evaluation.incomplete)] if evaluation.incomplete else []
    return [
        f'<div class="figures">{"".join(boxes)}</div>',
        *(f"<p>{escape(line)}</p>" for line in remarks(evaluation)),
        *_table(("lines", *_HEADS), rows, sortable=False),
    ]


_HEADS = ("wanted", "given", "right", "precision", "recall", "F1")


def _table(
    heads: Sequence[str], rows: Iterable[tuple[str, Figures]], sortable: bool = True
) -> list[str]:
    sort = [' data-sort="text"', *[' data-sort="number"'] * (len(heads) - 1)]
    head = "".join(
        f'<th scope="col"{kind if sortable else ""}>{escape(name)}</th>'
        for name, kind in zip(heads, sort, strict=True)
    )
    body = []
    for name, f in rows:
        cells = [f'<td data-value="{escape(name)}">{escape(name)}</td>']
        cells += [f'<td data-value="{n}">{number(n)}</td>' for n in (f.wanted, f.given, f.right)]
        for value in (f.precision, f.recall, f.f1):
            cells.append(f'<td data-value="{-1 if value is None else value}">{share(value)}</td>')
        body.append(f"<tr>{''.join(cells)}</tr>")
    return [
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>',
        f"<tbody>{''.join(body)}</tbody></table></div>",
    ]


def _predicates(rows: Sequence[PredicateRow]) -> list[str]:
    named = ((row.predicate + ("" if row.known else " (unknown)"), row.figures) for row in rows)
    return ["<h2>Predicates</h2>", *_table(("predicate", *_HEADS), named)]


def _scores(curve: Sequence[CurvePoint], calibration: Calibration | None) -> list[str]:
    lines: list[tuple[str, str, list[Point]]] = []
    for style, name, of in (("a", "F1", "f1"), ("b", "precision", "precision")):
        lines.append((style, name, _points(curve, of)))
    lines.append(("c", "recall", _points(curve, "recall")))
    parts = [
        "<h2>Scores</h2>",
        '<div class="charts">',
        "<figure><figcaption>If facts that score less are left out</figcaption>",
        _chart(lines, "least score", "Precision, recall and F1 over the least score"),
        "</figure>",
    ]
    if calibration is not None:
        measured = [(b.score, b.right) for b in calibration.bins]
        parts += [
            "<figure><figcaption>Share right by score "
            f"({calibration_error(calibration)})</figcaption>",
            _chart([("a", "right", measured)], "score", "Share right over score", even=True),
            "</figure>",
        ]
    return [*parts, "</div>", *(_bins(calibration) if calibration else ())]


def _bins(calibration: Calibration) -> list[str]:
    rows = "".join(
        f"<tr><td>{b.low:.1f} – {b.high:.1f}</td><td>{number(b.given)}</td>"
        f"<td>{share(b.score)}</td><td>{share(b.right)}</td></tr>"
        for b in calibration.bins
    )
    heads = "".join(f"<th>{name}</th>" for name in ("score", "given", "mean score", "share right"))
    return [
        '<details><summary>Calibration table</summary><div class="wide"><table>',
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div></details>",
    ]


def _choices(goal: str, choices: Sequence[Choice]) -> list[str]:
    heads = "".join(f'<th scope="col">{name}</th>' for name in (goal, *CHOICE_HEADS))
    rows = ("".join(f"<td>{cell}</td>" for cell in choice(made)) for made in choices)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return [
        f'<div class="wide"><table><thead><tr>{heads}</tr></thead>',
        f"<tbody>{body}</tbody></table></div>",
    ]


def _points(curve: Sequence[CurvePoint], of: str) -> list[Point]:
    pairs = ((point.min_score, getattr(point.figures, of)) for point in curve)
    return [(x, y) for x, y in pairs if y is not None]


def _chart(
    lines: Sequence[tuple[str, str, list[Point]]], below: str, label: str, even: bool = False
) -> str:
    """Lines over the unit square as an SVG drawing."""

    def x(value: float) -> float:
        return round(_MARGIN + value * (_WIDTH - 2 * _MARGIN), 1)

    def y(value: float) -> float:
        return round(_HEIGHT - _MARGIN - value * (_HEIGHT - 2 * _MARGIN), 1)

    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">']
    for tick in (0, 0.25, 0.5, 0.75, 1):
        parts.append(f'<path class="grid" d="M{x(0)} {y(tick)}H{x(1)}M{x(tick)} {y(0)}V{y(1)}"/>')
        parts.append(f'<text x="{x(0) - 6}" y="{y(tick) + 4}" text-anchor="end">{tick}</text>')
        parts.append(f'<text x="{x(tick)}" y="{y(0) + 14}" text-anchor="middle">{tick}</text>')
    parts.append(f'<text x="{x(0.5)}" y="{_HEIGHT - 4}" text-anchor="middle">{below}</text>')
    if even:
        parts.append(f'<path class="even" d="M{x(0)} {y(0)}L{x(1)} {y(1)}"/>')
    for i, (style, name, points) in enumerate(lines):
        path = " ".join(f"{x(a)},{y(b)}" for a, b in points)
        parts.append(f'<polyline class="{style}" points="{path}"/>')
        at = f'x="{x(0) + 70 * i}" y="{y(1) - 10}"'
        parts.append(f'<text class="{style}" {at}>{name}</text>')
        if even:
            parts += (f'<circle class="{style}" cx="{x(a)}" cy="{y(b)}" r="3"/>' for a, b in points)
    return "".join(parts) + "</svg>"


# -- errors ------------------------------------------------------------------------------


def _errors(wrong: Sequence[Judged], limit: int) -> list[str]:
    some = spread(wrong, limit)
    if not some:
        none = (
            "No text has an error."
            if not wrong
            else f"{many(len(wrong), 'text')} with errors, none shown."
        )
        return ["<h2>Errors</h2>", f"<p>{none}</p>"]
    left = len(wrong) - len(some)
    rest = f"; {number(left)} left out (those shown lie at even distances)" if left else ""
    predicates = sorted({f.predicate for text in some for f in text.facts if f.status != "right"})
    numbers = {name: i for i, name in enumerate(predicates)}
    choices = "".join(f'<option value="{i}">{escape(p)}</option>' for p, i in numbers.items())
    return [
        "<h2>Errors</h2>",
        f"<p>{number(len(some))} of {many(len(wrong), 'text')} with errors{rest}. "
        "In the texts, <mark class='subject'>subjects</mark> and "
        "<mark class='object'>objects</mark> are underlined; the colours say "
        '<span class="kind right">right</span><span class="kind missed">missed</span>'
        '<span class="kind wrong">wrong</span></p>',
        "<form hidden>",
        '<label>predicate <select id="predicate"><option value="">any</option>'
        f"{choices}</select></label>",
        '<label>kind <select id="kind"><option value="">any</option>'
        '<option value="missed">missed</option><option value="wrong">wrong</option>'
        "</select></label>",
        '<span id="shown" class="soft" role="status"></span>',
        "</form>",
        *(_article(text, numbers) for text in some),
    ]


def spread(items: Sequence[Judged], limit: int) -> list[Judged]:
    """At most ``limit`` of the items, at even distances."""
    count = min(limit, len(items))
    return [items[i * len(items) // count] for i in range(count)]


def _article(text: Judged, numbers: dict[str, int]) -> str:
    order = {"missed": 0, "wrong": 1, "right": 2}
    facts = sorted(text.facts, key=lambda fact: order[fact.status])
    example = text.example
    where = [f"line {example.line}"] if example.line else []
    where += [f"id {example.id}"] if example.id is not None else []
    where += [] if example.complete else ["labels incomplete"]
    items = "".join(_item(i, fact, numbers) for i, fact in enumerate(facts))
    return (
        f'<article><div class="soft">{escape(" · ".join(where))}</div>'
        f'<p class="text" dir="auto">{marked(example.text, facts)}</p><ul>{items}</ul></article>'
    )


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
    """The text as HTML, the ends of all facts marked.

    The text is cut wherever a span begins or ends. Every piece that lies in a span is one
    ``<mark>`` with a class for each role and status it plays a part in, so spans may nest
    and overlap.
    """
    opens: dict[int, list[tuple[str, int]]] = {}
    closes: dict[int, list[tuple[str, int]]] = {}
    for i, fact in enumerate(facts):
        for place, role in ((fact.subject_place, "subject"), (fact.object_place, "object")):
            if place is not None and place[0] < place[1]:
                opens.setdefault(place[0], []).append((role, i))
                closes.setdefault(place[1], []).append((role, i))
    pieces = []
    over: set[tuple[str, int]] = set()
    borders = sorted({0, len(text), *opens, *closes})
    for start, end in pairwise(borders):
        over = (over - set(closes.get(start, ()))) | set(opens.get(start, ()))
        piece = escape(text[start:end])
        if over:
            classes = {role for role, _ in over} | {facts[i].status for _, i in over}
            held = " ".join(str(i) for i in sorted({i for _, i in over}))
            named = " ".join(sorted(classes))
            piece = f'<mark class="{named}" data-facts="{held}">{piece}</mark>'
        pieces.append(piece)
    return "".join(pieces)
