"""Titles as steps and back, and the search for them: what needs no network."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasty import texts
from quern.data import documents
from quern.errors import DataError, FolderError
from quern.runtime import Arrays, Results
from quern.text import TextCodec, split
from quern.titles import (
    END,
    GREEDY,
    RESERVED,
    Begun,
    Decoding,
    Hypothesis,
    Pieces,
    TitleSettings,
    plain,
    read,
    source_arrays,
    write,
)
from quern.titles.decoding import largest
from quern.titles.pieces import OTHER, forms

CODEC = TextCodec.fit([])


def spelled_with(*shown: str, more: tuple[str, ...] = ()) -> Pieces:
    """Pieces of all characters of some texts, and others."""
    characters = sorted({character for text in shown for character in f"▁{plain(text)}"} - {" "})
    return Pieces([*characters, *more])


# -- units as they are written -------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Fix the leak", ["▁Fix", "▁the", "▁leak"]),
        ("fix\n`the_leak`", ["▁fix", "▁`", "the", "_", "leak", "`"]),
        ("江边 起雾", ["江", "边", "▁起", "雾"]),
        ("起雾\n江边", ["起", "雾", "江", "边"]),
        ("“江”用GPU", ["“", "江", "”", "用", "GPU"]),
        ("GPU 江", ["▁GPU", "▁江"]),
    ],
)
def test_units_are_written_with_the_space_before_them(text: str, written: list[str]) -> None:
    assert forms(text, split(text)) == written


@given(texts(), texts(24))
def test_steps_write_the_title_that_they_were_made_of(title: str, body: str) -> None:
    pieces = spelled_with(title, more=("the", "▁the", "SO", "Ada"))
    source = read(CODEC, pieces, body, 100).source
    assert pieces.decode(pieces.targets(title, source), source) == plain(title)
    assert pieces.decode(pieces.targets(title, None), None) == plain(title)


def test_a_unit_is_a_piece_or_taken_over_or_spelled() -> None:
    pieces = spelled_with("abcdefghijklmnopqrstuvwxyz_", more=("▁the", "ing"))
    source = read(CODEC, pieces, "see the zoptic_frame in the log", 100).source
    assert source.new == ("▁see", "▁zoptic", "frame", "▁in", "▁log")
    steps = pieces.targets("the zoptic ending", source)
    size = len(pieces)
    assert (len(steps), steps[1]) == (2 + len("▁end") + 1, size + 1)
    assert pieces.decode(steps[:1], source) == "the"
    assert pieces.decode(steps[-1:], source) == "ing"
    assert all(step < size for step in pieces.targets("the zoptic ending", None))


def test_a_title_begins_with_a_unit_as_the_document_has_it() -> None:
    pieces = spelled_with("frame", more=())
    source = read(CODEC, pieces, "a_frame of zoptic", 100).source
    (step,) = pieces.targets("frame", source)
    assert source.new[step - len(pieces)] == "frame"  # not "▁frame", which does not stand there
    assert pieces.decode([step], source) == "frame"


def test_a_character_without_a_piece_is_told() -> None:
    pieces = Pieces(["▁", "a"])
    assert pieces.targets("aqa", None) == [RESERVED, RESERVED + 1, OTHER, RESERVED + 1]


def test_pieces_differ() -> None:
    with pytest.raises(FolderError, match="twice"):
        Pieces(["a", "a"])


def test_what_is_read_of_a_document_is_told() -> None:
    pieces = spelled_with("")
    reading = read(CODEC, pieces, "one two three four", 3)
    assert (reading.share, reading.source.new) == (0.75, ("▁one", "▁two", "▁three"))
    assert read(CODEC, pieces, " ", 3).share == 1
    arrays = source_arrays([reading, read(CODEC, pieces, "one", 3)], 8, pieces)
    assert arrays["sources"].tolist() == [[5, 6, 7, 0, 0, 0, 0, 0], [5, 0, 0, 0, 0, 0, 0, 0]]
    assert (arrays["room"] == 0).sum(axis=1).tolist() == [3, 1]
    assert (len(pieces) + arrays["room"].shape[1]) % 16 == 0
    assert not arrays["room"][0, :3].any() and set(arrays["room"][1, 1:]) == {-np.inf}


# -- the search ----------------------------------------------------------------------------

WIDE = 9  # ids of the made-up decoder


class Chain:
    """A decoder whose next step depends on the last and on the text alone: a table for each."""

    def __init__(self, texts: int, seed: int = 0, wide: int = WIDE) -> None:
        rng = np.random.default_rng(seed)
        table = rng.normal(size=(texts, wide, wide)).astype(np.float32) * 2
        self.table = table - np.log(np.exp(table).sum(-1, keepdims=True))
        self.rows: list[int] = []

    def __call__(self, inputs: Arrays) -> Results:
        previous, number = inputs["previous"], inputs["number"][:, 0]
        self.rows.append(len(previous))
        moved = np.asarray(inputs["hidden"] + 1, dtype=np.float32)
        scores = self.table[number[:, None], previous].copy()
        return {"log_probs": scores, "next_hidden": moved}

    def begun(self, texts: list[int]) -> Begun:
        hidden = np.zeros((len(texts), 1, 1), dtype=np.float32)
        seeds = [(number,) for number in texts]
        return Begun({"number": np.array(texts)[:, None]}, {"hidden": hidden}, seeds)

    def write(
        self, texts: list[int], plan: Decoding, longest: int = 6, count: int = 1
    ) -> list[list[Hypothesis]]:
        return write(self, self.begun(texts), plan, longest, count)

    def total(self, text: int, steps: tuple[int, ...], ended: bool = True) -> float:
        path = (1, *steps, *((END,) if ended else ()))
        return float(sum(self.table[text, a, b] for a, b in pairwise(path)))


def test_a_wide_beam_finds_the_best_title_of_all() -> None:
    chain = Chain(4)
    plan = Decoding(beam=200, block=0, alpha=0.0)
    for text, (best, *_) in enumerate(chain.write([0, 1, 2, 3], plan, longest=3)):
        every = [
            steps for n in (1, 2) for steps in product(range(RESERVED, WIDE), repeat=n)
        ]  # a third step has no room for its end
        totals = {steps: chain.total(text, steps) for steps in every}
        unended = {
            steps: chain.total(text, steps, ended=False)
            for steps in product(range(RESERVED, WIDE), repeat=3)
        }
        totals |= unended
        assert best.steps == max(totals, key=lambda steps: totals[steps])
        assert best.total == pytest.approx(totals[best.steps], abs=1e-5)


def test_greedy_takes_the_next_best_step() -> None:
    chain = Chain(5, seed=3)
    for text, (found,) in enumerate(chain.write(list(range(5)), Decoding(beam=1, block=0))):
        steps, last = [], 1
        while len(steps) < 6:
            scores = chain.table[text, last].copy()
            scores[: END + (not steps)] = -np.inf
            last = int(scores.argmax())
            if last == END:
                break
            steps.append(last)
        assert found.steps == tuple(steps)
        assert found.length == min(6, len(steps) + 1)


@pytest.mark.parametrize("plan", [GREEDY, Decoding(), Decoding(temperature=1.3, top_k=4)])
def test_company_decides_nothing(plan: Decoding) -> None:
    chain = Chain(12, seed=1)
    together = chain.write(list(range(12)), plan, longest=9, count=3)
    for text, found in enumerate(together):
        assert chain.write([text], plan, longest=9, count=3) == [found]
    order = [7, 0, 11, 3]
    assert chain.write(order, plan, longest=9, count=3) == [together[i] for i in order]


def test_texts_that_are_done_are_left_out() -> None:
    chain = Chain(40, seed=2)
    chain.write(list(range(40)), GREEDY, longest=30)
    assert chain.rows[0] == 40 and chain.rows[-1] <= 30
    assert chain.rows == sorted(chain.rows, reverse=True)


def test_no_stretch_of_steps_stands_twice_where_that_is_blocked() -> None:
    chain = Chain(10, seed=4)
    chain.table[:, :, END] = -30  # titles would go round and round
    for block in (1, 2, 3):
        for best, *_ in chain.write(list(range(10)), Decoding(block=block), longest=12):
            there = [best.steps[i : i + block] for i in range(len(best.steps) - block + 1)]
            assert len(set(there)) == len(there)
    free = chain.write(list(range(10)), Decoding(block=0), longest=12)
    assert any(
        len(set(zip(h.steps, h.steps[1:], strict=False))) < len(h.steps) - 1 for h, *_ in free
    )


def test_drawn_steps_are_as_frequent_as_they_are_probable() -> None:
    chain = Chain(1, seed=5)
    plan = Decoding(temperature=1.0, top_k=WIDE, block=0)
    found = chain.write([0], plan, longest=1, count=4000)[0]
    firsts = np.bincount([h.steps[0] for h in found], minlength=WIDE) / 4000
    wanted = np.exp(chain.table[0, 1])
    wanted[:RESERVED] = 0  # no title is empty
    assert firsts == pytest.approx(wanted / wanted.sum(), abs=0.03)


def test_longer_titles_are_favoured_by_alpha() -> None:
    chain = Chain(30, seed=6)
    short, long = (
        chain.write(list(range(30)), Decoding(alpha=alpha), longest=12) for alpha in (0.0, 2.0)
    )
    assert sum(h[0].length for h in short) < sum(h[0].length for h in long)


@given(
    st.integers(0, 1000).flatmap(
        lambda seed: st.tuples(st.just(seed), st.integers(1, 700), st.integers(1, 9))
    )
)
def test_the_largest_are_found(drawn: tuple[int, int, int]) -> None:
    seed, width, count = drawn
    scores = np.random.default_rng(seed).integers(0, 9, size=(3, width)).astype(np.float32)
    found = np.take_along_axis(scores, largest(scores, count), axis=1)
    assert np.array_equal(found, -np.sort(-scores, axis=1)[:, :count])


def test_settings_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="copy=false"):
        TitleSettings(attention=False)
    with pytest.raises(ValueError, match="even"):
        TitleSettings(reading="gru", dim=7)
    with pytest.raises(ValueError, match="temperature"):
        Decoding(temperature=0.0)


def test_a_body_is_a_text_to_be_read() -> None:
    lines = [b'{"body": "a leak", "title": "x"}\n', b'{"text": "seen", "body": "not"}\n']
    assert [d.text for d in documents(lines, "jsonl", "here")] == ["a leak", "seen"]
    with pytest.raises(DataError, match="missing required field `text`"):
        list(documents([b'{"title": "x"}\n'], "jsonl", "here"))
