"""Hashed phrases depend on the units that they are made of, and on nothing else."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from quern.text import CodecRules, TextCodec, Window, phrases

CODEC = TextCodec.fit(["怎样续借图书", "how to renew a book", "书 书 书"], CodecRules(min_count=1))
TEXTS = st.lists(
    st.sampled_from(["怎", "样", "书", "renew", "zebra", "okapi", "7", "!"]), max_size=9
)


def of(text: str, length: int = 16, buckets: int = 1 << 20) -> np.ndarray:
    encoding = CODEC.encode(text)
    return phrases([(encoding, Window(0, encoding.length))], length, buckets)[0]


@given(TEXTS, st.integers(0, 3))
def test_padding_and_company_change_nothing(words: list[str], more: int) -> None:
    text = " ".join(words)
    alone, padded = of(text, 10), of(text, 10 + 8 * more)
    assert np.array_equal(alone, padded[:10])
    assert not padded[len(words) :].any()
    parts = [(e, Window(0, e.length)) for e in map(CODEC.encode, ("书", text))]
    assert np.array_equal(phrases(parts, 10, 1 << 20)[1], alone)


@given(TEXTS, TEXTS)
def test_a_phrase_is_its_units(first: list[str], second: list[str]) -> None:
    ends = [*first, "怎", "样", "书"], [*second, "怎", "样", "书"]
    one, other = (of(" ".join(words)) for words in ends)
    assert np.array_equal(one[len(first) + 2], other[len(second) + 2])  # 样书 and 怎样书
    assert one[len(first) + 1, 0] == other[len(second) + 1, 0]  # 怎样


def test_strangers_the_order_and_the_border_are_told_apart() -> None:
    numbers = {
        int(of(text)[1, 0]) for text in ("怎 zebra", "怎 okapi", "样 zebra", "zebra 怎", "书 书")
    }
    assert len(numbers) == 5
    assert of("书")[0, 0] != of("怎 书")[1, 0]
    assert of("书").tolist()[0][1] == 0  # before the first unit there is no pair


def test_they_fall_into_the_buckets() -> None:
    found = of("怎 样 书 renew zebra okapi 7 !", buckets=5)[:8]
    assert found[:, 0].min() >= 1
    assert found.max() <= 4
