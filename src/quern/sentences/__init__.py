"""Sentences: a vector for each, near to those of sentences that mean the same.

After Su Jianlin, "基于GRU和AM-Softmax的句子相似度模型" (2018): trained to tell groups of
sentences of one meaning from each other; what is kept is the encoder, which knows no groups.
"""

from quern.embedding import Embedder as SentenceModel
from quern.embedding import EmbeddingSettings as SentenceSettings
from quern.embedding import Vectors, arrays_of, unit_rows
from quern.sentences.settings import (
    PAIRED,
    SENTENCE_PRESETS,
    SentenceFitting,
)

__all__ = [
    "PAIRED",
    "SENTENCE_PRESETS",
    "SentenceFitting",
    "SentenceModel",
    "SentenceSettings",
    "Vectors",
    "arrays_of",
    "unit_rows",
]
