"""Titles without a model: the first words of a document, and its most central sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from quern.evaluation.titles import Proposes
from quern.records import Headline
from quern.text import sentence_ends, word_spans, words_in


def first_words(n: int) -> Proposes:
    """The first ``n`` words, as they stand there."""

    def propose(texts: Sequence[str]) -> list[list[Headline]]:
        return [[Headline(_beginning(text, n), 0.0)] for text in texts]

    return propose


def first_sentence() -> Proposes:
    """The first sentence that has a word."""

    def propose(texts: Sequence[str]) -> list[list[Headline]]:
        return [[Headline(next(sentences(text), ""), 0.0)] for text in texts]

    return propose


def best_sentence(known: Sequence[str]) -> Proposes:
    """The sentence that is most like all others of its document, by the cosine of tf-idf.

    This is LexRank with continuous weights and without the walk (Erkan and Radev, 2004).

    Args:
        known: documents in which words are counted.
    """
    counts = Counter(word for text in known for word in set(words_in(text)))
    idf = {word: float(np.log(len(known) / count)) for word, count in counts.items()}
    new = float(np.log(max(1, len(known))))

    def best(text: str) -> str:
        of = list(sentences(text))
        if not of:
            return ""
        words = [Counter(words_in(sentence)) for sentence in of]
        places = {word: place for place, word in enumerate(set().union(*words))}
        rows = np.zeros((len(of), len(places)))
        for row, counted in zip(rows, words, strict=True):
            for word, count in counted.items():
                row[places[word]] = count * idf.get(word, new)
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        return of[int((rows @ rows.sum(axis=0)).argmax())]

    return lambda texts: [[Headline(best(text), 0.0)] for text in texts]


def sentences(text: str) -> Iterator[str]:
    """The sentences of a text that have a word."""
    for start, end in pairwise([0, *sentence_ends(text), len(text)]):
        if words_in(sentence := text[start:end].strip()):
            yield sentence


def _beginning(text: str, n: int) -> str:
    spans = word_spans(text)[:n]
    return text[spans[0][0] : spans[-1][1]] if spans else ""
