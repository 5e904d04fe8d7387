"""Figures of proposed titles by hand, and the page of samples."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pytest

from quern.errors import MissingExtra
from quern.evaluation.figures import bootstrap_mean
from quern.evaluation.titles import (
    evaluate_titles,
    judge_titles,
    repeats,
    summarise_titles,
)
from quern.records import Headline, TitleExample

EXAMPLES = [
    TitleExample("The tram to the harbour stood still.\nNobody knew why.", "Tram stands still"),
    TitleExample("violins!\n\nWho repairs old violins in town?", "Old violins, repaired", "v", 7),
    TitleExample("The fire brigade was at the theatre twice.", "Fire at the theatre"),
]


def says(*titles: str | None):
    """A model that proposes these titles in turn; None for no proposal."""
    rest = iter(titles)

    def model(texts: Sequence[str]) -> list[list[Headline]]:
        return [[] if (t := next(rest)) is None else [Headline(t, -1.0)] for _ in texts]

    return model


def test_given_titles_are_perfect() -> None:
    found = evaluate_titles(says(*(e.title for e in EXAMPLES)), EXAMPLES)
    assert (found.rouge1, found.rouge2, found.rouge_l) == (1, 1, 1)
    assert found.bleu == pytest.approx(1)
    assert found.rouge_l_interval == (1, 1)
    assert found.proposed == found.given
    assert found.texts == 3


def test_figures_by_hand() -> None:
    judged = judge_titles(says("TRAM still stands", "violins", None), EXAMPLES)
    one, two, three = judged
    # tram, still, stands: all three words; no pair of "tram stands still"; "tram still" in order.
    assert (one.rouge.rouge1, one.rouge.rouge2) == (1, 0)
    assert one.rouge.rouge_l == pytest.approx(2 / 3)
    # One of one word, one of three: 2 · 1 · (1/3) / (4/3).
    assert two.rouge.rouge1 == two.rouge.rouge_l == pytest.approx(1 / 2)
    assert (three.title, three.score, three.rouge.rouge1) == ("", None, 0)
    found = summarise_titles(judged)
    assert found.rouge1 == pytest.approx(1 / 2)
    assert found.rouge_l == pytest.approx((2 / 3 + 1 / 2) / 3)
    assert found.proposed.empty == 1
    assert found.proposed.words == pytest.approx(4 / 3)
    assert found.proposed.novel == pytest.approx(1 / 4)  # "stands"
    assert found.proposed.first_line == pytest.approx(1 / 3)  # "violins!"
    assert found.given.novel == pytest.approx(2 / 10)  # "stands", "repaired"
    assert found.given.first_line == 0


def test_what_comes_again_is_counted() -> None:
    titles = ("a b a b", "a b c d a b c", "a a b a")
    found = evaluate_titles(says(*titles), EXAMPLES).proposed
    assert found.repeated_bigrams == pytest.approx(2 / 3)
    assert found.repeated_trigrams == pytest.approx(1 / 3)
    assert not repeats([], 2)
    assert repeats("xxx", 2)


def test_chinese_is_cut_into_characters() -> None:
    examples = [TitleExample("港口的电车停运了。没有人知道原因。", "电车停运原因不明")]
    found = evaluate_titles(says("电车停运"), examples)
    assert found.rouge1 == found.rouge_l == pytest.approx(2 / 3)  # 4 of 4 and of 8
    assert found.rouge2 == pytest.approx(2 * 1 * (3 / 7) / (1 + 3 / 7))
    assert found.proposed.words == 4
    assert "tok:zh" in found.bleu_signature
    assert 0 < found.bleu < 1
    english = evaluate_titles(says(*[e.title for e in EXAMPLES]), EXAMPLES)
    assert "tok:13a" in english.bleu_signature


def test_nothing_to_judge_gives_no_figure_of_nothing() -> None:
    found = evaluate_titles(says(), [])
    assert (found.texts, found.rouge_l, found.rouge_l_interval) == (0, 0, None)
    assert found.proposed.novel is None


def test_the_interval_holds_the_mean_and_goes_by_the_seed() -> None:
    values = [0.0, 0.2, 0.3, 0.9, 1.0] * 10
    low, high = bootstrap_mean(values)
    assert low < sum(values) / len(values) < high
    assert bootstrap_mean(values) == (low, high) != bootstrap_mean(values, seed=1)
    wide = bootstrap_mean(values[:5])
    assert wide[1] - wide[0] > high - low
    assert bootstrap_mean([]) is None


@pytest.mark.parametrize("missing", ["rouge_score.rouge_scorer", "sacrebleu.metrics.bleu"])
def test_without_the_extra_it_says_so(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtra, match=r"pip install 'quern\[evaluate\]'"):
        evaluate_titles(says(), EXAMPLES)  # and the model was not asked
