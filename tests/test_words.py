"""Words over units: which word covers a unit, and a codec that knows words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nasty import texts
from quern.errors import FolderError, TextError
from quern.text import CodecRules, TextCodec, Vocabulary, Window, Words, normalise, split

LISTED = (
    *("云州", "云州市", "州市长", "市", "青石", "青石镇", "王", "小说", "小说家"),
    *("norden", "new york", "new york city", "17k", "works", "strasse", "𠮷", "2", "x"),
)
RULES = CodecRules(window=8, overlap=3)
WITH = TextCodec(Vocabulary(["云", "州", "norden"]), RULES, LISTED)
WITHOUT = TextCodec(Vocabulary(["云", "州", "norden"]), RULES)

# Texts in which listed words begin, break off, touch and overlap.
pieces = st.sampled_from(
    [*"云州市长青石镇王小说家", *LISTED, "New", "york ", "K", " ", "。", "ﬁsh"]
)
wordy = st.lists(pieces, max_size=14).map("".join)
either = st.one_of(wordy, texts())


def covered(text: str, codec: TextCodec = WITH) -> list[int]:
    """The row of the word that covers each unit."""
    return codec.encode(text).features[:, -1].tolist()


def units(text: str) -> list[str]:
    return [normalise(text[a:b])[0] for a, b in split(text)]


def runs(rows: Sequence[int], words: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """First unit, row and length of each word; 0 and 1 for a unit in none."""
    at = 0
    while at < len(rows):
        size = len(split(words[rows[at] - 1])) if rows[at] else 1
        yield at, rows[at], size
        at += size


@given(either)
def test_words_cover_what_they_are_made_of_and_none_would_have_been_longer(text: str) -> None:
    spelled = {tuple(units(word)): row for row, word in enumerate(LISTED, 1)}
    found, rows = units(text), covered(text)
    assert len(rows) == len(found)
    for at, row, size in runs(rows, LISTED):
        begin_here = [key for key in spelled if tuple(found[at : at + len(key)]) == key]
        longest = max(begin_here, key=len, default=None)
        assert row == (0 if longest is None else spelled[longest])
        assert rows[at : at + size] == [row] * size
        assert longest is None or len(longest) == size


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("云州市长", ["云州市"] * 3 + [None]),
        ("云州长", ["云州"] * 2 + [None]),
        ("州市", [None, "市"]),
        ("云 州", ["云州"] * 2),
        ("NORDEN norden Nordens", ["norden", "norden", None]),
        ("in New  York, in new\nyork city", [None, "new york", "new york", None]
         + [None] + ["new york city"] * 3),
        ("Straße 17Ｋ", ["strasse", "17k", "17k"]),
        ("王小说家2", ["王", "小说家", "小说家", "小说家", "2"]),
        ("", []),
    ],
)  # fmt: skip
def test_examples(text: str, wanted: list[str | None]) -> None:
    assert [LISTED[row - 1] if row else None for row in covered(text)] == wanted


@given(st.lists(texts(6).map(lambda text: normalise(text)[0]), min_size=1, max_size=8))
def test_a_listed_word_covers_itself(candidates: list[str]) -> None:
    good = {}
    for word in candidates:
        try:
            Words([word])
        except TextError:
            continue
        good.setdefault(tuple(units(word)), word)
    assume(good)
    codec = TextCodec(Vocabulary(()), words=good.values())
    for row, word in enumerate(good.values(), 1):
        assert set(covered(word, codec)) == {row}
        assert set(covered(word.upper(), codec)) == {row} or normalise(word.upper())[0] != word


@given(either)
def test_words_change_nothing_else(text: str) -> None:
    with_words, without = WITH.encode(text), WITHOUT.encode(text)
    assert with_words.starts.tolist() == without.starts.tolist()
    assert with_words.ends.tolist() == without.ends.tolist()
    assert np.array_equal(with_words.features[:, :-1], without.features)
    for first in range(with_words.length):
        assert WITH.span(with_words, first, first) == WITHOUT.span(without, first, first)


@given(st.lists(either, min_size=1, max_size=5))
def test_alone_and_in_a_batch_are_the_same(many: list[str]) -> None:
    shared = TextCodec(WITH.vocabulary, RULES, LISTED)
    parts = [(e, w) for e in map(shared.encode, many) for w in shared.windows(e)]
    assume(parts)
    together = WITH.arrays(parts, 16)
    assert set(together) == {"units", "shapes", "grams", "words"}
    assert all(array.dtype == np.int32 and array.flags.c_contiguous for array in together.values())
    for i, (encoding, (first, stop)) in enumerate(parts):
        rows = covered(encoding.text, TextCodec(WITH.vocabulary, RULES, LISTED))
        assert together["words"][i].tolist() == rows[first:stop] + [0] * (16 - stop + first)
        alone = WITH.arrays([(encoding, Window(first, stop))], 8)
        for name, array in alone.items():
            assert np.array_equal(array[0], together[name][i, :8])


def test_without_words_payload_and_fingerprint_are_what_they_were(tmp_path: Path) -> None:
    plain = TextCodec(Vocabulary(["ada", "字"]), CodecRules(window=8, overlap=3))
    assert plain.fingerprint == "5c4daae076446e01c11aa4661e6b6973b6c59169b96d0c6546fd49ec1b4175f8"
    plain.save(tmp_path / "codec.json")
    assert (tmp_path / "codec.json").read_text("utf-8") == (
        '{"codec":1,"rules":{"min_count":2,"max_units":30000,"buckets":16384,"window":8,'
        '"overlap":3},"units":["ada","字"]}'
    )
    encoding = plain.encode("字 Ada")
    assert encoding.features.shape == (2, 10)
    assert set(plain.arrays([(encoding, Window(0, 2))], 8)) == {"units", "shapes", "grams"}


@given(either)
def test_a_codec_with_words_comes_back_from_its_file(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "words.json"
    WITH.save(path)
    back = TextCodec.load(path)
    assert back.words.listed == LISTED
    assert back.fingerprint == WITH.fingerprint
    assert np.array_equal(back.encode(text).features, WITH.encode(text).features)


def test_the_fingerprint_tells_words_apart() -> None:
    lists = [(), LISTED, LISTED[::-1], LISTED[:-1]]
    assert len({TextCodec(WITH.vocabulary, RULES, words).fingerprint for words in lists}) == 4


@pytest.mark.parametrize("words", [["Norden"], [""], [" "], ["\ud800"], ["½"], ["x\ny"]], ids=ascii)
def test_a_word_that_no_text_could_hold_is_refused(words: list[str]) -> None:
    with pytest.raises(TextError, match="a word list needs folded words of a line each"):
        Words(["云州", *words])


def test_two_words_of_the_same_units_are_refused() -> None:
    with pytest.raises(TextError, match="'云州' and '云 州': a word list needs different words"):
        Words(["云州", "norden", "云 州"])


def test_a_file_with_a_bad_word_is_not_a_codec(tmp_path: Path) -> None:
    path = tmp_path / "codec.json"
    WITH.save(path)
    path.write_bytes(path.read_bytes().replace(b'"norden","new', b'"Norden","new'))
    with pytest.raises(FolderError, match="not a codec: 'Norden': a word list needs folded"):
        TextCodec.load(path)
