"""Strings that break offsets: what hypothesis builds its texts from."""

from __future__ import annotations

from hypothesis import strategies as st

PIECES = [
    *("王", "小说", "17K", "々", "〇", "𠮷", "\uf900", "⼀", "。", "（", "《"),
    *("Ada", "ada", "ADA", "Straße", "ﬁsh", "eﬃ", "ß", "ǅ", "ſ", "x", "_", "'", "-"),
    *("İ", "ı", "I", "i\u0307", "Σ", "ς", "ή", "e\u0301", "e\u0323\u0302", "\u0345"),
    *("½", "3½", "2", "1", "⁄", "Ⅷ", "²", "①", "１２", "٣", "２", "㍿", "㈱", "¨", "´"),
    *("Ａ", "ｂ", "ﾊ", "ﾞ", "ｶﾞ", "ภำ", "हि", "한", "\u1112\u1161\u11ab", "𝐀"),
    *("\u05e9\u05b8\u05c1", "\u05d0", "\ufb2a", "\u0643\u0650", "\u0644\u0627", "\ufdfa", "\ufefb"),
    *("👩\u200d👧", "👍🏽", "❤\ufe0f", "🇨🇳", "\u200b", "\u200d", "\ufeff", "\u00ad", "\u202e"),
    *("\ud83d", "\udc00", "\ud800", "\udfff", "\x00", "\x1f", "\ufffe", "\U0010ffff"),
    *(" ", "  ", "\r\n", "\n", "\t", "\u3000", "\xa0", "\u2028", "\x85"),
]

anywhere = st.integers(0, 0x10FFFF).map(chr)
pieces = st.one_of(st.sampled_from(PIECES), st.sampled_from(PIECES), anywhere)


def texts(longest: int = 12) -> st.SearchStrategy[str]:
    """Strings of up to ``longest`` pieces."""
    return st.lists(pieces, max_size=longest).map("".join)
