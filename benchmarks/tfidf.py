"""Character tf-idf, the baseline of all that compares texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


class CharacterTfIdf:
    """Texts as weighted counts of their characters, single and in pairs.

    The n-grams that stand in two texts at least have a place each; one that stands in a single
    text is common to no two, and only counts for its text's length.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        """Count in how many texts each n-gram stands."""
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(set(grams_of(text)))
        self._idf = {gram: float(np.log(len(texts) / count)) + 1 for gram, count in counts.items()}
        shared = (gram for gram, count in counts.items() if count > 1)
        self._places = {gram: place for place, gram in enumerate(shared)}
        self._new = float(np.log(max(1, len(texts)))) + 1

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Rows of length 1, but for what a text alone has."""
        rows = np.zeros((len(texts), len(self._places)), dtype=np.float32)
        for row, text in enumerate(texts):
            weights = {
                gram: (1 + np.log(count)) * self._idf.get(gram, self._new)
                for gram, count in Counter(grams_of(text)).items()
            }
            norm = np.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
            for gram, weight in weights.items():
                if gram in self._places:
                    rows[row, self._places[gram]] = weight / norm
        return rows


def grams_of(text: str) -> list[str]:
    """Characters and pairs of characters, case folded, white space left out."""
    folded = "".join(text.lower().split())
    return [*folded, *map("".join, pairwise(folded))]
