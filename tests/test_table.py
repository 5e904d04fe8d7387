"""Tables on standard output."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quern.cli.table import columns, fitted, fold, width

cells = st.text(st.sampled_from("ab 磨坊。é\u0301ｗ"), max_size=40)


@pytest.mark.parametrize(
    ("text", "wide"), [("", 0), ("ab", 2), ("磨坊", 4), ("ｗ", 2), ("e\u0301", 1), ("a\u200db", 2)]
)
def test_wide_characters_count_twice_and_marks_not_at_all(text: str, wide: int) -> None:
    assert width(text) == wide


@given(cells, st.integers(2, 30))
def test_folding_keeps_all_but_spaces_and_fits(text: str, most: int) -> None:
    lines = list(fold(text, most))
    assert lines
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(width(line.rstrip(" ")) <= most for line in lines)


def test_lines_break_at_spaces_and_within_words_that_are_too_long() -> None:
    assert list(fold("one two three", 8)) == ["one two", "three"]
    assert list(fold("abcdefghij kl", 4)) == ["abcd", "efgh", "ij", "kl"]
    assert list(fold("磨坊主人", 5)) == ["磨坊", "主人"]


@given(st.lists(st.integers(0, 200), min_size=1, max_size=8), st.integers(64, 150))
def test_columns_fit_and_narrow_ones_keep_their_width(natural: list[int], room: int) -> None:
    widths = fitted(natural, room)
    assert sum(widths) <= room
    narrowest = min(natural)
    assert widths[natural.index(narrowest)] == min(narrowest, max(widths))
    assert fitted(widths, room) == widths


def test_a_table_is_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    columns([["磨坊", "1"], ["a", "22"]], ["name", "n"])
    assert capsys.readouterr().out == ("\n name   n\n ─────────\n 磨坊   1\n a      22\n\n")


def test_without_heads_there_is_no_rule(capsys: pytest.CaptureFixture[str]) -> None:
    columns([["a", "b"]], ["", ""])
    assert capsys.readouterr().out == "\n a   b\n\n"
