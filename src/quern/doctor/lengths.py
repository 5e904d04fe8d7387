"""How long texts are: a few figures and a histogram."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median_low

from quern.doctor.report import Bin, Lengths


def lengths_of(lengths: Sequence[int], window: int) -> Lengths:
    """Figures of some texts.

    Args:
        lengths: of every text, in units.
        window: units of a window.
    """
    return Lengths(
        median=median_low(lengths) if lengths else 0,
        longest=max(lengths, default=0),
        several=sum(length > window for length in lengths),
        beyond=sum(max(0, length - window) for length in lengths) / max(1, sum(lengths)),
        bins=_histogram(lengths),
    )


def _histogram(lengths: Sequence[int]) -> tuple[Bin, ...]:
    """Bins that widen as texts grow: 0, 1–8, 9–12, 13–16, 17–24, 25–32, 33–48 and so on."""
    if not lengths:
        return ()
    bins: list[Bin] = []
    counts = Counter(lengths)
    least, longest = 0, max(lengths)
    for most in _borders():
        texts = sum(n for length, n in counts.items() if least <= length <= most)
        if texts or bins:
            bins.append(Bin(least, most, texts))
        if most >= longest:
            break
        least = most + 1
    return tuple(bins)


def _borders() -> Iterator[int]:
    yield 0
    size = 8
    while True:
        yield size
        yield size + size // 2
        size *= 2
