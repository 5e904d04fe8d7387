"""Proposed titles beside given ones, as one HTML page that needs nothing else."""

from __future__ import annotations

import random
from collections.abc import Sequence
from html import escape

from quern.evaluation import parts
from quern.evaluation.titles import JudgedTitle, TitleFigures, TitleHabits
from quern.evaluation.wording import many, number, share
from quern.text import normalise, word_spans, words_in


def title_report(
    figures: TitleFigures,
    judged: Sequence[JudgedTitle],
    title: str,
    limit: int = 200,
    seed: int = 0,
) -> str:
    """The page.

    Args:
        figures: of all documents.
        judged: the documents they were made from.
        title: what was evaluated, in plain text.
        limit: the largest number of documents to show, drawn by chance.
        seed: of the draw; the same seed draws the same documents.
    """
    shown = samples(judged, limit, seed)
    body = [
        parts.boxes(
            [
                ("ROUGE-1", figures.rouge1, None),
                ("ROUGE-2", figures.rouge2, None),
                ("ROUGE-L", figures.rouge_l, figures.rouge_l_interval),
                ("BLEU", figures.bleu, None),
            ]
        ),
        *parts.cells(HABIT_HEADS, habit_rows(figures)),
        "<h2>Samples</h2>",
        f"<p>{number(len(shown))} of {many(len(judged), 'document')}, drawn by chance (seed "
        f"{seed}). Marked are <mark class='right'>words of the given title</mark>, "
        "<mark class='missed'>words that the document lacks</mark>, and "
        "<mark class='right missed'>both</mark>.</p>",
        *map(_article, shown),
    ]
    return parts.whole(title, body)


def samples(judged: Sequence[JudgedTitle], limit: int, seed: int) -> list[JudgedTitle]:
    """At most ``limit`` documents, drawn by chance, in their order."""
    drawn = random.Random(seed).sample(range(len(judged)), min(limit, len(judged)))
    return [judged[i] for i in sorted(drawn)]


HABIT_HEADS = ("", "proposed", "given")


def habit_rows(figures: TitleFigures) -> list[list[str]]:
    """What titles are like, proposed ones beside given ones, in words."""

    def row(habits: TitleHabits) -> list[str]:
        return [
            number(habits.empty),
            f"{habits.words:.1f}",
            share(habits.novel),
            share(habits.repeated_bigrams),
            share(habits.repeated_trigrams),
            share(habits.first_line),
        ]

    names = (
        "titles without a word",
        "words of a title",
        "share of words that the document lacks",
        "titles that repeat two words in a row",
        "titles that repeat three words in a row",
        "titles that are the first line",
    )
    both = zip(names, row(figures.proposed), row(figures.given), strict=True)
    return [list(cells) for cells in both]


def _article(judged: JudgedTitle) -> str:
    example, rouge = judged.example, judged.rouge
    where = parts.where(example.line, example.id)
    where += [f"ROUGE-1 {share(rouge.rouge1)}", f"ROUGE-2 {share(rouge.rouge2)}"]
    where += [f"ROUGE-L {share(rouge.rouge_l)}"]
    where += [] if judged.score is None else [f"log probability of a token {judged.score:.2f}"]
    proposed = _marked(judged) or '<span class="soft">none</span>'
    return (
        f'<article><div class="soft">{escape(" · ".join(where))}</div>'
        '<div class="titles">'
        f'<div><span class="soft">given</span><b dir="auto">{escape(example.title)}</b></div>'
        f'<div><span class="soft">proposed</span><b dir="auto">{proposed}</b></div></div>'
        f"<details><summary>document, {many(len(example.body), 'character')}</summary>"
        f'<p class="text" dir="auto">{escape(example.body)}</p></details></article>'
    )


def _marked(judged: JudgedTitle) -> str:
    """The proposed title, its words marked by where else they stand."""
    given, body = set(words_in(judged.example.title)), set(words_in(judged.example.body))
    spans = []
    for i, (start, end) in enumerate(word_spans(judged.title)):
        word = normalise(judged.title[start:end])[0]
        held = (("right", word in given), ("missed", word not in body))
        classes = frozenset(name for name, holds in held if holds)
        spans += [((start, end), classes, i)] if classes else []
    return parts.marked(judged.title, spans)
