"""What decoding gives back of labels when the network makes no mistake."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from quern.alignment import AlignedTriple, UnitSpan, in_window
from quern.text import Window
from quern.triples import (
    SPAN,
    Pairing,
    Scores,
    Thresholds,
    decode,
    decode_subjects,
    object_targets,
    span_targets,
    sparse,
    sparse_spans,
    subject_targets,
)

# Targets are 0 or 1, so any thresholds between do.
_SURE: dict[Pairing, Thresholds] = {"nearest": Thresholds(), "spans": Thresholds(span=SPAN)}


def reachable(
    triples: Sequence[AlignedTriple], windows: Iterable[Window], pairing: Pairing = "spans"
) -> set[AlignedTriple]:
    """Turn placed triples into targets, window by window, and decode these as a model would.

    With ``pairing`` "spans" every triple comes back; another may come with them where the start
    of one object and the end of another make a span that takes part in some other triple.
    With "nearest" not every set of spans can be expressed. Of a span that begins inside another
    and ends before it, say, the outer one comes back with the end of the inner one.

    Returns:
        What decoding finds, in units of the text. It differs from ``triples`` where these
        cannot be expressed, or where no window holds one of them.
    """
    found: set[AlignedTriple] = set()
    for window in windows:
        held = in_window(list(triples), window)
        if held:
            decoded = _decoded(held, window, _SURE[pairing])
            found |= {_moved(triple, window.first) for triple in decoded}
    return found


def _decoded(held: list[AlignedTriple], window: Window, sure: Thresholds) -> list[AlignedTriple]:
    length = window.stop - window.first
    # Labels do not meet in decoding, so those of this window will do.
    labels = list(dict.fromkeys(triple.label for triple in held))
    numbers = {label: k for k, label in enumerate(labels)}
    subjects = subject_targets(held, length)
    spans = sparse_spans(span_targets(held, length), sure)
    objects = {
        subject: sparse(object_targets(held, subject, numbers, length), sure)
        for subject in decode_subjects(subjects, sure, spans)
    }
    found = decode(Scores(subjects, objects, spans), sure)
    return [AlignedTriple(hit.subject, labels[hit.label], hit.object) for hit in found]


def _moved(triple: AlignedTriple, by: int) -> AlignedTriple:
    (a, b), label, (c, d) = triple
    span: UnitSpan = (c + by, d + by)
    return AlignedTriple((a + by, b + by), label, span)
