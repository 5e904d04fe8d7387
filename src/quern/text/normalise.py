"""Per-character normalisation that keeps the way back to the caller's string."""

from __future__ import annotations

import unicodedata


class _Folds(dict[int, str]):
    """Code point → folded string, filled as characters are met (``str.translate`` table)."""

    def __missing__(self, code: int) -> str:
        folded = unicodedata.normalize("NFKC", chr(code)).casefold()
        # Folding takes some letters apart (``ΐ`` into three); a second NFKC joins them again.
        # No character may vanish: an empty result would make two texts of one length ambiguous.
        self[code] = unicodedata.normalize("NFKC", folded) or chr(code)
        return self[code]


_FOLDS = _Folds()


def normalise(text: str) -> tuple[str, list[int] | None]:
    """Fold width, compatibility forms and case, each character on its own.

    Args:
        text: any string, lone surrogates included.

    Returns:
        The folded string, and for each of its characters the index of the character in
        ``text`` that it came from; ``None`` stands for "the same index everywhere".
    """
    folded = text.translate(_FOLDS)
    # Every character yields at least one, so equal lengths mean one for one.
    if len(folded) == len(text):
        return folded, None
    origin = [i for i, char in enumerate(text) for _ in _FOLDS[ord(char)]]
    return folded, origin
