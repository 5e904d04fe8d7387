"""What the pages of evaluations are made of: boxes, tables, curves, texts with marks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from itertools import pairwise
from typing import TypeVar

from quern import page
from quern.evaluation.figures import (
    Calibration,
    CurvePoint,
    Figures,
    Interval,
    LeastScore,
)
from quern.evaluation.judging import Place
from quern.evaluation.wording import (
    GOAL_HEADS,
    calibration_error,
    goal_row,
    many,
    number,
    share,
)

_WIDTH, _HEIGHT, _MARGIN = 360, 240, 34

Point = tuple[float, float]
_T = TypeVar("_T")


def whole(title: str, body: Iterable[str]) -> str:
    """The page of some parts, in the style of all evaluations."""
    style, script = (_inline(name) for name in ("report.css", "report.js"))
    return page.whole(title, body, style, script)


def _inline(name: str) -> str:
    return files("quern.evaluation").joinpath(name).read_text("utf-8")


# -- figures ----------------------------------------------------------------------------


def boxes(shown: Iterable[tuple[str, float | None, Interval | None]]) -> str:
    """The figures that matter most, in large: name, share, and the interval that it lies in."""
    divs = []
    for name, value, between in shown:
        span = f"{share(between[0])} – {share(between[1])}" if between else "–"
        divs.append(f'<div>{name}<b>{share(value)}</b><span class="soft">{span}</span></div>')
    return f'<div class="figures">{"".join(divs)}</div>'


def table(
    heads: Sequence[str], rows: Iterable[tuple[str, Figures]], sortable: bool = True
) -> list[str]:
    """Figures in rows; any name but those of ``heads`` may come from data."""
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


def scores(curve: Sequence[CurvePoint], calibration: Calibration | None, what: str) -> list[str]:
    """What least scores leave, and whether scores can be trusted; ``what`` has the scores."""
    lines: list[tuple[str, str, list[Point]]] = []
    for style, name, of in (("a", "F1", "f1"), ("b", "precision", "precision")):
        lines.append((style, name, _points(curve, of)))
    lines.append(("c", "recall", _points(curve, "recall")))
    parts = [
        "<h2>Scores</h2>",
        '<div class="charts">',
        f"<figure><figcaption>If {what} that score less are left out</figcaption>",
        _chart(lines, "least score", "Precision, recall and F1 over the least score"),
        "</figure>",
    ]
    if calibration is not None:
        parts += reliability(calibration)
    return [*parts, "</div>", *(bins(calibration) if calibration else ())]


def reliability(calibration: Calibration) -> list[str]:
    """The share that is right over the score, as a drawing."""
    measured = [(b.score, b.right) for b in calibration.bins]
    return [
        f"<figure><figcaption>Share right by score ({calibration_error(calibration)})</figcaption>",
        _chart([("a", "right", measured)], "score", "Share right over score", even=True),
        "</figure>",
    ]


def bins(calibration: Calibration) -> list[str]:
    """The same in numbers."""
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


def goals(goal: str, reached: Sequence[LeastScore]) -> list[str]:
    """The least scores that reach a recall or a precision."""
    return cells((goal, *GOAL_HEADS), map(goal_row, reached))


def cells(heads: Iterable[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table of plain words."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    inner = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
    body = "".join(f"<tr>{row}</tr>" for row in inner)
    return [
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>',
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


def errors(
    wrong: Sequence[object],
    limit: int,
    legend: str,
    filters: Mapping[str, Mapping[str, str]],
) -> list[str]:
    """The head of the errors; below it stand the articles of ``spread(wrong, limit)``.

    Args:
        wrong: the texts with errors.
        limit: the largest number to show.
        legend: HTML that says how to read the texts.
        filters: name of an attribute (``data-…``) of the items → its values, each with the
            words that stand for it.
    """
    shown = min(limit, len(wrong))
    if not shown:
        none = (
            "No text has an error."
            if not wrong
            else f"{many(len(wrong), 'text')} with errors, none shown."
        )
        return ["<h2>Errors</h2>", f"<p>{none}</p>"]
    left = len(wrong) - shown
    rest = f"; {number(left)} left out (those shown lie at even distances)" if left else ""
    return [
        "<h2>Errors</h2>",
        f"<p>{number(shown)} of {many(len(wrong), 'text')} with errors{rest}. {legend}</p>",
        "<form hidden>",
        *(_select(name, values) for name, values in filters.items()),
        '<span id="shown" class="soft" role="status"></span>',
        "</form>",
    ]


def _select(name: str, values: Mapping[str, str]) -> str:
    options = "".join(
        f'<option value="{escape(value)}">{escape(words)}</option>'
        for value, words in values.items()
    )
    return (
        f'<label>{name} <select id="{name}"><option value="">any</option>{options}</select></label>'
    )


def spread(items: Sequence[_T], limit: int) -> list[_T]:
    """At most ``limit`` of the items, at even distances."""
    count = min(limit, len(items))
    return [items[i * len(items) // count] for i in range(count)]


def where(line: int, id_: str | None) -> list[str]:
    """Which text of its file it is, in words."""
    return [*([f"line {line}"] if line else []), *([f"id {id_}"] if id_ is not None else [])]


def article(where: Iterable[str], text: str, items: Iterable[str]) -> str:
    """A text with what is right and wrong in it.

    Args:
        where: plain words that say which text it is.
        text: HTML, see ``marked``.
        items: HTML, a ``li`` each.
    """
    return (
        f'<article><div class="soft">{escape(" · ".join(where))}</div>'
        f'<p class="text" dir="auto">{text}</p><ul>{"".join(items)}</ul></article>'
    )


def item(number: int, kind: str, status: str, words: str, inner: str) -> str:
    """One thing that is right or wrong in a text.

    Args:
        number: by which the marks in the text name it.
        kind: what the filter goes by; ``right`` is no error.
        status: right, missed or wrong; its colour.
        words: plain words for the kind.
        inner: HTML.
    """
    return (
        f'<li data-fact="{number}" data-kind="{kind}">'
        f'<span class="kind {status}">{escape(words)}</span>{inner}</li>'
    )


def marked(text: str, spans: Iterable[tuple[Place, frozenset[str], int]]) -> str:
    """The text as HTML, some spans marked.

    The text is cut wherever a span begins or ends. Every piece that lies in a span is one
    ``<mark>`` with the classes of all spans it lies in, so spans may nest and overlap.

    Args:
        text: plain text.
        spans: where each begins and ends, its classes, and the number of the item it belongs
            to; one without a character is left out.
    """
    opens: dict[int, list[tuple[frozenset[str], int]]] = {}
    closes: dict[int, list[tuple[frozenset[str], int]]] = {}
    for (start, end), classes, i in spans:
        if start < end:
            opens.setdefault(start, []).append((classes, i))
            closes.setdefault(end, []).append((classes, i))
    pieces = []
    over: set[tuple[frozenset[str], int]] = set()
    borders = sorted({0, len(text), *opens, *closes})
    for start, end in pairwise(borders):
        over = (over - set(closes.get(start, ()))) | set(opens.get(start, ()))
        piece = escape(text[start:end])
        if over:
            held = " ".join(str(i) for i in sorted({i for _, i in over}))
            named = " ".join(sorted(frozenset().union(*(classes for classes, _ in over))))
            piece = f'<mark class="{named}" data-facts="{held}">{piece}</mark>'
        pieces.append(piece)
    return "".join(pieces)
