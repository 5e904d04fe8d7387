"""How figures are put into words, the same on the terminal and on the page."""

from __future__ import annotations

from quern.evaluation.figures import Calibration, Figures, LeastScore
from quern.evaluation.judging import Reason
from quern.evaluation.summary import Evaluation

_NAMED = 5  # unknown predicates spelled out before the rest are only counted

REASONS: dict[Reason, str] = {
    "absent": "does not stand there",
    "border": "cuts through a word or number",
    "window": "the ends lie too far apart",
    "spelling": "written otherwise in the text (width, case or white space)",
}


def share(value: float | None) -> str:
    """A share between 0 and 1; a dash where there is none."""
    return "–" if value is None else f"{value:.3f}"


def number(value: int) -> str:
    """A whole number with its thousands set off."""
    return f"{value:,}"


def many(value: int, noun: str) -> str:
    """A number of things: 1 text, 2 texts."""
    return f"{number(value)} {noun}{'' if value == 1 else 's'}"


HEADS = ("wanted", "given", "right", "precision", "recall", "F1")


def figures_row(name: str, f: Figures) -> list[str]:
    """The figures of something, under its name."""
    counts = [number(value) for value in (f.wanted, f.given, f.right)]
    return [name, *counts, *(share(value) for value in (f.precision, f.recall, f.f1))]


GOAL_HEADS = ("least score", "given", "right", "precision", "recall", "F1")


def goal_row(made: LeastScore) -> list[str]:
    """A goal, the least score that reaches it, and what is left; dashes where none does."""
    goal, f = f"{made.goal:g}", made.figures
    if f is None:
        return [goal, *["–"] * len(GOAL_HEADS)]
    counts = [str(made.min_score), number(f.given), number(f.right)]
    return [goal, *counts, share(f.precision), share(f.recall), share(f.f1)]


def calibration_error(measured: Calibration) -> str:
    """How far scores lie from the share that is right."""
    raw = measured.raw_error
    before = "" if raw is None else f" ({share(raw)} before calibration)"
    return f"expected calibration error {share(measured.error)}{before}"


def remarks(evaluation: Evaluation) -> list[str]:
    """What a reader must know besides the figures, one sentence a line."""
    how = evaluation.comparison
    what = (
        "words" if not how.places else "places and types" if how.types else "places without types"
    )
    lines = [f"{many(evaluation.lines, 'text')}, compared by {what}; a fact counts once a text."]
    if evaluation.left_out:
        lines.append(f"{many(evaluation.left_out, 'text')} left out, where a label has no place.")
    if evaluation.unjudged:
        lines.append(
            f"{many(evaluation.unjudged, 'given fact')} not counted: the labels of the text do "
            "not cover the predicate."
        )
    lost = evaluation.unreachable
    if lost.labels:
        why = "; ".join(f"{number(n)} {_WHY[reason]}" for reason, n in lost.reasons.items())
        lines.append(
            f"{many(lost.labels, 'label')} on {many(lost.lines, 'line')} can be found by no model "
            f"and counted as missed: {why}."
        )
    strangers = [row for row in evaluation.predicates if not row.known]
    if strangers:
        wanted = sum(row.figures.wanted for row in strangers)
        names = ", ".join(row.predicate for row in strangers[:_NAMED])
        more = f" and {len(strangers) - _NAMED} more" if len(strangers) > _NAMED else ""
        lines.append(f"{many(wanted, 'label')} of predicates unknown to the model: {names}{more}.")
    if evaluation.incomplete:
        lines.append(
            "On lines with incomplete labels a fact counted as wrong may be true, "
            "so precision is a lower bound there."
        )
    return lines


_WHY: dict[Reason, str] = {
    "absent": "not in the text",
    "border": "cutting through a word or number",
    "window": "with ends too far apart for a window",
    "spelling": "written otherwise in the text",
}
