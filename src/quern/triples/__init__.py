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
    Spans,
    decode,
    decode_subjects,
    entity_targets,
    object_targets,
    span_targets,
    sparse,
    sparse_spans,
    subject_targets,
)
from quern.triples.model import TripleModel
from quern.triples.settings import PRESETS, Pairing, TripleFitting, TripleSettings
from quern.triples.thresholds import SPAN, Thresholds, grid, loosened, lowest, span_grid
from quern.triples.union import ReadsTriples, TripleUnion

__all__ = [
    "PRESETS",
    "SPAN",
    "Floats",
    "Found",
    "Hit",
    "Pairing",
    "ReadsTriples",
    "Scores",
    "Spans",
    "Thresholds",
    "TripleFitting",
    "TripleModel",
    "TripleSettings",
    "TripleUnion",
    "decode",
    "decode_subjects",
    "entity_targets",
    "grid",
    "loosened",
    "lowest",
    "object_targets",
    "span_grid",
    "span_targets",
    "sparse",
    "sparse_spans",
    "subject_targets",
]
