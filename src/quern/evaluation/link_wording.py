"""How figures of links are put into words, the same on the terminal and on the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from quern.evaluation.figures import Figures
from quern.evaluation.link_figures import Accuracy, ChoiceEvaluation, LinkEvaluation
from quern.evaluation.linking import Kind
from quern.evaluation.mentions import MentionEvaluation
from quern.evaluation.wording import many, number, share

KINDS: Mapping[Kind, str] = {
    "right": "right",
    "missed": "not found",
    "extra": "no mention",
    "unproposed": "not a candidate",
    "other": "wrong candidate",
    "nil": "NIL instead of an entity",
    "not_nil": "entity instead of NIL",
    "lacking": "not in the base",
}

ACCURACY_HEADS = ("mentions", "right", "accuracy", "95 % interval", "best-fitting", "at most")


def accuracies(evaluation: ChoiceEvaluation) -> list[list[str]]:
    """The accuracies, a row each under ``ACCURACY_HEADS`` and a first head for what they are of."""
    return [
        ["entity in the base", *_accuracy(evaluation.linked)],
        ["all, NIL where labelled", *_accuracy(evaluation.overall)],
        ["entity among the candidates", *_accuracy(evaluation.proposed)],
    ]


def _accuracy(of: Accuracy) -> list[str]:
    between = "–" if of.interval is None else " – ".join(map(share, of.interval))
    counts = [number(of.mentions), number(of.right), share(of.accuracy), between]
    return [*counts, share(of.first), share(of.ceiling)]


def recalls(evaluation: ChoiceEvaluation) -> str:
    """Recall of the candidates."""
    said = ", ".join(f"{share(row.recall)} at {row.k}" for row in evaluation.candidates)
    return f"recall of the candidates, entity in the base: {said}"


def kinds(counted: Mapping[Kind, int]) -> list[tuple[str, int]]:
    """How often each way of being wrong comes, the most frequent first."""
    return [(KINDS[kind], count) for kind, count in counted.items() if kind != "right"]


def of_mentions(evaluation: MentionEvaluation) -> list[str]:
    """What a reader must know of mentions besides the figures."""
    return [
        f"{many(evaluation.texts, 'text')}, compared by place.",
        f"Found: {share(evaluation.found_linked)} of the mentions with an entity, "
        f"{share(evaluation.found_nil)} of those without (NIL).",
    ]


def of_choices(evaluation: ChoiceEvaluation) -> list[str]:
    """What a reader must know of choices besides the figures."""
    lines = [
        f"{many(evaluation.texts, 'text')}, {many(evaluation.mentions, 'labelled mention')}, "
        f"{number(evaluation.nil)} of them NIL."
    ]
    if evaluation.lacking:
        lines.append(
            f"{many(evaluation.lacking, 'mention')} labelled with an id that the base lacks: "
            "wrong whatever is answered, and only counted among all."
        )
    return lines


def of_links(evaluation: LinkEvaluation) -> list[str]:
    """What a reader must know of links besides the figures."""
    return [
        f"{many(evaluation.texts, 'text')}; a link is right if its place and its entity are; "
        "NIL is an answer like any other, right where NIL is labelled."
    ]


def link_rows(evaluation: LinkEvaluation) -> Iterable[tuple[str, Figures]]:
    """From mentions to links, with the name of each row."""
    return [
        ("mentions", evaluation.mentions.overall),
        ("links", evaluation.links),
        ("links, at most", evaluation.ceiling),
        ("links without NIL", evaluation.linked),
    ]
