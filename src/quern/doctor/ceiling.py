"""What decoding gives back of labels when the network makes no mistake."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from quern.alignment import AlignedTriple, UnitSpan, in_window
from quern.text import Window
from quern.triples import (
    Scores,
    Thresholds,
    decode,
    decode_subjects,
    object_targets,
    sparse,
    subject_targets,
)

_SURE = Thresholds()  # targets are 0 or 1, so any thresholds between do


def reachable(triples: Sequence[AlignedTriple], windows: Iterable[Window]) -> set[AlignedTriple]:
    """Turn placed triples into targets, window by window, and decode these as a model would.

    Marks of starts and ends cannot express every set of spans. Of a span that begins inside
    another and ends before it, say, the outer one comes back with the end of the inner one.

    Returns:
        What decoding finds, in units of the text. It differs from ``triples`` where these
        cannot be expressed, or where no window holds one of them.
    """
    found: set[AlignedTriple] = set()
    for window in windows:
        held = in_window(list(triples), window)
        if held:
            found |= {_moved(triple, window.first) for triple in _decoded(held, window)}
    return found


def _decoded(held: list[AlignedTriple], window: Window) -> list[AlignedTriple]:
    length = window.stop - window.first
    # Labels do not meet in decoding, so those of this window will do.
    labels = list(dict.fromkeys(triple.label for triple in held))
    numbers = {label: k for k, label in enumerate(labels)}
    subjects = subject_targets(held, length)
    objects = {
        subject: sparse(object_targets(held, subject, numbers, length), _SURE)
        for subject in decode_subjects(subjects, _SURE)
    }
    found = decode(Scores(subjects, objects), _SURE)
    return [AlignedTriple(hit.subject, labels[hit.label], hit.object) for hit in found]


def _moved(triple: AlignedTriple, by: int) -> AlignedTriple:
    (a, b), label, (c, d) = triple
    span: UnitSpan = (c + by, d + by)
    return AlignedTriple((a + by, b + by), label, span)
