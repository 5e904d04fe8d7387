"""Triples: settings, targets, decoding, and the model that reads texts.

The model (Su Jianlin, "基于DGCNN和概率图的轻量级信息抽取模型", 2019) factors
P(s, p, o) = P(s) · P(o, p | s): start and end of subjects are tagged first, then, for each
subject, start and end of its objects under each predicate.
"""

from quern.triples.decoding import (
    Floats,
    Found,
    Hit,
    Scores,
    decode,
    decode_subjects,
    entity_targets,
    object_targets,
    sparse,
    subject_targets,
)
from quern.triples.model import TripleModel
from quern.triples.settings import PRESETS, TripleFitting, TripleSettings
from quern.triples.thresholds import Thresholds, grid, loosened, lowest

__all__ = [
    "PRESETS",
    "Floats",
    "Found",
    "Hit",
    "Scores",
    "Thresholds",
    "TripleFitting",
    "TripleModel",
    "TripleSettings",
    "decode",
    "decode_subjects",
    "entity_targets",
    "grid",
    "loosened",
    "lowest",
    "object_targets",
    "sparse",
    "subject_targets",
]
